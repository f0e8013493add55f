"""Files on their way over SSH, as bootstrap/receive.py takes them and bootstrap/send.py gives them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.control.blobs import chunks_of, size_of
from edgekit.control.device_code import DeviceCode
from edgekit.control.remote_command import MARK
from edgekit.core.release import ReleaseFile
from edgekit.errors import DeviceError, UsageError
from edgekit.files import replacing


def code_frames(code: DeviceCode) -> Iterator[bytes]:
    """Device code as receive.py takes it."""
    for file in code.files:
        yield from _frame(file.name, file.sha256, file.content, 0)


def object_frames(files: Mapping[str, Path | bytes], offsets: Mapping[str, int]) -> Iterator[bytes]:
    """Files as receive.py takes them, each from its offset on."""
    for sha256, offset in offsets.items():
        yield from _frame(sha256, sha256, files[sha256], offset)


def bytes_to_come(files: Mapping[str, Path | bytes], offsets: Mapping[str, int]) -> int:
    """How many bytes `object_frames` sends, without its headers."""
    return sum(size_of(files[sha256]) - offset for sha256, offset in offsets.items())


def listed_files(local: Path) -> dict[str, Path]:
    """The files that `place` is to make readable, by their names there: the file itself, or all of a folder.

    Raises UsageError naming what has a name that a device's folder may not have.
    """
    files = [local] if local.is_file() else sorted(path for path in local.rglob("*") if path.is_file())
    base = local.parent if local.is_file() else local
    found = {path.relative_to(base).as_posix(): path for path in files}
    wrong = [name for name in found if not _is_plain(name)]
    if wrong:
        raise UsageError(
            f"{len(wrong)} of the files in {base} have names that cannot be used on a device, such as {wrong[0]!r}",
            why="letters, digits, and _ . + - inside a name are allowed",
            hint="rename them",
        )
    return found


def unpack(chunks: Iterable[bytes], local: Path) -> bool:
    """Write what send.py sends: a file at `local`, or files in the folder `local`. False if it ended too early.

    Raises DeviceError for a damaged file, or a name that leads out of the folder.
    """
    stream = _Stream(chunks)
    while True:
        header = stream.event()
        if header is None or header.get("end"):
            return header is not None
        with replacing(_inside(local, str(header["name"]))) as temporary, temporary.open("wb") as target:
            digest = hashlib.sha256()
            for piece in stream.pieces(int(header["size"])):
                digest.update(piece)
                target.write(piece)
            if (stream.event() or {}).get("sha256") != digest.hexdigest():
                raise DeviceError(f"{header['name'] or local.name} did not arrive whole", hint="the same command again")


class _Stream:
    """Lines and pieces of a remote output, from MARK on."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        while MARK not in self._buffer and self._more():
            pass
        self._buffer = self._buffer.partition(MARK)[2]

    def event(self) -> dict[str, Any] | None:
        while b"\n" not in self._buffer:
            if not self._more():
                return None
        line, self._buffer = self._buffer.split(b"\n", 1)
        found = json.loads(line)
        return found if isinstance(found, dict) else None

    def pieces(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer and not self._more():
                return
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece

    def _more(self) -> bool:
        piece = next(self._chunks, b"")
        self._buffer += piece
        return bool(piece)


def _frame(name: str, sha256: str, content: Path | bytes, offset: int) -> Iterator[bytes]:
    size = size_of(content)
    yield json.dumps({"name": name, "sha256": sha256, "size": size, "offset": offset}).encode() + b"\n"
    left = size - offset
    for piece in chunks_of(content, offset):
        left -= len(piece)
        yield piece
    if left:
        raise DeviceError(f"{content if isinstance(content, Path) else name} changed while it was sent")


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if PurePosixPath(name).is_absolute() or ".." in parts:
        raise DeviceError(f"the device sent a file named {name!r}, which leads out of its folder")
    return folder.joinpath(*parts)


def _is_plain(name: str) -> bool:
    try:
        ReleaseFile(name, 0, "")
    except ValueError:
        return False
    return True
