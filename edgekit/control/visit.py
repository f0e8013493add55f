"""A visit to a device: what it is, and which engines and services are on it. One call."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.control.detectors import Detector
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link, engine_dir
from edgekit.control.project import Project
from edgekit.control.services import find_service
from edgekit.core.deployment import ServiceState, StateAnswer, VisitAnswer, VisitRequest
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import EngineManifest
from edgekit.core.progress import OnProgress


@dataclass(frozen=True)
class Visit:
    """What a device said of itself, and the detector it is to run."""

    ground: Groundwork
    device: Device
    detector: Detector
    link: Link
    profile: DeviceProfile
    state: StateAnswer

    @property
    def project(self) -> Project:
        """Where the detector is from."""
        return self.ground.project

    @property
    def service(self) -> ServiceState | None:
        """The device's service of this entry, None if it was never deployed."""
        return find_service(self.state, self.device.service)

    @property
    def engines(self) -> tuple[EngineManifest, ...]:
        """The engines there that fit this device and this model, oldest first."""
        fitting = (
            engine
            for engine in self.state.engines
            if engine.engine_key == self.profile.engine_key and engine.model_sha256 == self.detector.spec.model_sha256
        )
        return tuple(sorted(fitting, key=lambda engine: engine.created_utc))

    def engine(self, engine_id: str) -> EngineManifest | None:
        """One of `engines` by its id."""
        return next((item for item in self.engines if item.engine_id == engine_id), None)

    def engine_dir(self, engine_id: str) -> str:
        """Where an engine lies on the device."""
        return engine_dir(self.link, engine_id)


def visit(ground: Groundwork, device: Device, link: Link, on_progress: OnProgress) -> Visit:
    """Ask a device. Raises what is wrong with the detector, or why the device cannot be reached."""
    detector = ground.detector(device.detector)
    on_progress("probe the device", 0, 0)
    answer = link.call("visit", VisitRequest(link.root), VisitAnswer)
    return Visit(ground, device, detector, link, answer.profile, answer.state)
