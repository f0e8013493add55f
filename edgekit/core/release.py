"""A release: everything one service runs from, named by its content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Tuple

from edgekit.core.device import DeviceProfile
from edgekit.core.wire import digest

RELEASE_NAME = "release.json"
SERVICE_ONLY = 0o640
"""The mode of a file that holds passwords: its owner deploys, its group is the services'."""

_MODES = (0o644, 0o755, SERVICE_ONLY)
_SAFE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")


@dataclass(frozen=True)
class ReleaseFile:
    """One file of a release. path is relative, with forward slashes; mode is 0o644, 0o755 or SERVICE_ONLY."""

    path: str
    size: int
    sha256: str
    mode: int = 0o644

    def __post_init__(self) -> None:
        if not _SAFE_PATH.fullmatch(self.path):
            raise ValueError(f"path: expected a plain relative path, got {self.path!r}")
        if self.mode not in _MODES:
            raise ValueError(f"mode: expected 0644, 0755 or 0640, got {self.mode:04o}")


@dataclass(frozen=True)
class ReleaseManifest:
    """release.json. The digest of its canonical JSON is the release's name on the device."""

    product: str
    service: str
    device_class: Dict[str, str]  # see device_class
    counter: int  # rises with each release of a service; never reused
    detector: str
    engine_id: str
    files: Tuple[ReleaseFile, ...]
    schema: int = 1

    @property
    def release_id(self) -> str:
        """Names the folder releases/<id>. The counter is left out: the same content is the same release."""
        content = [self.product, self.service, self.device_class, self.detector, self.engine_id, list(self.files)]
        return digest(content)[:16]


def device_class(profile: DeviceProfile) -> Dict[str, str]:
    """Names the devices that may run a release: engine_key, which decides, and what it is made of.

    module, backend, version of the back end, and where there are any sm (compute capability x 10) and l4t.
    """
    parts = {
        "engine_key": profile.engine_key,
        "module": profile.module,
        "backend": profile.backend,
        "version": profile.backend_version,
        "sm": "" if profile.sm is None else str(profile.sm),
        "l4t": profile.l4t or "",
    }
    return {name: value for name, value in parts.items() if value}
