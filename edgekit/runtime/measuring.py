"""A device that is measured, and what would spoil its figures: one or the other at a time, whoever asked for it.

Both hold a lock in the device folder, a bench alone, all else beside each other; engines that lie elsewhere have none.
The kernel takes it from a process that is killed. On the host, control/device_use.py keeps a whole bench and a whole
deployment apart; this is for another host, and for a bench whose host was cut off.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, Iterator

from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError
from edgekit.runtime.locks import LockHeldError, held

_ENGINES = "engines"
_LOCK = "measuring.lock"
# A service is stopped for a bench: rather give up than keep that one waiting for a build of minutes.
_BENCH_WAITS_S = 30.0


def _silent(what: str, done: int, total: int) -> None:
    """For whoever is told nothing."""


@contextmanager
def measuring(engine_dir: Path, on_progress: OnProgress = _silent, wait_s: float = _BENCH_WAITS_S) -> Iterator[None]:
    """Keep off a device whatever is `unmeasured`, and other benches, while one of its engines is measured.

    What is under way is waited for. Raises DeviceError saying what else the device does.
    """

    def refused(holder: str) -> DeviceError:
        return DeviceError(
            f"this device is busy, its figures would be spoiled: {holder}",
            hint="wait for that to end, then measure again",
        )

    with _held(engine_dir.parent, "a bench", refused, on_progress, wait_s, shared=False):
        yield


@contextmanager
def unmeasured(engines_dir: Path, what: str, wait_s: float, on_progress: OnProgress = _silent) -> Iterator[None]:
    """Do what would spoil the figures of a bench, while there is none; several may do such things at a time.

    what: "a build". Raises DeviceError naming the bench that does not end within wait_s.
    """

    def refused(holder: str) -> DeviceError:
        return DeviceError(
            f"this device is being measured, and {what} would spoil the figures: {holder}",
            hint="wait for it to end, or press Ctrl-C where it was started; one that hangs: kill that process there",
        )

    with _held(engines_dir, what, refused, on_progress, wait_s, shared=True):
        yield


@contextmanager
def _held(
    engines_dir: Path,
    what: str,
    refused: Callable[[str], DeviceError],
    on_progress: OnProgress,
    wait_s: float,
    *,
    shared: bool,
) -> Iterator[None]:
    if engines_dir.name != _ENGINES:
        yield
        return

    def tell(holder: str) -> None:
        on_progress(f"wait for {holder}", 0, 0)

    with ExitStack() as stack:
        try:
            stack.enter_context(held(engines_dir.parent / _LOCK, _described(what), wait_s, shared=shared, on_wait=tell))
        except LockHeldError as error:
            raise refused(error.holder) from None
        yield


def _described(what: str) -> str:
    """What is done since when, and from where it was asked for, as sshd tells. Source: ssh(1), SSH_CONNECTION."""
    asked_from = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return f"{what} since {since}{f', asked for from {asked_from}' if asked_from else ''}"
