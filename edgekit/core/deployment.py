"""What the host asks of a device's folder and services, one request and answer a verb; see core/requests.py.

root is the device folder, /opt/edgekit on a Jetson. Paths are on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from edgekit.core.activation import Journal, Probation
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import EngineManifest
from edgekit.core.release import ReleaseFile, ReleaseManifest
from edgekit.core.service import Health, is_alive


@dataclass(frozen=True)
class StateRequest:
    """What lies on a device: verb `state`."""

    root: str
    schema: int = 1


@dataclass(frozen=True)
class ServiceState:
    """One service as the device sees it.

    release_id is what `current` names, release its manifest. failed: it was restarted in vain and stays down. health is
    None before the first report. updated_s: how long ago the health was written, by the device's own clock.
    """

    service: str
    release_id: str
    running: bool
    failed: bool
    pid: int
    restarts: int
    journal: Journal
    health: Optional[Health] = None
    updated_s: Optional[float] = None
    release: Optional[ReleaseManifest] = None

    @property
    def is_healthy(self) -> bool:
        """True if it runs, nothing is under way, and frames advanced lately."""
        return self.running and self.journal.settled and self.sees_frames

    @property
    def sees_frames(self) -> bool:
        """True if frames advanced lately."""
        return self.health is not None and self.updated_s is not None and is_alive(self.health, self.updated_s)


@dataclass(frozen=True)
class StateAnswer:
    engines: Tuple[EngineManifest, ...]
    services: Tuple[ServiceState, ...]
    damaged: Tuple[str, ...] = ()  # folders that could not be read, with the reason
    disk_free_mib: Optional[int] = None


@dataclass(frozen=True)
class VisitRequest:
    """What a device is and what lies on it, in one process: verb `visit`."""

    root: str
    schema: int = 1


@dataclass(frozen=True)
class VisitAnswer:
    profile: DeviceProfile
    state: StateAnswer


@dataclass(frozen=True)
class Blob:
    """A file by its content."""

    sha256: str
    size: int


@dataclass(frozen=True)
class MissingRequest:
    """Which objects must still be sent: verb `missing`. Others are in the object store or in an engine folder."""

    root: str
    blobs: Tuple[Blob, ...]
    schema: int = 1


@dataclass(frozen=True)
class MissingAnswer:
    """SHA-256 of each missing object -> how many of its bytes are there already, from an interrupted transfer."""

    offsets: Dict[str, int]


@dataclass(frozen=True)
class PlaceRequest:
    """Make a folder of files that were delivered, for calls that read them: verb `place`."""

    root: str
    files: Tuple[ReleaseFile, ...]
    schema: int = 1


@dataclass(frozen=True)
class PlaceAnswer:
    folder: str


@dataclass(frozen=True)
class ActivateRequest:
    """Assemble a release from objects, make it current and begin its probation: verb `activate`.

    by: who asks, for the journal: "user@host". retry: also if the release failed here before.
    """

    root: str
    manifest: ReleaseManifest
    probation: Probation = Probation()  # noqa: RUF009  (frozen)
    by: str = ""
    retry: bool = False
    schema: int = 1


@dataclass(frozen=True)
class RollbackRequest:
    """Go back to a release that was good: verb `rollback`. release_id "": the newest older one."""

    root: str
    service: str
    release_id: str = ""
    probation: Probation = Probation()  # noqa: RUF009  (frozen)
    by: str = ""
    schema: int = 1


@dataclass(frozen=True)
class ActivateAnswer:
    """changed is False if the release was committed and current already."""

    journal: Journal
    changed: bool


@dataclass(frozen=True)
class ServiceRequest:
    """Verbs `start`, `stop`, `supervise`, `reconcile`, and `settle`: wait until nothing of the service is under way."""

    root: str
    service: str
    schema: int = 1


@dataclass(frozen=True)
class ServeRequest:
    """Run a release in the foreground: verb `serve`; what a supervisor or systemd starts."""

    release_dir: str
    state_dir: str
    schema: int = 1


@dataclass(frozen=True)
class LogsRequest:
    """A piece of a service's log: verb `logs`. cursor "": the last `lines` lines; else what follows that place."""

    root: str
    service: str
    lines: int = 50
    cursor: str = ""
    schema: int = 1


@dataclass(frozen=True)
class LogsAnswer:
    """cursor: where this piece ends."""

    text: str
    cursor: str


@dataclass(frozen=True)
class GcRequest:
    """Delete what no release that is kept needs: verb `gc`. keep: good releases of each service, with the current."""

    root: str
    keep: int = 2
    dry_run: bool = False
    schema: int = 1


@dataclass(frozen=True)
class GcAnswer:
    """What was deleted, or would be: relative paths of releases, engines, code and placed folders; and bytes in all."""

    removed: Tuple[str, ...]
    freed_bytes: int
