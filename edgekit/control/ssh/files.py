"""Files on their way over SSH, as bootstrap/receive.py takes them and bootstrap/send.py gives them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.control.blobs import chunks_of, size_of
from edgekit.control.device_code import DeviceCode
from edgekit.control.link import oversize
from edgekit.control.ssh.remote_command import MARK
from edgekit.core.release import ReleaseFile
from edgekit.errors import DeviceError, UsageError
from edgekit.files import replacing

_MOST_LINE_BYTES = 1 << 16
_MOST_BEFORE_BYTES = 1 << 20  # what start-up files of a login shell print


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


def unpack(chunks: Iterable[bytes], local: Path, sizes: Mapping[str, int] | None) -> bool:
    """Write what send.py sends: a file at `local`, or files in the folder `local`. False if it ended too early.

    sizes: the names that were asked for, each with its bytes at most; None for any. Raises DeviceError for a damaged
    file, a name that leads out of the folder or was not asked for, and a stream that send.py does not write;
    OversizeError for a larger file, before any of it is written.
    """
    stream = _Stream(chunks)
    to_come = None if sizes is None else dict(sizes)
    while True:
        header = stream.event()
        if header is None or header.get("end"):
            return header is not None
        name, size = _announced(header)
        if to_come is not None:
            _check_asked(name, size, to_come)
        with replacing(_inside(local, name)) as temporary, temporary.open("wb") as target:
            digest = hashlib.sha256()
            for piece in stream.pieces(size):
                digest.update(piece)
                target.write(piece)
            if (stream.event() or {}).get("sha256") != digest.hexdigest():
                raise DeviceError(f"{name or local.name} did not arrive whole", hint="the same command again")


def _announced(header: Mapping[str, Any]) -> tuple[str, int]:
    """Name and size in bytes of the file that comes next."""
    name, size = header.get("name"), header.get("size")
    if not isinstance(name, str) or type(size) is not int or size < 0:
        raise DeviceError("the device sent a file without a name or a size")
    return name, size


def _check_asked(name: str, size: int, to_come: dict[str, int]) -> None:
    """Strike a file off those that may still come: one that came again and again would never end."""
    most = to_come.pop(name, None)
    if most is None:
        raise DeviceError(f"the device sent {name[:80]!a}, which was not asked for, or came already")
    if size > most:
        raise oversize(name, size, most)


class _Stream:
    """Lines and pieces of a remote output, from MARK on."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        while MARK not in self._buffer and self._more():
            self._check_length(_MOST_BEFORE_BYTES)
        self._buffer = self._buffer.partition(MARK)[2]

    def event(self) -> dict[str, Any] | None:
        while b"\n" not in self._buffer:
            self._check_length(_MOST_LINE_BYTES)
            if not self._more():
                return None
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise DeviceError("the device sent something else than files") from None
        return found if isinstance(found, dict) else None

    def pieces(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer and not self._more():
                return
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece

    def _check_length(self, most: int) -> None:
        if len(self._buffer) > most:
            raise DeviceError("the device sent something else than files", why=f"{most} bytes without an end of line")

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
