"""The device folder: where objects, engines, releases and service state lie.

<root>/objects/<sha256>                 every file of every release, once
       incoming/<sha256>                being received, not yet checked
       engines/<engine id>/             engine file and engine.json
       releases/<release id>/           hard links into objects, and release.json
       current/<service> -> ../releases/<release id>
       state/<service>/                 journal.json, health.json, log.txt, lock
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import List, Optional, Tuple

from edgekit.core.engine import EngineManifest
from edgekit.core.release import RELEASE_NAME, ReleaseFile, ReleaseManifest
from edgekit.core.wire import from_wire
from edgekit.errors import DeployError, EdgekitError
from edgekit.files import replacing, sha256_file
from edgekit.runtime.engine_files import read_manifest


class Store:
    """Paths of a device folder, and the few questions asked of it."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.objects = self.root / "objects"
        self.incoming = self.root / "incoming"
        self.engines = self.root / "engines"
        self.releases = self.root / "releases"
        self.current = self.root / "current"

    def state_dir(self, service: str) -> Path:
        return self.root / "state" / service

    def list_services(self) -> List[str]:
        """Names of services that have a current release."""
        return sorted(link.name for link in self.current.glob("*") if link.is_symlink())

    def current_release_id(self, service: str) -> str:
        """The release that `current` names, "" where there is none."""
        try:
            return Path(os.readlink(self.current / service)).name  # noqa: PTH115  (Path.readlink is 3.9)
        except OSError:
            return ""

    def list_engines(self) -> Tuple[List[EngineManifest], List[str]]:
        """Manifests of the engines here, and what is wrong with those that cannot be read."""
        manifests, damaged = [], []
        for folder in sorted(path for path in self.engines.glob("*") if not path.name.startswith(".")):
            try:
                manifests.append(read_manifest(folder))
            except EdgekitError as error:
                damaged.append(f"engine {folder.name}: {error.what}")
        return manifests, damaged

    def read_release(self, release_id: str) -> Optional[ReleaseManifest]:
        """A release's manifest, None if it is not here or damaged."""
        try:
            text = (self.releases / release_id / RELEASE_NAME).read_text("utf-8")
            return from_wire(ReleaseManifest, json.loads(text), RELEASE_NAME)
        except (OSError, ValueError, EdgekitError):
            return None

    def has_object(self, file: ReleaseFile) -> bool:
        """True if the object is here and whole; hard links make an edit inside a release damage its object too."""
        path = self.objects / file.sha256
        return path.is_file() and path.stat().st_size == file.size and sha256_file(path) == file.sha256

    def admit(self, source: Path, file: ReleaseFile) -> None:
        """Copy a file into the object store after checking its size and digest. Raises DeployError if they differ."""
        if source.stat().st_size != file.size or sha256_file(source) != file.sha256:
            raise DeployError(
                f"{file.path} arrived damaged: its digest is not {file.sha256[:12]}...",
                hint="run the same command again",
            )
        with replacing(self.objects / file.sha256) as part:
            shutil.copyfile(source, part)

    def engine_files(self) -> List[Path]:
        """Every file in an engine folder; releases take their engine from here."""
        return [path for path in self.engines.glob("*/*") if path.is_file()]
