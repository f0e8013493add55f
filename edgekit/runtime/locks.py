"""Locks that die with their process and tell who holds them."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Iterator

from edgekit.errors import DeployError
from edgekit.runtime.store import Store

_RETRY_S = 0.02
# Whoever asks for a holder borrows the lock for an instant; a taker must not give up because of that.
_AT_LEAST_S = 0.2


class LockHeldError(Exception):
    """Another process holds the lock. holder: what it wrote of itself."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@contextmanager
def held(path: Path, holder: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of a file. Raises LockHeldError if another process keeps it for longer than wait_s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as stream:
        _take(stream, max(wait_s, _AT_LEAST_S))
        with suppress(OSError):  # on a full disk the lock is held all the same, by an unnamed process
            os.ftruncate(stream.fileno(), 0)
            os.write(stream.fileno(), f"{holder} (process {os.getpid()})".encode())
        yield


def holder_of(path: Path) -> str:
    """Who holds a lock, "" if nobody does."""
    try:
        with path.open("r") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return stream.read() or "another process"
    except OSError:
        return ""
    return ""


@contextmanager
def device_lock(store: Store, holder: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the device folder for a change of its files. Raises DeployError naming the holder."""
    try:
        lock = held(store.device_lock, holder, wait_s)
        lock.__enter__()
    except LockHeldError as error:
        raise DeployError(
            f"another deployment to this device is under way: {error.holder}",
            hint="wait for it to end, then run the same command again",
        ) from None
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _take(stream: IO[str], wait_s: float) -> None:
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                stream.seek(0)
                raise LockHeldError(stream.read() or "another process") from None
            time.sleep(_RETRY_S)
