"""Receives files on standard input: into incoming/, to be gone on with after a broken link, or as a folder of code.

Argument: {"root": device folder, "total": bytes to come, "code": digest or ""}. Then for each file one JSON line
{"name", "sha256", "size", "offset"} and the bytes from offset on. Without "code", a file is written to
incoming/<sha256>.part and is renamed to incoming/<sha256> when it is whole and its digest is right. With it, the files
become code/<digest>/edgekit/<name>, all at once.

Answers as device code does (core/requests.py). The result's "damaged" lists what must be sent again from its beginning.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import select
import shutil
import sys
import tempfile
import time
from typing import IO, Any, Dict, Iterator, List

CHUNK_BYTES = 1 << 18
# Nobody sends any more. sshd may take hours to notice that a link is cut, and a file is not to be held for so long.
IDLE_LIMIT_S = 20
LOCK_LIMIT_S = 30
FREE_SHARE, FREE_BYTES = 0.05, 256 << 20  # what a disk must keep free
PROGRESS_S = 0.5


class RefusedError(Exception):
    """A failure to be told to the host: what, why, hint."""

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.event = {"kind": "DeviceError", "what": what, "why": why, "hint": hint}


class Stream:
    """Standard input as lines and pieces. Ends when nothing came for IDLE_LIMIT_S."""

    def __init__(self, descriptor: int, total: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""
        self._done, self._total, self._told_s = 0, total, time.monotonic()

    def line(self) -> bytes:
        """The next line without its end, b"" at the end of the stream."""
        while b"\n" not in self._buffer:
            if not self._more():
                return b""
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes."""
        while size:
            if not self._buffer and not self._more():
                raise RefusedError("the transfer broke off")
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            self._tell(len(piece))
            yield piece

    def _more(self) -> bool:
        if not select.select([self._descriptor], [], [], IDLE_LIMIT_S)[0]:
            raise RefusedError(f"nothing came for {IDLE_LIMIT_S} s")
        piece = os.read(self._descriptor, CHUNK_BYTES)
        self._buffer += piece
        return bool(piece)

    def _tell(self, size: int) -> None:
        self._done += size
        now_s = time.monotonic()
        if now_s - self._told_s >= PROGRESS_S:
            self._told_s = now_s
            emit({"event": "progress", "what": "send MiB", "done": self._done >> 20, "total": self._total >> 20})


