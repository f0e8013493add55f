"""devices.yaml -> the fleet: every device with its detector, service and targets, defaults filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from edgekit.control.project import Project
from edgekit.control.yaml_files import Section, check, did_you_mean, known_names, read_yaml, refuse
from edgekit.core.broker_uri import parse_broker_uri
from edgekit.core.camera_uri import CAMERA_SCHEMES, parse_camera_uri
from edgekit.core.collecting import CollectSettings
from edgekit.core.engine import TensorRTOptions
from edgekit.core.events import EventSettings
from edgekit.core.probation import Probation
from edgekit.core.service import PAGE_PORT, StreamSettings
from edgekit.core.stream_names import MOST_STREAMS, STREAM_NAME, STREAM_NAME_RULE, stream_names
from edgekit.core.wire import from_wire
from edgekit.errors import ConfigError, NotFoundError, UsageError

T = TypeVar("T")

LOCAL_SOURCE = "scenes://?width=1280&height=720&fps=15&live=1"
DEFAULT_DETECTOR = "roadscene"
ALL = "all"

# What TensorRT's options may be; the command line keeps to the same.
WORKSPACE_MIB = (16, 1 << 20)
DLA_CORE_MAX = 7

# Names become folder, unit and SSH host names.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NAME_RULE = "expected lower-case letters, digits and hyphens, at most 63, not starting with a hyphen"
_ADDRESS = re.compile(r"[A-Za-z0-9_\[:][A-Za-z0-9_.:\[\]%-]*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_JUMP = re.compile(rf"({_USER.pattern}@)?{_ADDRESS.pattern}")


@dataclass(frozen=True)
class Targets:
    """What a device must reach; None where nothing is asked."""

    fps: float | None = None  # whole pipeline, at least
    p99_ms: float | None = None  # capture to detections, at most
    watts: float | None = None  # mean of the whole board, at most
    joules_per_frame: float | None = None  # at most
    mib: float | None = None  # memory of the measured process, at most
    map_loss_pct: float | None = None  # of the baseline's mAP50-95, at most


@dataclass(frozen=True)
class Device:
    """One device as devices.yaml names it. Paths and URIs are those of the device, except `key`, which is ours."""

    name: str
    kind: str  # "local": this machine; "jetson": over SSH
    detector: str
    service: str
    streams: tuple[StreamSettings, ...]  # what its service watches: `source`, or all of `cameras`
    sinks: tuple[str, ...] = ()
    precision: str = "auto"  # "auto", "fp32", "fp16" or "int8"
    calibration: str | None = None  # instead of the detector's own set
    targets: Targets = Targets()
    threads: int = 0  # engine threads on a CPU back end; 0: the back end decides
    loop: bool = False  # start a finite source again at its end
    tensorrt: TensorRTOptions = field(default_factory=TensorRTOptions)  # ONNX Runtime ignores it
    backend: str = "auto"  # "onnxruntime": run engines on the processor even of a Jetson, which else needs TensorRT
    events: EventSettings | None = None  # zones and lines; None: objects are not followed
    collect: CollectSettings | None = None  # hard frames to keep; None: none is
    page_port: int = PAGE_PORT  # of the service's page, on the device's loopback; 0: none
    probation: Probation = field(default_factory=Probation)  # without the targets, see probation_rule
    python: str | None = None  # interpreter for device code of this machine, where it is not the one edgekit runs in
    address: str | None = None
    port: int = 22
    user: str | None = None
    key: str | None = None
    jump: str | None = None

    def probation_rule(self) -> Probation:
        """What a new release must show on this device before it is committed: `probation`, and the targets' limits."""
        return replace(self.probation, min_fps=self.targets.fps, max_p99_ms=self.targets.p99_ms)


@dataclass(frozen=True)
class Inventory:
    """The devices in the order of the file, and named groups of them."""

    path: Path
    devices: tuple[Device, ...]
    groups: Mapping[str, tuple[str, ...]]

    def device(self, name: str) -> Device:
        """The device with this name. Raises NotFoundError naming the nearest one."""
        for device in self.devices:
            if device.name == name:
                return device
        names = [device.name for device in self.devices]
        raise NotFoundError(
            f"no device named {name!r} in {self.path}",
            why=known_names(name, names) or "the file names no device",
            hint="edgekit devices",
        )

    def select(self, names: Sequence[str]) -> tuple[Device, ...]:
        """The devices that these names of devices and groups mean, each once; "all" means all.

        Raises NotFoundError naming the nearest device or group.
        """
        known = {device.name: device for device in self.devices}
        wanted: dict[str, Device] = {}
        for name in names:
            members = tuple(known) if name == ALL else self.groups.get(name, (name,))
            if name not in known and members == (name,):
                raise NotFoundError(
                    f"no device or group named {name!r} in {self.path}",
                    why=known_names(name, (*known, *self.groups, ALL)),
                    hint="edgekit devices",
                )
            wanted.update((member, known[member]) for member in members)
        return tuple(wanted.values())


