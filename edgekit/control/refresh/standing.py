"""What a refresh finds on a device before it begins: which engine serves, and whether refreshing it makes sense."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.control.field.sets import FieldSets
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.refresh.sets import Bases
from edgekit.control.visit import Visit, visit
from edgekit.core.engine import EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.core.wire import digest, to_wire
from edgekit.errors import DeployError, EngineMismatchError, NotFoundError, UsageError


@dataclass(frozen=True)
class Standing:
    """A device as it is, and the engine in service."""

    seen: Visit
    serving: EngineManifest
    release_id: str
    yardstick_sha256: str

    @property
    def drift(self) -> float | None:
        """How far the scenes have drifted from the serving engine's set; None if its service does not tell."""
        health = self.seen.service.health if self.seen.service else None
        return health.field.drift if health and health.field else None


def look_at(ground: Groundwork, device: Device, link: Link, on_progress: OnProgress) -> Standing:
    """Ask the device. Raises UsageError where INT8 is not wanted or not calibrated, NotFoundError if nothing is in
    service, DeployError while a release is on probation, EngineMismatchError if another model runs there."""
    detector = ground.detector(device.detector)
    if device.precision not in ("auto", "int8"):
        raise UsageError(
            f"{device.name} runs {device.precision.upper()}, which is not calibrated",
            why=f"precision: {device.precision} in devices.yaml",
            hint="precision: auto, if INT8 may serve where it is good enough",
        )
    if detector.facts.trained_quantised:
        raise UsageError(
            f"{detector.name} was trained for INT8: its ranges are in the model, there is nothing to refresh"
        )
    seen = visit(ground, device, link, on_progress)
    release_id, serving = _serving(seen)
    yardstick = ground.yardstick(detector, on_progress)
    return Standing(seen, serving, release_id, yardstick.sha256)


def _serving(seen: Visit) -> tuple[str, EngineManifest]:
    device, service = seen.device, seen.service
    if service is None or service.release is None or not service.journal.committed:
        raise NotFoundError(f"nothing is in service on {device.name}", hint=f"edgekit deploy --device {device.name}")
    if not service.journal.settled:
        raise DeployError(
            f"a release of {service.service} on {device.name} is on probation",
            hint=f"wait until it is settled: edgekit status {device.name}",
        )
    engine = seen.engine(service.release.engine_id)
    if engine is None:
        raise EngineMismatchError(
            f"the engine that serves on {device.name} is not one of this model and device: {service.release.engine_id}",
            why="the model, or the device's software, changed since the service was deployed",
            hint=f"edgekit deploy --device {device.name}, then refresh",
        )
    return service.release_id, engine


def inputs_digest(standing: Standing, bases: Bases, sets: FieldSets, size: int | None, *, accept_equal: bool) -> str:
    """What a refresh is decided from, besides the engine that serves: the same digest gives the same candidate."""
    seen = standing.seen
    base = seen.ground.calibration(seen.detector, bases.base, lambda what, done, total: None)
    return digest(
        [
            to_wire(seen.detector.spec),
            seen.profile.engine_key,
            to_wire(seen.device.tensorrt),
            list(seen.detector.keep_float),
            base.sha256,
            sets.calib_sha256,
            sets.holdout_sha256,
            standing.yardstick_sha256,
            size,
            accept_equal,
        ]
    )
