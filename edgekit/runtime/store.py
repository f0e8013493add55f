"""The device folder: where objects, engines, releases and service state lie.

<root>/device.json                      who keeps services running here; made by provision
       objects/<sha256>                 every file of every release, once
       incoming/<sha256>[.part]         received and checked, or being received
       placed/<digest>/                 hard links into objects: files for one call, such as a model
       engines/<engine id>/             engine file and engine.json
       releases/<release id>/           hard links into objects, and release.json
       current/<service> -> ../releases/<release id>
       journal/<service>.json, .lock    what was done and is being done with its releases
       state/<service>/                 health.json and what else the service writes
       code/<digest>/edgekit            device code for calls; agent -> code/<digest> is what reconciles
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import List, Optional, Tuple

from edgekit.core.deployment import Blob
from edgekit.core.engine import EngineManifest
from edgekit.core.release import RELEASE_NAME, ReleaseManifest
from edgekit.core.wire import from_wire
from edgekit.errors import DeployError, EdgekitError
from edgekit.files import fsync_folder, sha256_file
from edgekit.runtime.engine_files import read_manifest

_SERVICE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PRIVATE = 0o700
_DIGEST = re.compile(r"[0-9a-f]{16,64}")


class Store:
    """Paths of a device folder, and the few questions asked of it. Names from outside are checked here."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.objects = self.root / "objects"
        self.incoming = self.root / "incoming"
        self.placed = self.root / "placed"
        self.engines = self.root / "engines"
        self.releases = self.root / "releases"
        self.current = self.root / "current"
        self.journals = self.root / "journal"
        self.code = self.root / "code"

    def make(self) -> None:
        """Make the folders that a deployment writes to, durably."""
        self.make_incoming()
        folders = (self.objects, self.releases, self.current, self.journals)
        if not all(folder.is_dir() for folder in folders):
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            fsync_folder(self.root)

    def make_incoming(self) -> None:
        """The folder for what is received, which may hold passwords: for its owner alone."""
        self.incoming.mkdir(parents=True, exist_ok=True)
        if self.incoming.stat().st_mode & 0o7777 != _PRIVATE:
            self.incoming.chmod(_PRIVATE)

    def state_dir(self, service: str) -> Path:
        """What the service itself writes. Raises DeployError for a name that is none."""
        return self.root / "state" / check_service(service)

    def journal_path(self, service: str) -> Path:
        """The record of a service's releases."""
        return self.journals / f"{check_service(service)}.json"

    def service_lock(self, service: str) -> Path:
        """Held by whoever writes the journal."""
        return self.journals / f"{check_service(service)}.lock"

    @property
    def device_lock(self) -> Path:
        """Held by whoever changes releases, objects or placed files."""
        return self.root / "deploy.lock"

    def release_dir(self, release_id: str) -> Path:
        """A release's folder. Raises DeployError for a name that is none."""
        return self.releases / _check_digest(release_id)

    def object_path(self, sha256: str) -> Path:
        """Where a file lies by its content."""
        return self.objects / _check_digest(sha256)

    def incoming_path(self, sha256: str) -> Path:
        """Where a received file lies until it is an object."""
        return self.incoming / _check_digest(sha256)

    def list_services(self) -> List[str]:
        """Names of services that have a current release or a journal."""
        names = {link.name for link in self.current.glob("*") if link.is_symlink()}
        names |= {path.stem for path in self.journals.glob("*.json")}
        return sorted(name for name in names if _SERVICE.fullmatch(name))

    def current_release_id(self, service: str) -> str:
        """The release that `current` names, "" where there is none."""
        try:
            return Path(os.readlink(self.current / check_service(service))).name  # noqa: PTH115  (Path.readlink is 3.9)
        except OSError:
            return ""

    def place_current(self, service: str, release_id: str) -> None:
        """Make `current` name a release, durably and at once; "" removes it. The caller holds the service's lock."""
        link = self.current / check_service(service)
        if release_id:
            temporary = self.current / f".{service}.new"
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(Path("..", "releases", _check_digest(release_id)))
            os.replace(temporary, link)
        else:
            link.unlink(missing_ok=True)
        fsync_folder(self.current)

    def adopt_code(self, folder: Path) -> None:
        """Make `agent` name device code: what reconciles must read what the newest verbs write.

        Code that lies elsewhere, as the local device's does, is no device's and stays out of it.
        """
        link = self.root / "agent"
        if folder.parent != self.root.resolve() / "code" or link.resolve() == folder:
            return
        temporary = self.root / ".agent.new"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(Path("code", folder.name))
        os.replace(temporary, link)
        fsync_folder(self.root)

    def list_engines(self) -> Tuple[List[EngineManifest], List[str]]:
        """Manifests of the engines here, and what is wrong with those that cannot be read."""
        manifests, damaged = [], []
        for folder in sorted(path for path in self.engines.glob("*") if not path.name.startswith(".")):
            try:
                manifests.append(read_manifest(folder))
            except EdgekitError as error:
                damaged.append(f"engine {folder.name}: {error.what}")
        return manifests, damaged

    def engine_files(self) -> List[Path]:
        """Every file in an engine folder; releases take their engine from here."""
        return [path for path in self.engines.glob("*/*") if path.is_file()]

    def read_release(self, release_id: str) -> Optional[ReleaseManifest]:
        """A release's manifest, None if it is not here, damaged, or another's."""
        try:
            text = (self.release_dir(release_id) / RELEASE_NAME).read_text("utf-8")
            manifest = from_wire(ReleaseManifest, json.loads(text), RELEASE_NAME)
        except (OSError, ValueError, EdgekitError):
            return None
        return manifest if manifest.release_id == release_id else None

    def has_object(self, blob: Blob) -> bool:
        """True if the object is here and whole; hard links make an edit inside a release damage its object too."""
        return is_blob(self.object_path(blob.sha256), blob)


def check_service(name: str) -> str:
    """The name. Raises DeployError unless it is one that may become part of a path and of a unit's name."""
    if not _SERVICE.fullmatch(name):
        raise DeployError(f"{name!r} is no service name", why="it takes small letters, digits and hyphens, 63 at most")
    return name


def is_blob(path: Path, blob: Blob) -> bool:
    """True if a regular file with that content is there."""
    try:
        if path.is_symlink() or path.stat().st_size != blob.size:
            return False
        return sha256_file(path) == blob.sha256
    except OSError:
        return False


def _check_digest(name: str) -> str:
    if not _DIGEST.fullmatch(name):
        raise DeployError(f"{name!r} is no digest")
    return name
