"""Sends a file, or the files of a folder, to standard output.

Argument: {"path": what is to be sent}. For each file one JSON line {"name", "size"}, its bytes, and one JSON line
{"sha256"}; last the line {"end": true}. A lone file is named "". A file that grows meanwhile is cut at its first size.
"""

import hashlib
import json
import os
import sys
from typing import Any, BinaryIO, Dict, Iterator, Tuple

CHUNK_BYTES = 1 << 18


def files(path: str) -> Iterator[Tuple[str, str]]:
    """(name, path) of each file, sorted by name."""
    if not os.path.isdir(path):
        yield "", path
        return
    found = [os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names]
    for each in sorted(found):
        yield os.path.relpath(each, path), each


def put(out: BinaryIO, line: Dict[str, Any]) -> None:
    """Write one line of JSON."""
    out.write(json.dumps(line).encode() + b"\n")


def send(out: BinaryIO, name: str, path: str) -> None:
    """Write one file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        left = os.fstat(stream.fileno()).st_size
        put(out, {"name": name, "size": left})
        while left:
            piece = stream.read(min(left, CHUNK_BYTES))
            if not piece:
                raise OSError(f"{path} became shorter while it was sent")
            digest.update(piece)
            out.write(piece)
            left -= len(piece)
    put(out, {"sha256": digest.hexdigest()})


def main() -> int:
    """Send everything."""
    try:
        for name, path in files(json.loads(sys.argv[1])["path"]):
            send(sys.stdout.buffer, name, path)
        put(sys.stdout.buffer, {"end": True})
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 9
    return 0


if __name__ == "__main__":
    sys.exit(main())
