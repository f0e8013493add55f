"""Files by content: which are missing, taking received ones into the object store, and placing them for a call."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence

from edgekit.core.deployment import Blob, MissingAnswer, MissingRequest, PlaceAnswer, PlaceRequest
from edgekit.core.progress import OnProgress
from edgekit.core.release import SERVICE_ONLY, ReleaseFile
from edgekit.core.wire import digest
from edgekit.errors import DeployError
from edgekit.files import fsync_file, fsync_folder
from edgekit.runtime.locks import device_lock
from edgekit.runtime.runner import service_group
from edgekit.runtime.space import check_room, disk_trouble
from edgekit.runtime.store import Store, is_blob

PART_SUFFIX = ".part"
OBJECT_MODE = 0o644
_LINKED_MODES = (OBJECT_MODE, SERVICE_ONLY)
_LOCK_WAIT_S = 60.0


def find_missing(request: MissingRequest, on_progress: OnProgress) -> MissingAnswer:
    """What the host must send, and from which byte on. Raises DeployError where there is no room for it."""
    store = Store(request.root)
    store.make_incoming()
    engines = _by_size(store.engine_files())
    blobs = {blob.sha256: blob for blob in request.blobs}
    missing = [blob for blob in blobs.values() if _source(store, blob, engines) is None]
    offsets = {blob.sha256: _offset(store, blob) for blob in missing}
    if missing:
        check_room(store.root, sum(blob.size for blob in missing) - sum(offsets.values()))
    return MissingAnswer(offsets)


def place(request: PlaceRequest, on_progress: OnProgress) -> PlaceAnswer:
    """Make a folder of files that were delivered; the same files give the same folder. Raises DeployError."""
    store = Store(request.root)
    folder = store.placed / digest(list(request.files))[:16]
    with device_lock(store, "placing files", _LOCK_WAIT_S), disk_trouble(store):
        if folder.is_dir() and is_linked(store, folder, request.files):
            os.utime(folder)  # its age is what decides when it goes
        else:
            collect(store, request.files)
            shutil.rmtree(folder, ignore_errors=True)
            publish_folder(link_files(store, folder, request.files), folder)
    return PlaceAnswer(str(folder))


def collect(store: Store, files: Sequence[ReleaseFile]) -> int:
    """Take each file that is no object yet from what was received, or from an engine folder; how many were taken.

    Raises DeployError for one that was not sent or arrived damaged.
    """
    store.objects.mkdir(parents=True, exist_ok=True)
    engines = _by_size(store.engine_files())
    taken = 0
    for file in files:
        blob, target = Blob(file.sha256, file.size), store.object_path(file.sha256)
        if store.has_object(blob):
            if file.mode == SERVICE_ONLY:
                _close(target, service_group(store))
            continue
        source = _source(store, blob, engines)
        if source is None:
            raise _not_here(store, file)
        if file.mode == SERVICE_ONLY:
            _close(source, service_group(store))
        elif os.lstat(source).st_mode & 0o7777 != OBJECT_MODE:
            source.chmod(OBJECT_MODE)
        _admit(source, target, move=source.parent == store.incoming)
        taken += 1
    if taken:
        fsync_folder(store.objects)
    return taken


def count_new(store: Store, files: Sequence[ReleaseFile]) -> int:
    """How many of the files have no object yet. Their content is not looked at."""
    return sum(not store.object_path(file.sha256).exists() for file in files)


def link_files(store: Store, final: Path, files: Iterable[ReleaseFile]) -> Path:
    """A new hidden folder beside `final` with a link for each file. Not durable before `publish_folder`."""
    part = final.with_name(f".{final.name}{PART_SUFFIX}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for file in files:
        (part / file.path).parent.mkdir(parents=True, exist_ok=True)
        put_file(store, file, part / file.path)
    return part


def put_file(store: Store, file: ReleaseFile, path: Path) -> None:
    """Give an object another name, which must not exist. An executable one is copied, since links share a mode."""
    if file.mode in _LINKED_MODES:
        os.link(store.object_path(file.sha256), path)
        return
    shutil.copyfile(store.object_path(file.sha256), path)
    path.chmod(file.mode)
    fsync_file(path)


def publish_folder(part: Path, final: Path) -> None:
    """Give a finished folder its name, durably. `final` must not exist."""
    for folder in [*(path for path in part.rglob("*") if path.is_dir()), part]:
        fsync_folder(folder)
    os.replace(part, final)
    fsync_folder(final.parent)


def is_linked(store: Store, folder: Path, files: Sequence[ReleaseFile]) -> bool:
    """True if each file of a folder is there as put_file made it. The content of objects is not looked at."""
    return all(is_put(store, file, folder / file.path) for file in files)


def is_put(store: Store, file: ReleaseFile, path: Path) -> bool:
    """True if the path is what put_file made it, and nobody changed it since."""
    try:
        here, there = os.lstat(path), os.lstat(store.object_path(file.sha256))
    except OSError:
        return False
    if here.st_mode & 0o7777 != file.mode:
        return False
    same = (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev)
    return same or (file.mode not in _LINKED_MODES and is_blob(path, Blob(file.sha256, file.size)))


def _source(store: Store, blob: Blob, engines: Dict[int, List[Path]]) -> Optional[Path]:
    """Where a file's content lies on the device, None if nowhere."""
    candidates = [store.object_path(blob.sha256), store.incoming_path(blob.sha256), *engines.get(blob.size, [])]
    return next((path for path in candidates if is_blob(path, blob)), None)


def _offset(store: Store, blob: Blob) -> int:
    part = store.incoming_path(blob.sha256).with_name(blob.sha256 + PART_SUFFIX)
    try:
        size = part.stat().st_size
    except OSError:
        return 0
    if size <= blob.size:
        return size
    part.unlink()
    return 0


def _not_here(store: Store, file: ReleaseFile) -> DeployError:
    received = store.incoming_path(file.sha256)
    if not received.exists():
        return DeployError(f"{file.path} was not sent to the device", hint="run the same command again")
    received.unlink()
    return DeployError(
        f"{file.path} arrived damaged: its digest is not {file.sha256[:12]}...", hint="run the same command again"
    )


def _admit(source: Path, target: Path, *, move: bool) -> None:
    """Make a checked file an object. Its bytes are made durable before its name is; the folder is the caller's."""
    fsync_file(source)
    if move:
        os.replace(source, target)
        return
    temporary = target.with_name(f".{target.name}{PART_SUFFIX}")
    temporary.unlink(missing_ok=True)
    os.link(source, temporary)
    os.replace(temporary, target)


def _close(path: Path, group: Optional[int]) -> None:
    """Let only its owner and the services read a file. Raises DeployError where this user may not give it to them."""
    status = os.lstat(path)
    if status.st_mode & 0o7777 != SERVICE_ONLY:
        path.chmod(SERVICE_ONLY)
    if group is None or status.st_gid == group:
        return
    try:
        os.chown(path, -1, group)
    except PermissionError:
        raise DeployError(
            "the settings of a service, which may hold passwords, cannot be given to it alone",
            why="this user is not in the group of the services; earlier versions of edgekit did not need that",
            hint="edgekit provision, then deploy again",
        ) from None


def _by_size(paths: Iterable[Path]) -> Dict[int, List[Path]]:
    found: Dict[int, List[Path]] = {}
    for path in paths:
        found.setdefault(path.stat().st_size, []).append(path)
    return found