def load_inventory(project: Project) -> Inventory:
    """The project's devices. Raises ConfigError with every problem of devices.yaml, NotFoundError without it."""
    path = project.devices_path
    return inventory_from_yaml(read_yaml(path, path.name), path)


def inventory_from_yaml(data: Any, path: Path) -> Inventory:
    """The inventory that parsed YAML means; `path` is for messages. Raises ConfigError with every problem."""
    name = path.name
    document, problems = check(_Document, data, name)
    refuse(name, problems)
    assert document is not None
    problems = check(_Entry, document.defaults, f"{name}: defaults")[1]
    entries = {key: {} if raw is None else raw for key, raw in document.devices.items()}
    for key, raw in entries.items():
        problems += check(_Entry, raw, f"{name}: {key}")[1]
    problems += [f"{name}: {key}: {_NAME_RULE}" for key in (*document.devices, *document.groups) if not _is_name(key)]
    problems += _group_problems(document, name)
    refuse(name, problems)
    devices = [_device(key, _merged(document.defaults, raw)) for key, raw in entries.items()]
    refuse(name, [f"{name}: {problem}" for device in devices for problem in _device_problems(device)])
    return Inventory(path, tuple(devices), document.groups)


def check_plugin(path: str) -> str:
    """A plugin library by its place on the device, or by a name its loader knows. Raises ValueError for another."""
    if not path.strip():
        raise ValueError("expected a library, got nothing")
    if "/" in path and not path.startswith("/"):
        raise ValueError(f"expected a path on the device from / on, or a library's plain name, got {path!r}")
    return path


# Mappings inside an entry: merged with the defaults key by key.
_SECTIONS = ("targets", "tensorrt", "probation")

_Text = Annotated[str, Field(min_length=1, max_length=2000)]
_Plugin = Annotated[_Text, AfterValidator(lambda path: check_plugin(path))]


class _Targets(Section):
    fps: float | None = Field(default=None, gt=0)
    p99_ms: float | None = Field(default=None, gt=0)
    watts: float | None = Field(default=None, gt=0)
    joules_per_frame: float | None = Field(default=None, gt=0)
    mib: float | None = Field(default=None, gt=0)
    map_loss_pct: float | None = Field(default=None, ge=0, lt=100)


class _TensorRT(Section):
    route: Literal["auto", "calibrator", "explicit"] = "auto"
    calibrator: Literal["entropy", "minmax"] = "entropy"
    workspace_mib: int | None = Field(default=None, ge=WORKSPACE_MIB[0], le=WORKSPACE_MIB[1])
    optimisation_level: int | None = Field(default=None, ge=0, le=5)
    dla_core: int | None = Field(default=None, ge=0, le=DLA_CORE_MAX)
    plugins: tuple[_Plugin, ...] = ()
    library_tactics: bool = False


class _Probation(Section):
    frames: int = Field(default=Probation.frames, ge=1, le=1_000_000)
    seconds: float = Field(default=Probation.seconds, ge=0, le=86_400)
    deadline_s: float = Field(default=Probation.deadline_s, gt=0, le=86_400)


class _Entry(Section):
    kind: Literal["local", "jetson"] = "jetson"
    address: _Text | None = None
    port: int = Field(default=22, ge=1, le=65535)
    user: _Text | None = None
    key: _Text | None = None
    jump: _Text | None = None
    detector: _Text = DEFAULT_DETECTOR
    service: _Text | None = None
    source: _Text | None = None
    cameras: Annotated[dict[str, _Text], BeforeValidator(lambda cameras: _named(cameras))] = Field(default_factory=dict)
    events: Annotated[EventSettings | None, PlainValidator(lambda data: _event_settings(data))] = None
    collect: Annotated[CollectSettings | None, PlainValidator(lambda data: _collect_settings(data))] = None
    page_port: int = Field(default=PAGE_PORT, ge=0, le=65535)
    sinks: tuple[_Text, ...] = ()
    precision: Literal["auto", "fp32", "fp16", "int8"] = "auto"
    calibration: _Text | None = None
    targets: _Targets = _Targets()
    threads: int = Field(default=0, ge=0, le=1024)
    loop: bool = False
    tensorrt: _TensorRT = _TensorRT()
    backend: Literal["auto", "onnxruntime"] = "auto"
    probation: _Probation = _Probation()
    python: _Text | None = None


class _Document(Section):
    # Entries are checked one by one, so that messages begin with the device's name.
    defaults: dict[str, Any] = Field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    devices: dict[str, Any] = Field(default_factory=dict)


def _merged(defaults: Mapping[str, Any], raw: Mapping[str, Any]) -> _Entry:
    sections = {name: {**defaults.get(name, {}), **raw.get(name, {})} for name in _SECTIONS}
    shared, own = defaults.get("collect"), raw.get("collect")
    if shared is not None and own is not None:  # null switches off what the defaults switch on
        sections["collect"] = {**shared, **own}
    entry, problems = check(_Entry, {**defaults, **raw, **sections}, "")
    assert entry is not None, problems
    return entry


