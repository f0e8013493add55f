"""Sends a file, or the files of a folder, to standard output.

Argument: {"path": what is to be sent, "names": those of the folder's own files that are wanted, left out for all}. A
wanted file that is not there is passed over. For each file one JSON line {"name", "size"}, its bytes, and one JSON line
{"sha256"}; last the line {"end": true}. A lone file is named "". A file that grows meanwhile is cut at its first size.
"""

import hashlib
import json
import os
import stat
import sys
from typing import Any, BinaryIO, Dict, Iterator, List, Tuple

CHUNK_BYTES = 1 << 18


def files(path: str) -> Iterator[Tuple[str, str]]:
    """(name, path) of each file, sorted by name."""
    if not os.path.isdir(path):
        yield "", path
        return
    found = [os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names]
    for each in sorted(found):
        yield os.path.relpath(each, path), each


def named(folder: str, names: List[str]) -> Iterator[Tuple[str, str]]:
    """(name, path) of each of these files of a folder. Raises OSError for a name that leads elsewhere."""
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise OSError(f"{name!r} is no plain name of a file")
        yield name, os.path.join(folder, name)


def opened(path: str) -> BinaryIO:
    """A file to read. Opening a pipe would wait for its writer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no file")
    return os.fdopen(descriptor, "rb")


def put(out: BinaryIO, line: Dict[str, Any]) -> None:
    """Write one line of JSON."""
    out.write(json.dumps(line).encode() + b"\n")


def send(out: BinaryIO, name: str, path: str) -> None:
    """Write one file."""
    digest = hashlib.sha256()
    with opened(path) as stream:
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


def send_named(out: BinaryIO, folder: str, names: List[str]) -> None:
    """Write the named files of a folder that are there."""
    for name, path in named(folder, names):
        try:
            send(out, name, path)
        except FileNotFoundError:  # of opening it, before anything of it was written
            continue


def main() -> int:
    """Send everything."""
    argument = json.loads(sys.argv[1])
    try:
        if "names" in argument:
            send_named(sys.stdout.buffer, argument["path"], argument["names"])
        else:
            for name, path in files(argument["path"]):
                send(sys.stdout.buffer, name, path)
        put(sys.stdout.buffer, {"end": True})
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 9
    return 0


if __name__ == "__main__":
    sys.exit(main())
