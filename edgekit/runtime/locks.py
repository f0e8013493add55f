"""Locks that die with their process and tell who holds them."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Callable, Iterator

from edgekit.errors import DeployError
from edgekit.runtime.flock import taken
from edgekit.runtime.store import Store

# Whoever asks for a holder borrows the lock for an instant; a taker must not give up because of that.
_AT_LEAST_S = 0.2
_TELL_EVERY_S = 1.0


class LockHeldError(Exception):
    """Another process holds the lock. holder: what it wrote of itself."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@contextmanager
def held(
    path: Path,
    holder: str,
    wait_s: float = 0.0,
    *,
    shared: bool = False,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> Iterator[None]:
    """Hold the lock of a file. Raises LockHeldError if another process keeps it for longer than wait_s.

    shared: beside others who share it; the last of them is who is named. on_wait: told every second who is waited for.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as stream:
        tell = _every_second(lambda: on_wait(_named(stream)))
        if not taken(stream.fileno(), max(wait_s, _AT_LEAST_S), shared=shared, on_wait=tell):
            raise LockHeldError(_named(stream))
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
                return _named(stream)
    except OSError:
        return ""
    return ""


@contextmanager
def device_lock(store: Store, holder: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the device folder for a change of its files. Raises DeployError naming the holder."""
    with ExitStack() as stack:
        try:
            stack.enter_context(held(store.device_lock, holder, wait_s))
        except LockHeldError as error:
            raise DeployError(
                f"another deployment to this device is under way: {error.holder}",
                hint="wait for it to end, then run the same command again",
            ) from None
        yield


def _named(stream: IO[str]) -> str:
    stream.seek(0)
    return stream.read() or "another process"


def _every_second(tell: Callable[[], None]) -> Callable[[], None]:
    next_s = time.monotonic()

    def told() -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + _TELL_EVERY_S
            tell()

    return told
