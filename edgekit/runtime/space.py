"""Room on the device's disk: how much is left alone, and what failing writes mean in words."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

from edgekit.errors import DeployError
from edgekit.runtime.store import Store

FLOOR_MIB = 256
FLOOR_SHARE = 0.05
_MIB = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_BROKEN = (errno.EROFS, errno.EIO)


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raise DeployError unless the disk keeps its floor, max(5 %, 256 MiB), with needed_bytes more on it."""
    usage = shutil.disk_usage(_existing(folder))
    floor = max(int(usage.total * FLOOR_SHARE), FLOOR_MIB * _MIB)
    short = needed_bytes + floor - usage.free
    if short > 0:
        raise DeployError(
            f"the disk under {folder} has {short // _MIB + 1} MiB too little free",
            why=f"{usage.free // _MIB} MiB are free; {needed_bytes / _MIB:.1f} MiB are to come, and "
            f"{floor // _MIB} MiB stay free for everything else on the device",
            hint="edgekit gc, or delete something else there",
        )


def free_mib(folder: Path) -> int:
    """Room left for this user."""
    return shutil.disk_usage(_existing(folder)).free // _MIB


@contextmanager
def disk_trouble(store: Store) -> Iterator[None]:
    """Turn a write that failed into a DeployError. On a full disk, what had been received is deleted to free it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*_FULL, *_BROKEN):
            raise
        freed = sweep_unused(store) if error.errno in _FULL else 0
        raise _explain(store, error, freed) from None


def sweep_unused(store: Store) -> int:
    """Delete half-made folders, received files and objects without a link; bytes freed. Under the device lock."""
    sweep_parts(store)
    freed = 0
    for path in [*store.incoming.glob("*"), *store.objects.glob("*")]:
        with suppress(OSError):
            status = os.lstat(path)
            if status.st_nlink == 1:
                path.unlink()
                freed += status.st_size
    return freed


def sweep_parts(store: Store) -> None:
    """Delete folders that someone was interrupted in making. Under the device lock."""
    for part in [*store.releases.glob(".*.part"), *store.placed.glob(".*.part")]:
        shutil.rmtree(part, ignore_errors=True)


def _explain(store: Store, error: OSError, freed: int) -> DeployError:
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return DeployError(
            f"the disk of {store.root} is full; the release that ran before still runs",
            why=f"{reason}; {freed / _MIB:.1f} MiB of what had been sent were deleted again",
            hint="edgekit gc, or delete something else there, then run the same command again",
        )
    return DeployError(
        f"the disk of {store.root} cannot be written; the release that ran before still runs",
        why=f"{reason}: {error.filename or 'a file'}",
        hint="look for its trouble in `dmesg` on the device before anything else",
    )


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