def emit(event: Dict[str, Any]) -> None:
    """Write one event."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def headers(stream: Stream) -> Iterator[Dict[str, Any]]:
    """The line before each file. Its names are checked: they become paths."""
    for line in iter(stream.line, b""):
        header = json.loads(line.decode("utf-8"))
        parts = header["name"].split("/")
        if not re.match(r"[0-9a-f]{64}\Z", header["sha256"]) or header["name"].startswith("/") or ".." in parts:
            raise RefusedError("not a plain name: " + repr(header["name"]))
        yield header


def check_space(folder: str, total: int) -> None:
    """Refuse what would fill the disk: the service that runs from it must go on."""
    disk = os.statvfs(folder)
    free, keep = disk.f_bavail * disk.f_frsize, max(int(disk.f_blocks * disk.f_frsize * FREE_SHARE), FREE_BYTES)
    if total > free - keep:
        raise no_space(f"{total >> 20} MiB are to come, {free >> 20} MiB are free, of which {keep >> 20} MiB must stay")


def no_space(why: str) -> RefusedError:
    """The disk is full, or would be."""
    return RefusedError("the device's disk is full", why, "edgekit gc, or delete what is no longer needed there")


def receive_objects(stream: Stream, root: str) -> Dict[str, List[str]]:
    """Write files to incoming/; whose digest is wrong is thrown away and listed."""
    incoming = os.path.join(root, "incoming")
    os.makedirs(incoming, exist_ok=True)
    os.chmod(incoming, 0o700)  # what is received may hold passwords
    damaged = [header["sha256"] for header in headers(stream) if not receive_object(stream, header, incoming)]
    sync_folder(incoming)
    return {"damaged": damaged}


def receive_object(stream: Stream, header: Dict[str, Any], incoming: str) -> bool:
    """One file, from its offset on. False if what came is not what its name says."""
    whole = os.path.join(incoming, header["sha256"])
    with open_part(whole + ".part") as part:
        try:
            right = append(stream, header, part)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                os.unlink(part.name)
                raise no_space(str(error)) from None
            raise
        if right:
            os.rename(part.name, whole)
        else:
            os.unlink(part.name)
        return right


def open_part(path: str) -> IO[bytes]:
    """The partial file, ours alone: of two who send the same file, the second waits until the first has ended."""
    until_s = time.monotonic() + LOCK_LIMIT_S
    while True:
        part = open(path, "ab+")  # noqa: SIM115 handed to the caller, with its lock
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(path) and os.path.samestat(os.fstat(part.fileno()), os.stat(path)):
                return part
            part.close()
        except BlockingIOError:
            part.close()
            if time.monotonic() > until_s:
                raise RefusedError("another transfer of the same file is under way", "it holds " + path) from None
            time.sleep(0.2)


def append(stream: Stream, header: Dict[str, Any], part: IO[bytes]) -> bool:
    """Bring a partial file to its end; True if it is the file that it should be."""
    have, offset = os.fstat(part.fileno()).st_size, header["offset"]
    digest = hashlib.sha256()
    part.seek(0)
    for piece in iter(lambda: part.read(CHUNK_BYTES), b""):
        digest.update(piece)
    skip = have - offset
    for piece in stream.pieces(header["size"] - offset):
        fresh, skip = piece[max(skip, 0) :], skip - len(piece)
        digest.update(fresh)
        part.write(fresh)
    part.flush()
    os.fsync(part.fileno())
    return have >= offset and bool(digest.hexdigest() == header["sha256"])


def receive_code(stream: Stream, root: str, digest: str) -> Dict[str, List[str]]:
    """Write a folder of code beside its place and move it there, whole."""
    target = os.path.join(root, "code", digest)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    part = tempfile.mkdtemp(prefix=".", suffix=".part", dir=os.path.dirname(target))
    try:
        listed = [receive_source(stream, header, os.path.join(part, "edgekit")) for header in headers(stream)]
        if hashlib.sha256("".join(sorted(listed)).encode()).hexdigest() != digest:
            raise RefusedError("the code that arrived is not the code that was sent")
        os.chmod(part, 0o755)  # noqa: S103 the service, another user, reads it
        sync_tree(part)
        put_in_place(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync_folder(os.path.dirname(target))
    return {"damaged": []}


def receive_source(stream: Stream, header: Dict[str, Any], folder: str) -> str:
    """One file of code; its line in the list that the digest is made of."""
    path, digest = os.path.join(folder, header["name"]), hashlib.sha256()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as target:
        for piece in stream.pieces(header["size"]):
            digest.update(piece)
            target.write(piece)
    return "{} {}\n".format(digest.hexdigest(), header["name"])


def put_in_place(part: str, target: str) -> None:
    """Rename a folder, unless another was quicker: it has the same content."""
    try:
        os.rename(part, target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def sync_tree(folder: str) -> None:
    """Make a folder and all that is in it survive a power cut."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as stream:
                os.fsync(stream.fileno())
        sync_folder(parent)


def sync_folder(folder: str) -> None:
    """Make names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main() -> int:
    """Receive everything and tell what came of it."""
    wanted = json.loads(sys.argv[1])
    root, stream = wanted["root"], Stream(0, wanted["total"])
    os.umask(0o022)
    try:
        if not os.path.isdir(root):
            raise RefusedError(f"there is no {root} on the device", hint="edgekit provision")
        check_space(root, wanted["total"])
        result = receive_code(stream, root, wanted["code"]) if wanted["code"] else receive_objects(stream, root)
        emit({"event": "result", "result": result})
        return 0
    except RefusedError as error:
        emit({"event": "error", "error": error.event})
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        refusal = no_space(str(error)) if full else RefusedError("a file cannot be written on the device", str(error))
        emit({"event": "error", "error": refusal.event})
    return 9


if __name__ == "__main__":
    sys.exit(main())
