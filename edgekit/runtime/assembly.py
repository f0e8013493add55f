"""A release's folder: assembled aside from objects and named when whole, or mended where it lies."""

from __future__ import annotations

import os
from pathlib import Path

from edgekit.core.release import RELEASE_NAME, ReleaseFile, ReleaseManifest
from edgekit.core.wire import canonical_json
from edgekit.files import fsync_file, fsync_folder, write_bytes
from edgekit.runtime.objects import collect, is_put, link_files, publish_folder, put_file
from edgekit.runtime.store import Store


def assemble(store: Store, manifest: ReleaseManifest) -> bool:
    """Make the release whole on the device; True if any file had to be put there. Raises DeployError or OSError.

    A release that someone edited is mended file by file, since it may be the one in service: no name in it goes away.
    """
    folder = store.release_dir(manifest.release_id)
    taken = collect(store, manifest.files)
    if folder.is_dir():
        mended = [_mend(store, folder, file) for file in manifest.files]
        _write_manifest(folder, manifest)
        return any(mended) or taken > 0
    part = link_files(store, folder, manifest.files)
    (part / RELEASE_NAME).write_bytes(canonical_json(manifest))
    fsync_file(part / RELEASE_NAME)
    publish_folder(part, folder)
    return True


def _mend(store: Store, folder: Path, file: ReleaseFile) -> bool:
    place = folder / file.path
    if is_put(store, file, place):
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.part")
    temporary.unlink(missing_ok=True)
    put_file(store, file, temporary)
    os.replace(temporary, place)
    fsync_folder(place.parent)
    return True


def _write_manifest(folder: Path, manifest: ReleaseManifest) -> None:
    """The same content under a new counter keeps its folder, and gets the new manifest."""
    wanted, path = canonical_json(manifest), folder / RELEASE_NAME
    if not path.is_file() or path.read_bytes() != wanted:
        write_bytes(path, wanted)
