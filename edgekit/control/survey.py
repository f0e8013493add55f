"""All that a deployment is decided from: a visit, the engines to order and the pictures to check them with.

Nothing is sent to the device, so that a deployment that changes nothing costs one call.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.control.build import Order, needs_calibration, order_engine
from edgekit.control.detectors import Detector
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.control.verify import Yardstick, record_path
from edgekit.control.visit import Visit, visit
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.core.plan import candidates_for
from edgekit.core.progress import OnProgress
from edgekit.core.scenes_seen import ScenesSeen
from edgekit.errors import BuildError


@dataclass(frozen=True)
class Survey(Visit):
    """What a deployment is decided from."""

    yardstick: Yardstick
    orders: tuple[Order, ...]  # baseline first
    int8_missing: str  # why INT8 is not among them, "" if it is, or was not wanted
    scenes: ScenesSeen | None = None  # what the calibration set shows, for a service that collects frames

    @property
    def requests(self) -> tuple[BuildRequest, ...]:
        """What the orders ask for, baseline first."""
        return tuple(order.request for order in self.orders)

    def record(self, engine: EngineManifest) -> Path:
        """Where the verification of an engine is kept."""
        return record_path(self.project, self.device.name, engine, self.detector.spec, self.yardstick)


def survey(ground: Groundwork, device: Device, link: Link, on_progress: OnProgress) -> Survey:
    """Ask the device what it is and what it holds, and make the pictures ready."""
    seen = visit(ground, device, link, on_progress)
    precisions = _precisions(device, seen.detector, seen.profile)
    calibration = _calibration(ground, seen.detector, device, precisions, on_progress)
    yardstick = ground.yardstick(seen.detector, on_progress)
    orders, int8_missing = _orders(seen, precisions, calibration)
    scenes = ground.scenes(seen.detector, device.calibration, on_progress) if device.collect else None
    return Survey(**vars(seen), yardstick=yardstick, orders=orders, int8_missing=int8_missing, scenes=scenes)


def _precisions(device: Device, detector: Detector, profile: DeviceProfile) -> tuple[str, ...]:
    """With "auto" only the baseline where there is nothing to calibrate with, or no need to.

    Asking for INT8 outright is an error later if there is no set.
    """
    precisions = candidates_for(device.precision, profile.backend)
    only_baseline = detector.facts.trained_quantised or not (device.calibration or detector.calibration)
    return precisions[:1] if device.precision == "auto" and only_baseline else precisions


def _calibration(
    ground: Groundwork, detector: Detector, device: Device, precisions: tuple[str, ...], on_progress: OnProgress
) -> MaterialisedSet | None:
    if not any(needs_calibration(detector, precision) for precision in precisions):
        return None
    return ground.calibration(detector, device.calibration, on_progress)


def _orders(
    seen: Visit, precisions: tuple[str, ...], calibration: MaterialisedSet | None
) -> tuple[tuple[Order, ...], str]:
    """An order for each precision; and why there is none for INT8 where "auto" would have tried it."""
    device, orders = seen.device, []
    missing = "the model was trained for INT8 and computes so already" if seen.detector.facts.trained_quantised else ""
    for precision in precisions:
        try:
            orders.append(
                order_engine(
                    seen.ground, seen.link, seen.detector, seen.profile, precision, calibration, device.tensorrt
                )
            )
        except BuildError as error:
            if device.precision != "auto" or precision != "int8":
                raise
            missing = error.what
    return tuple(orders), missing
