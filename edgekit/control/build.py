"""Engines: what to ask a device to build, and asking it."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.control.calibration_sets import MaterialisedSet, load_set, materialise
from edgekit.control.detectors import Detector, load_detector
from edgekit.control.inventory import Device
from edgekit.control.link import Link, connect, engine_dir, engines_dir
from edgekit.control.project import Project
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.errors import CalibrationError


def prepare_calibration(
    project: Project, detector: Detector, override: str | None, on_progress: OnProgress
) -> MaterialisedSet:
    """The set that INT8 is calibrated with. Raises CalibrationError if the detector names none."""
    name = override or detector.calibration
    if not name:
        raise CalibrationError(
            f"{detector.spec.name} names no calibration set, and INT8 needs one",
            hint=f"add `calibration: NAME` to {detector.folder / 'detector.yaml'}, or use --precision fp32",
        )
    return materialise(project, load_set(project, name), on_progress)


def build_request(
    detector: Detector, profile: DeviceProfile, precision: str, link: Link, calibration: MaterialisedSet | None
) -> BuildRequest:
    """What to ask for. Its engine_id is known before anything is built."""
    pictures = calibration if precision == "int8" else None
    return BuildRequest(
        detector=detector.spec,
        precision=precision,
        engine_key=profile.engine_key,
        model_path=link.place(detector.model_path),
        engines_dir=engines_dir(link),
        calibration_dir=link.place(pictures.folder) if pictures else None,
        calibration_sha256=pictures.sha256 if pictures else None,
    )


@dataclass(frozen=True)
class Order:
    """An engine that can be built: the device it is for, its detector, and the request."""

    link: Link
    detector: Detector
    request: BuildRequest

    @property
    def engine_dir(self) -> str:
        """Where the engine lies on the device once it is built."""
        return engine_dir(self.link, self.request.engine_id)


def place_order(
    project: Project,
    device: Device,
    precision: str,
    on_progress: OnProgress,
    *,
    detector: str | None = None,
    calibration: str | None = None,
) -> Order:
    """Ask the device what it is and make the pictures ready. detector and calibration replace the device's own."""
    model = load_detector(project, detector or device.detector)
    link = connect(device.name, device.kind, project.device_root(device.name))
    profile = link.call("probe", {}, DeviceProfile)
    pictures = None
    if precision == "int8":
        pictures = prepare_calibration(project, model, calibration or device.calibration, on_progress)
    return Order(link, model, build_request(model, profile, precision, link, pictures))


def build(link: Link, request: BuildRequest, on_progress: OnProgress) -> EngineManifest:
    """Have the device build an engine; one that is there already comes back at once."""
    return link.call("build", request, EngineManifest, on_progress)
