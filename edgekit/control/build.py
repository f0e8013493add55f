"""Engines: what to ask a device to build, what this machine adds to the order, and placing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekit.control.containers import in_container
from edgekit.control.detectors import Detector
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link, engine_dir, engines_dir
from edgekit.control.prepare import Preparation
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest, TensorRTOptions
from edgekit.core.plan import candidates_for
from edgekit.core.precision import Route, check_precision, choose_route
from edgekit.core.progress import OnProgress
from edgekit.core.requests import InspectAnswer, InspectRequest
from edgekit.errors import ConfigError, EngineError, UsageError

TENSORRT = "tensorrt"


@dataclass(frozen=True)
class Order:
    """An engine that can be built: for which device, detector and pictures, and the request that names it.

    Nothing of it lies on the device yet: the request has no model and no pictures before `complete`. route is None
    where the device builds with ONNX Runtime.
    """

    ground: Groundwork
    link: Link
    detector: Detector
    profile: DeviceProfile
    request: BuildRequest
    route: Route | None
    calibration: MaterialisedSet | None

    @property
    def engine_dir(self) -> str:
        """Where the engine lies on the device once it is built."""
        return engine_dir(self.link, self.request.engine_id)


def needs_calibration(detector: Detector, precision: str) -> bool:
    """True if the precision takes scales that the model does not bring."""
    return precision == "int8" and not detector.facts.trained_quantised


def route_to(detector: Detector, profile: DeviceProfile, precision: str, options: TensorRTOptions) -> Route | None:
    """How a precision comes about on a device, None with ONNX Runtime. Raises BuildError where it cannot."""
    if profile.backend != TENSORRT:
        return None
    trained = detector.facts.trained_quantised
    return choose_route(precision, profile.backend_version, sm=profile.sm, trained=trained, wanted=options.route)


def order_engine(
    ground: Groundwork,
    link: Link,
    detector: Detector,
    profile: DeviceProfile,
    precision: str,
    calibration: MaterialisedSet | None,
    options: TensorRTOptions,
) -> Order:
    """The order for one engine. Nothing is prepared or sent yet, and its engine_id is known."""
    check_precision(precision, profile.backend)
    route = route_to(detector, profile, precision, options)
    pictures = calibration if needs_calibration(detector, precision) else None
    request = BuildRequest(
        detector=detector.spec,
        precision=precision,
        engine_key=profile.engine_key,
        model_path="",
        engines_dir=engines_dir(link),
        calibration_sha256=pictures.sha256 if pictures else None,
        keep_float=_kept_float(detector, precision),
        tensorrt=_effective(options, route),
        route=route.name if route else "plain",
    )
    return Order(ground, link, detector, profile, request, route, pictures)


def _kept_float(detector: Detector, precision: str) -> tuple[str, ...]:
    """Sorted, because their order changes no engine and must change no id; none where nothing is quantised here."""
    return tuple(sorted(set(detector.keep_float))) if needs_calibration(detector, precision) else ()


def _effective(options: TensorRTOptions, route: Route | None) -> TensorRTOptions:
    """The options that change this engine, so that others do not change its id: its route stands beside them."""
    if route is None:
        return TensorRTOptions()
    calibrator = options.calibrator if route.name == "calibrator" else TensorRTOptions().calibrator
    return replace(options, route="auto", calibrator=calibrator)


@dataclass(frozen=True)
class Container:
    """A wish to build in a container. image None: the one known to match. start False: only its plan is wanted."""

    image: str | None = None
    start: bool = True


def place_order(
    ground: Groundwork,
    device: Device,
    link: Link,
    precision: str | None,
    on_progress: OnProgress,
    *,
    detector: str | None = None,
    calibration: str | None = None,
    options: Mapping[str, Any] | None = None,
    container: Container | None = None,
) -> Order:
    """Ask the device what it is and make the pictures ready.

    precision None is the back end's baseline, container None the device itself. detector and calibration replace the
    device's own. options are those of TensorRT that were asked for on the command line, by the names of
    TensorRTOptions; they go before devices.yaml's.
    Raises UsageError for options that the device's back end, or the precision, has no use for.
    """
    model = ground.detector(detector or device.detector)
    profile = link.call("probe", {}, DeviceProfile)
    precision = precision or candidates_for("auto", profile.backend)[0]
    asked = dict(options or {})
    wanted = replace(device.tensorrt, **asked)
    route = route_to(model, profile, precision, wanted)
    _check_options(asked, device.name, profile, precision, route)
    _check_calibration(calibration, precision)
    if container is not None and route is None:
        raise _without_tensorrt("--in-container", device.name, profile)
    if container is not None and container.start:
        mounted = [path for path in wanted.plugins if path.startswith("/")]
        link = in_container(link, profile, container.image, readable=mounted)
    pictures = None
    if needs_calibration(model, precision):
        pictures = ground.calibration(model, calibration or device.calibration, on_progress)
    return order_engine(ground, link, model, profile, precision, pictures, wanted)


def _check_options(
    asked: Mapping[str, Any], device: str, profile: DeviceProfile, precision: str, route: Route | None
) -> None:
    if asked and route is None:
        flags = ", ".join(f"--{name.rstrip('s') if name == 'plugins' else name.replace('_', '-')}" for name in asked)
        raise _without_tensorrt(flags, device, profile)
    if "route" in asked and precision != "int8":
        raise UsageError(
            f"--route says how INT8 comes about, and the precision is {precision}", hint="add --precision int8"
        )
    if "calibrator" in asked and route is not None and route.name != "calibrator":
        raise UsageError(
            f"--calibrator has no effect: the route is {route.name!r}",
            why=route.why,
            hint="add --precision int8 --route calibrator",
        )


def _without_tensorrt(flags: str, device: str, profile: DeviceProfile) -> UsageError:
    return UsageError(
        f"{flags}: {device} does not build with TensorRT",
        why=f"its engines are made by {profile.backend_name}",
        hint=f"leave {'these options' if ',' in flags else 'this option'} out",
    )


def _check_calibration(name: str | None, precision: str) -> None:
    if name is not None and precision != "int8":
        raise UsageError(f"--calibration is for INT8, and the precision is {precision}", hint="add --precision int8")


def is_built(order: Order) -> bool:
    """True if the engine lies on the device and its files are whole."""
    try:
        answer = order.link.call("inspect", InspectRequest(order.engine_dir), InspectAnswer)
    except (EngineError, ConfigError):
        return False
    return all(file.state == "whole" for file in answer.files)


def fulfil(order: Order, on_progress: OnProgress, *, force: bool = False) -> EngineManifest:
    """The engine of an order: the one that is there, or one built now. force builds in any case."""
    request = order.request if not force and is_built(order) else complete(order, on_progress)
    return build(order.link, replace(request, force=force), on_progress)


def complete(order: Order, on_progress: OnProgress) -> BuildRequest:
    """The request with all that this machine adds: the prepared model, the head's layers, the pictures, all sent."""
    request, link, ground = order.request, order.link, order.ground
    golden = ground.golden(order.detector, on_progress).place(link)
    made = Preparation(order.detector.model_path)
    if order.route is not None:
        made = ground.prepared(
            order.detector, order.route, request.precision, order.calibration, request.keep_float, on_progress
        )
    pictures = order.calibration if order.route is None or order.route.name == "calibrator" else None
    return replace(
        request,
        golden=golden,
        model_path=link.place(made.model_path),
        calibration_dir=link.place(pictures.folder) if pictures else None,
        prepared=made.prepared,
        head_layers=made.head_layers,
    )


def build(link: Link, request: BuildRequest, on_progress: OnProgress) -> EngineManifest:
    """Have the device build an engine exactly as requested; one that is there already comes back at once."""
    return link.call("build", request, EngineManifest, on_progress)
