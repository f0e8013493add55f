"""Where finished engines lie: a folder each, whole or not there at all. One build at a time on a device."""

from __future__ import annotations

import errno
import fcntl
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional

from edgekit.core.engine import MANIFEST_NAME, EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.core.wire import to_wire
from edgekit.errors import BuildError, EdgekitError
from edgekit.files import fsync_file, fsync_folder, write_json
from edgekit.runtime.engine_files import check_attachments, check_digest, read_manifest

_LOCK_NAME = ".build.lock"
_PART_SUFFIX = ".part"
_MIB = 1 << 20


def find_engine(engines_dir: Path, engine_id: str) -> Optional[EngineManifest]:
    """The manifest of a finished engine whose files are whole; None if it has to be built."""
    folder = engines_dir / engine_id
    try:
        manifest = read_manifest(folder)
        check_digest(folder, manifest)
        check_attachments(folder, manifest)
    except EdgekitError:
        return None
    return manifest if manifest.engine_id == engine_id else None


@contextmanager
def build_lock(engines_dir: Path, on_progress: OnProgress) -> Iterator[None]:
    """Hold the device's only build slot. A second build waits: two at once would not fit a board's memory.

    The system frees the slot of a builder that dies; what it left behind is swept here.
    """
    engines_dir.mkdir(parents=True, exist_ok=True)
    with (engines_dir / _LOCK_NAME).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress("waiting for another build on this device", 0, 1)
            fcntl.flock(lock, fcntl.LOCK_EX)
        _sweep(engines_dir)
        yield


def sweep_unfinished(engines_dir: Path) -> None:
    """Remove what a killed build left behind; nothing while another build is under way, which sweeps by itself."""
    if not engines_dir.is_dir():
        return
    with (engines_dir / _LOCK_NAME).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _sweep(engines_dir)


def _sweep(engines_dir: Path) -> None:
    for leftover in engines_dir.glob(f".*{_PART_SUFFIX}"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def part_folder(engines_dir: Path, engine_id: str) -> Iterator[Path]:
    """A folder to build in; gone afterwards, whatever happens, unless `publish` has moved it."""
    folder = Path(tempfile.mkdtemp(prefix=f".{engine_id}-", suffix=_PART_SUFFIX, dir=engines_dir))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(part: Path, manifest: EngineManifest) -> None:
    """Give a finished folder its final name, durably. It takes the place of a damaged engine of that name."""
    write_json(part / MANIFEST_NAME, to_wire(manifest))
    for name in (manifest.file_name, *(item.file_name for item in manifest.attachments)):
        fsync_file(part / name)
    fsync_folder(part)
    final = part.parent / manifest.engine_id
    old = part.with_name(f".{manifest.engine_id}-old{_PART_SUFFIX}")
    if final.exists():
        final.replace(old)
    part.replace(final)
    fsync_folder(part.parent)
    shutil.rmtree(old, ignore_errors=True)


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Raise BuildError unless the disk under `folder` has the room a build needs."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise disk_full(folder, needed_bytes)


@contextmanager
def disk_errors(folder: Path, needed_bytes: int) -> Iterator[None]:
    """Turn "no space left" into a BuildError that says how much is free and how much is needed."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise disk_full(folder, needed_bytes) from None


def disk_full(folder: Path, needed_bytes: int) -> BuildError:
    """The error for a disk without room."""
    free_mib = shutil.disk_usage(folder).free // _MIB
    return BuildError(
        f"the disk under {folder} is full: {free_mib} MiB free, about {needed_bytes // _MIB + 1} MiB needed",
        hint="delete old engines or releases there and build again",
    )
