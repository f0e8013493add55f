"""Engines: what to ask a device to build, and asking it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.control.calibration_sets import MaterialisedSet, load_set, materialise
from edgekit.control.detectors import Detector
from edgekit.control.link import Link, OnProgress
from edgekit.control.project import Project
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.errors import CalibrationError


@dataclass(frozen=True)
class Calibration:
    """A calibration set made ready on this machine: its folder of pictures and their digest."""

    name: str
    pictures: MaterialisedSet


def prepare_calibration(
    project: Project, detector: Detector, override: str | None, on_progress: OnProgress
) -> Calibration:
    """The set that INT8 is calibrated with. Raises CalibrationError if the detector names none."""
    name = override or detector.calibration
    if not name:
        raise CalibrationError(
            f"{detector.spec.name} names no calibration set, and INT8 needs one",
            hint=f"add `calibration: NAME` to {detector.folder / 'detector.yaml'}, or use --precision fp32",
        )
    return Calibration(name, materialise(project, load_set(project, name), on_progress))


def build_request(
    detector: Detector, profile: DeviceProfile, precision: str, link: Link, calibration: Calibration | None
) -> BuildRequest:
    """What to ask for. Its engine_id is known before anything is built."""
    pictures = calibration.pictures if calibration is not None and precision == "int8" else None
    return BuildRequest(
        detector=detector.spec,
        precision=precision,
        engine_key=profile.engine_key,
        model_path=link.place(detector.model_path),
        engines_dir=str(Path(link.root) / "engines"),
        calibration_dir=link.place(pictures.folder) if pictures else None,
        calibration_sha256=pictures.sha256 if pictures else None,
    )


def build(link: Link, request: BuildRequest, on_progress: OnProgress) -> EngineManifest:
    """Have the device build an engine; one that is there already comes back at once."""
    return link.call("build", request, EngineManifest, on_progress)
