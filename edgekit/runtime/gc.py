"""Deleting what no release that is kept needs; verb `gc`, and after each commit."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

import edgekit
from edgekit.core.deployment import GcAnswer, GcRequest
from edgekit.core.engine import EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.errors import UsageError
from edgekit.files import fsync_folder
from edgekit.runtime.health import read_health
from edgekit.runtime.journal import read_journal
from edgekit.runtime.locks import device_lock
from edgekit.runtime.space import disk_trouble, sweep_parts
from edgekit.runtime.store import Store

_BUILT_S = 600.0  # an engine that was built just now may be about to be deployed
_FRESH_S = 24 * 3600.0  # files placed or received for a call that may still be under way


def collect_garbage(request: GcRequest, on_progress: OnProgress) -> GcAnswer:
    """Delete releases, engines, code and placed folders that nothing kept needs, then objects that nothing links to."""
    if request.keep < 1:
        raise UsageError(f"keep: at least 1, got {request.keep}")
    store = Store(request.root)
    with device_lock(store, "deleting old releases"), disk_trouble(store):
        folders = _unneeded_folders(store, request.keep)
        files = [*_unneeded_objects(store, folders), *_old_incoming(store)]
        freed = _bytes_freed([*(path for folder in folders for path in _files(folder)), *files])
        if not request.dry_run:
            sweep_parts(store)
            for done, folder in enumerate(folders):
                on_progress("delete", done, len(folders))
                _delete_folder(folder)
            for path in files:
                path.unlink(missing_ok=True)
    return GcAnswer(tuple(str(path.relative_to(store.root)) for path in folders), freed)


def kept_releases(store: Store, keep: int) -> Set[str]:
    """Of each service the current release, the one on probation, what it would go back to, and the newest good ones.

    And the one that its process was started from: code that was not imported yet comes from there.
    """
    kept: Set[str] = set()
    for service in store.list_services():
        journal = read_journal(store, service)
        good = [release_id for release_id in journal.good if store.release_dir(release_id).is_dir()]
        health = read_health(store.state_dir(service))
        loaded = health.loaded_from if health else ""
        kept |= {store.current_release_id(service), journal.target, journal.previous, loaded, *good[:keep]}
    return kept - {""}


def _unneeded_folders(store: Store, keep: int) -> List[Path]:
    kept = kept_releases(store, keep)
    return [
        *(path for path in _folders(store.releases) if path.name not in kept),
        *_old_engines(store, kept),
        *_old_code(store),
        *(path for path in _folders(store.placed) if _age_s(path) > _FRESH_S),
    ]


def _old_engines(store: Store, kept: Set[str]) -> List[Path]:
    """All but those of kept releases, and the newest of each model and precision for what this device is now."""
    releases = [release for name in kept for release in [store.read_release(name)] if release is not None]
    keys = {release.device_class.get("engine_key", "") for release in releases}
    needed = {release.engine_id for release in releases}
    newest: Dict[Tuple[str, str, str], EngineManifest] = {}
    for engine in sorted(store.list_engines()[0], key=lambda item: item.created_utc):
        if not keys or engine.engine_key in keys:
            newest[engine.engine_key, engine.model_sha256, engine.precision] = engine
    needed |= {engine.engine_id for engine in newest.values()}
    return [path for path in _folders(store.engines) if path.name not in needed and _age_s(path) > _BUILT_S]


def _old_code(store: Store) -> List[Path]:
    in_use = {store.root.resolve() / "agent", Path(edgekit.__file__).parents[1]}
    in_use = {path.resolve() for path in in_use}
    folders = (path for path in _folders(store.code) if path.resolve() not in in_use)
    return [path for path in folders if _age_s(path) > _FRESH_S and not (path / "edgekit").is_symlink()]


def _unneeded_objects(store: Store, folders: List[Path]) -> List[Path]:
    """Objects that only those folders link to, or nothing."""
    links = Counter(_inode(path) for folder in folders for path in _files(folder))
    objects = [path for path in store.objects.glob("*") if path.is_file()]
    return [path for path in objects if os.lstat(path).st_nlink - links[_inode(path)] <= 1]


def _old_incoming(store: Store) -> List[Path]:
    return [path for path in store.incoming.glob("*") if path.is_file() and _age_s(path) > _FRESH_S]


def _bytes_freed(paths: List[Path]) -> int:
    """What deleting these names frees: a file that has another name stays."""
    names = Counter(_inode(path) for path in paths)
    files = {_inode(path): os.lstat(path) for path in paths}
    return sum(status.st_size for inode, status in files.items() if names[inode] == status.st_nlink)


def _delete_folder(folder: Path) -> None:
    """It loses its name first, durably, so that no half of it is ever taken for the whole."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    os.replace(folder, part)
    fsync_folder(folder.parent)
    shutil.rmtree(part, ignore_errors=True)


def _folders(parent: Path) -> List[Path]:
    visible = (path for path in parent.glob("*") if not path.name.startswith("."))
    return sorted(path for path in visible if path.is_dir() and not path.is_symlink())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _inode(path: Path) -> Tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def _age_s(path: Path) -> float:
    return time.time() - os.lstat(path).st_mtime
