"""Waiting for a lock of the kernel on an open file. It ends with the process that has it, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Callable

_RETRY_S = 0.02


def taken(descriptor: int, wait_s: float, *, shared: bool = False, on_wait: Callable[[], None] = lambda: None) -> bool:
    """Lock an open file, or say after wait_s that others keep it. It lasts until the file is closed.

    shared: beside others who share it. on_wait: called each time before it is tried again. Source: flock(2).
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                return False
            on_wait()
            time.sleep(_RETRY_S)


def is_held(path: Path, wait_s: float) -> bool:
    """Whether a process goes on for longer than wait_s to hold the lock of a file alone; no if there is no such file.

    For root too, in a folder that others write to: no link is followed, and nothing is read.
    """
    try:
        descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not taken(descriptor, wait_s, shared=True)
    finally:
        os.close(descriptor)