def _device(name: str, entry: _Entry) -> Device:
    plain = entry.model_dump(exclude={*_SECTIONS, "service", "source", "cameras", "events", "collect"})
    return Device(
        name=name,
        service=entry.service or entry.detector,
        streams=_streams(entry),
        events=entry.events,
        collect=entry.collect,
        targets=Targets(**entry.targets.model_dump()),
        tensorrt=TensorRTOptions(**entry.tensorrt.model_dump()),
        probation=Probation(**entry.probation.model_dump()),
        **plain,
    )


def _streams(entry: _Entry) -> tuple[StreamSettings, ...]:
    source = entry.source or (LOCAL_SOURCE if entry.kind == "local" and not entry.cameras else None)
    single = (StreamSettings(source),) if source else ()
    return (*single, *(StreamSettings(uri, name) for name, uri in entry.cameras.items()))


def _named(cameras: Any) -> Any:
    """Cameras by name; of a list, by names made of their addresses. A single one in a list needs none."""
    if not isinstance(cameras, (list, tuple)) or not all(isinstance(uri, str) for uri in cameras):
        return cameras
    if len(set(cameras)) < len(cameras):
        raise ValueError("the same one twice")
    return {"": cameras[0]} if len(cameras) == 1 else dict(zip(stream_names(cameras), cameras, strict=True))


def _event_settings(data: Any) -> EventSettings | None:
    return None if data is None else _settings(EventSettings, data, "events")


def _collect_settings(data: Any) -> CollectSettings | None:
    return None if data is None else _settings(CollectSettings, data, "collect")


def _settings(kind: type[T], data: Any, name: str) -> T:
    try:
        return from_wire(kind, data, name)
    except ConfigError as error:
        raise ValueError("; ".join(error.problems)) from None


def _device_problems(device: Device) -> list[str]:
    problems = []
    if not _is_name(device.service):
        problems.append(f"service: {_NAME_RULE}, got {device.service!r}")
    if device.kind == "jetson" and device.address is None:
        problems.append('address: missing; a device of kind "jetson" needs one (this machine is "kind: local")')
    problems += _stream_problems(device)
    if device.kind == "local" and device.address is not None:
        problems.append('address: a device of kind "local" is this machine and has none')
    if device.kind == "jetson" and device.python is not None:
        problems.append('python: only for devices of kind "local"; a Jetson has one of its own')
    for key, pattern in (("address", _ADDRESS), ("user", _USER), ("jump", _JUMP)):
        value = getattr(device, key)
        if value is not None and not pattern.fullmatch(value):
            problems.append(f"{key}: expected a plain {key}, got {value!r}")
    return [f"{device.name}: {problem}" for problem in problems]


def _stream_problems(device: Device) -> list[str]:
    names = [stream.name for stream in device.streams]
    if not names:
        return ['source: missing; a device of kind "jetson" needs to be told where its pictures come from']
    if len(names) > 1 and names[0] == "":
        return ["source, cameras: give one of them"]
    problems = [
        f"cameras: {STREAM_NAME_RULE}, got {name!r}"
        for name in names
        if not STREAM_NAME.fullmatch(name) and names != [""]
    ]
    if len(names) > MOST_STREAMS:
        problems.append(f"cameras: expected at most {MOST_STREAMS}, got {len(names)}")
    return problems + _address_problems(device)


def _address_problems(device: Device) -> list[str]:
    """Of cameras and brokers: a typing error should not be found out on the device. Nothing of a password is told."""
    checks: list[tuple[str, str, Callable[[str], object]]] = [
        (f"cameras.{stream.name}" if stream.name else "source", stream.uri, parse_camera_uri)
        for stream in device.streams
        if stream.uri.lower().startswith(tuple(f"{scheme}://" for scheme in CAMERA_SCHEMES))
    ]
    checks += [("sinks", sink, parse_broker_uri) for sink in device.sinks if sink.startswith(("mqtt://", "mqtts://"))]
    problems = []
    for key, address, parse in checks:
        try:
            parse(address)
        except UsageError as error:
            problems.append(f"{key}: {error.what}" + (f": {'; '.join(error.why.splitlines())}" if error.why else ""))
    return problems


def _group_problems(document: _Document, name: str) -> list[str]:
    problems = []
    for group, members in document.groups.items():
        if group in document.devices or group == ALL:
            reason = "a reserved name" if group == ALL else "a device has this name"
            problems.append(f"{name}: groups.{group}: {reason}")
        for member in members:
            if member not in document.devices:
                guess = did_you_mean(member, document.devices)
                problems.append(f"{name}: groups.{group}: no device named {member!r}" + (f"; {guess}" if guess else ""))
    return problems


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None
