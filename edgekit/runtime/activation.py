"""Putting a release in place: objects are checked, the folder is assembled aside, one rename makes it current.

At every moment `current/<service>` names a whole release, the old or the new.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List

from edgekit.core.progress import OnProgress
from edgekit.core.release import RELEASE_NAME, ReleaseFile, ReleaseManifest
from edgekit.core.requests import ActivateAnswer, ActivateRequest, MissingAnswer, MissingRequest, SwitchRequest
from edgekit.core.wire import to_wire
from edgekit.errors import DeployError
from edgekit.files import fsync_folder, sha256_file, write_json
from edgekit.runtime.store import Store

JOURNAL_NAME = "journal.json"


def find_missing(request: MissingRequest, on_progress: OnProgress) -> MissingAnswer:
    """Which of the files the host must send."""
    store = Store(request.root)
    store.incoming.mkdir(parents=True, exist_ok=True)
    here = _engine_sizes(store)
    missing = {file.sha256 for file in request.files if not store.has_object(file) and not _among(here, file)}
    return MissingAnswer(tuple(sorted(missing)), str(store.incoming))


def activate(request: ActivateRequest, on_progress: OnProgress) -> ActivateAnswer:
    """Assemble the release and make it current. Raises DeployError; the old release stays current then."""
    store, manifest = Store(request.root), request.manifest
    with _locked(store):
        _collect_objects(store, manifest)
        _assemble(store, manifest)
        _sweep_incoming(store)
        return _make_current(store, manifest.service, manifest.release_id)


def switch(request: SwitchRequest, on_progress: OnProgress) -> ActivateAnswer:
    """Make an older release current again."""
    store = Store(request.root)
    with _locked(store):
        if store.read_release(request.release_id) is None:
            raise DeployError(f"release {request.release_id} is not on the device", hint="edgekit deploy")
        return _make_current(store, request.service, request.release_id)


@contextmanager
def _locked(store: Store) -> Iterator[None]:
    store.root.mkdir(parents=True, exist_ok=True)
    with (store.root / "deploy.lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            raise DeployError(
                f"another deployment to this device is under way (process {stream.read().strip() or 'unknown'})",
                hint="wait for it to end, then run the same command again",
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def _engine_sizes(store: Store) -> Dict[int, List[Path]]:
    by_size: Dict[int, List[Path]] = {}
    for path in store.engine_files():
        by_size.setdefault(path.stat().st_size, []).append(path)
    return by_size


def _among(by_size: Dict[int, List[Path]], file: ReleaseFile) -> bool:
    return any(sha256_file(path) == file.sha256 for path in by_size.get(file.size, []))


def _collect_objects(store: Store, manifest: ReleaseManifest) -> None:
    engines = _engine_sizes(store)
    for file in manifest.files:
        if store.has_object(file):
            continue
        candidates = [store.incoming / file.sha256, *engines.get(file.size, [])]
        source = next((path for path in candidates if path.is_file() and sha256_file(path) == file.sha256), None)
        if source is None:
            raise DeployError(f"{file.path} was not sent to the device", hint="run the same command again")
        store.admit(source, file)


def _assemble(store: Store, manifest: ReleaseManifest) -> None:
    target = store.releases / manifest.release_id
    if store.read_release(manifest.release_id) is not None and _is_whole(target, manifest):
        return
    part = store.releases / f".{manifest.release_id}.part"
    shutil.rmtree(part, ignore_errors=True)
    for file in manifest.files:
        place = part / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(store.objects / file.sha256, place)
        place.chmod(file.mode)
    write_json(part / RELEASE_NAME, to_wire(manifest))
    for folder in [part, *(path for path in part.rglob("*") if path.is_dir())]:
        fsync_folder(folder)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(part, target)
    fsync_folder(store.releases)


def _is_whole(folder: Path, manifest: ReleaseManifest) -> bool:
    """True if every file is there with the promised content; a release someone edited is assembled anew."""
    return all(
        (folder / file.path).is_file() and sha256_file(folder / file.path) == file.sha256 for file in manifest.files
    )


def _make_current(store: Store, service: str, release_id: str) -> ActivateAnswer:
    previous = store.current_release_id(service)
    if previous == release_id:
        return ActivateAnswer(release_id, previous, changed=False)
    write_json(store.state_dir(service) / JOURNAL_NAME, {"from": previous, "to": release_id})
    store.current.mkdir(parents=True, exist_ok=True)
    link = store.current / f".{service}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("..", "releases", release_id))
    os.replace(link, store.current / service)
    fsync_folder(store.current)
    return ActivateAnswer(release_id, previous, changed=True)


def _sweep_incoming(store: Store) -> None:
    for path in store.incoming.glob("*"):
        path.unlink(missing_ok=True)
