"""Runs `tune` or `untune` of device code as root, with the code that comes on standard input as a zip.

What lies in the device folder belongs to the login user, and root is to run nothing that another can write to. So the
code comes anew, stays in memory, and is run by the system's own Python. Argument: {"verb": ..., "settings": [...]}.
Answers as device code does (core/requests.py). Standard library and Python 3.6 syntax only; memfd_create came with 3.8,
as did the oldest JetPack that is not refused.
"""

import importlib
import json
import os
import sys

ENTRY = "edgekit.runtime.tuning.apply"


def main() -> None:
    """Answer with one event."""
    request = json.loads(sys.argv[1])
    sys.dont_write_bytecode = True
    sys.path.insert(0, in_memory(sys.stdin.buffer.read()))
    event = importlib.import_module(ENTRY).answered(request["verb"], request["settings"])
    sys.stdout.write(json.dumps(event) + "\n")


def in_memory(content: bytes) -> str:
    """A path to a file that has no name on any disk, and is gone with this process."""
    descriptor = os.memfd_create("edgekit")  # type: ignore[attr-defined,unused-ignore]
    with os.fdopen(os.dup(descriptor), "wb") as stream:
        stream.write(content)
    return "/proc/self/fd/%d" % descriptor


if __name__ == "__main__":
    main()
