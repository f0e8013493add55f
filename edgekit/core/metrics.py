"""A service's figures as Prometheus reads them: its text exposition format, version 0.0.4.

Format: prometheus.io/docs/instrumenting/exposition_formats; names: prometheus.io/docs/practices/naming.
"""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

from edgekit.core.camera_condition import CONDITIONS
from edgekit.core.collecting import FieldHealth
from edgekit.core.events import Counts
from edgekit.core.machine import MachineReadings
from edgekit.core.service import Health, StreamHealth

_PREFIX = "edgekit_"
_ENDED = "ended"
_MIB = 1 << 20

Labels = Tuple[Tuple[str, str], ...]
Sample = Tuple[Labels, Optional[float]]


class Metric(NamedTuple):
    """One metric without its prefix. Samples whose value is None were not measured and are left out."""

    name: str
    kind: str  # "counter" or "gauge"
    text: str
    samples: Sequence[Sample]


def metrics_text(health: Health, machine: MachineReadings, counts: Counts) -> str:
    """Everything that a service reports. What was not measured does not appear, and is never 0."""
    metrics = (
        *_of_service(health),
        *_of_streams(_streams(health)),
        *_of_places(counts),
        *_of_field(health.field),
        *_of_machine(machine),
    )
    return "".join(map(_exposed, metrics))


def _exposed(metric: Metric) -> str:
    samples = [(labels, value) for labels, value in metric.samples if value is not None]
    if not samples:
        return ""
    name = _PREFIX + metric.name
    lines = [f"# HELP {name} {_escaped(metric.text)}", f"# TYPE {name} {metric.kind}"]
    lines += [f"{name}{_braced(labels)} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _braced(labels: Labels) -> str:
    quoted = ",".join('{}="{}"'.format(name, _escaped(value).replace('"', '\\"')) for name, value in labels)
    return f"{{{quoted}}}" if quoted else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return repr(round(value, 9)) if isinstance(value, float) else str(value)


def _of_service(health: Health) -> Iterator[Metric]:
    info = (
        ("service", health.service),
        ("release", health.release),
        ("engine", health.engine_id),
        ("precision", health.precision),
    )
    yield Metric("service_info", "gauge", "What the service runs; always 1.", [(info, 1)])
    yield _plain("service_start_time_seconds", "When the service started, Unix time.", health.started_unix_s)
    yield _plain("service_report_time_seconds", "When these figures were taken, Unix time.", health.updated_unix_s)
    yield _plain(
        "service_failing", "1 while the service gives a reason why it does not work.", int(bool(health.last_error))
    )
    yield _plain(
        "service_warnings", "How many things are not as they should be although frames come.", len(health.warnings)
    )


def _streams(health: Health) -> Tuple[StreamHealth, ...]:
    if health.streams:
        return health.streams
    # A service that does not tell its streams apart has one, which its own figures are of.
    return (
        StreamHealth(
            name="",
            source="",
            condition="",
            condition_s=0.0,
            detail="",
            frames=health.frames,
            detections=health.detections,
            fps=health.fps,
            frame_age_ms=health.frame_age_ms,
            p99_ms=health.p99_ms,
            dropped=health.dropped,
        ),
    )


def _of_streams(streams: Sequence[StreamHealth]) -> Iterator[Metric]:
    def each(value: str, share: float = 1) -> List[Sample]:
        return [(_stream(one), _times(getattr(one, value), share)) for one in streams]

    yield Metric("frames_total", "counter", "Frames that came through the detector.", each("frames"))
    yield Metric("frames_dropped_total", "counter", "Frames left out because a newer one was there.", each("dropped"))
    yield Metric("detections_total", "counter", "Objects found, counted anew in each frame.", each("detections"))
    yield Metric("frame_rate", "gauge", "Frames a second over the last few seconds.", each("fps"))
    yield Metric("frame_age_seconds", "gauge", "From capture to detections, latest frame.", each("frame_age_ms", 1e-3))
    yield Metric(
        "frame_age_p99_seconds", "gauge", "99 of 100 recent frames were younger than this.", each("p99_ms", 1e-3)
    )
    told = [one for one in streams if one.condition]
    conditions = [
        ((*_stream(one), ("condition", condition)), int(one.condition == condition))
        for one in told
        for condition in (*CONDITIONS, _ENDED)
    ]
    yield Metric("stream_condition", "gauge", "1 for the condition that a camera is in, 0 for others.", conditions)
    lasting: List[Sample] = [(_stream(one), float(one.condition_s)) for one in told]
    yield Metric("stream_condition_seconds", "gauge", "For how long the camera has been in its condition.", lasting)


def _stream(stream: StreamHealth) -> Labels:
    return (("stream", stream.name),)


def _of_places(counts: Counts) -> Iterator[Metric]:
    def zones(value: str) -> List[Sample]:
        return [
            ((("zone", one.zone), ("stream", one.stream), ("class", one.class_name)), getattr(one, value))
            for one in counts.zones
        ]

    yield Metric("zone_entered_total", "counter", "Objects that entered a zone.", zones("entered"))
    yield Metric("zone_left_total", "counter", "Objects that left a zone.", zones("left"))
    yield Metric("zone_stayed_total", "counter", "Objects that stayed in a zone for its time.", zones("stayed"))
    yield Metric("zone_objects", "gauge", "Objects in a zone now.", zones("present"))
    lines: List[Sample] = [
        (
            (("line", one.line), ("stream", one.stream), ("class", one.class_name), ("direction", one.direction)),
            one.crossed,
        )
        for one in counts.lines
    ]
    yield Metric("line_crossed_total", "counter", "Objects that crossed a line.", lines)


def _of_field(field: Optional[FieldHealth]) -> Iterator[Metric]:
    """Frames kept for calibrating again, and whether it is time to; nothing where none are kept."""
    if field is None:
        return
    yield _plain("field_frames", "Hard frames that lie on the device's disk.", field.kept)
    yield _plain("field_bytes", "What they take there.", round(field.kept_mib * _MIB))
    yield Metric("field_frames_added_total", "counter", "Hard frames that were kept.", [((), field.added)])
    removed = "Hard frames that went to make room for others."
    yield Metric("field_frames_removed_total", "counter", removed, [((), field.removed)])
    reasons: List[Sample] = [((("reason", name),), count) for name, count in sorted((field.reasons or {}).items())]
    yield Metric("field_reasons_total", "counter", "Hard frames kept for a reason; a frame may have several.", reasons)
    yield _plain("scene_drift_ratio", "Scenes lately that lie outside the calibration set, 0 to 1.", field.drift)
    unseen: List[Sample] = [((("stratum", name),), 1) for name in field.unseen]
    yield Metric("scene_unseen", "gauge", "1 for each stratum seen that the set has next to none of.", unseen)
    yield _plain("scenes_looked_at", "How many scenes these figures are of.", field.looked_at)


def _of_machine(machine: MachineReadings) -> Iterator[Metric]:
    zone: Labels = (("sensor", machine.hottest_zone),) if machine.hottest_zone else ()
    heat, limit = machine.temperature_c, machine.limit_c
    yield Metric("temperature_celsius", "gauge", "Of the device's hottest sensor.", [(zone, heat)])
    yield Metric("temperature_limit_celsius", "gauge", "Where that sensor slows the device down.", [(zone, limit)])
    nearest: Labels = (("sensor", machine.limiting_zone),) if machine.limiting_zone else ()
    headroom = "How far the sensor that is nearest to its own limit is below it; negative above it."
    yield Metric("temperature_headroom_celsius", "gauge", headroom, [(nearest, machine.headroom_c)])
    throttling: List[Sample] = [((("alert", alert),), 1) for alert in machine.throttling]
    yield Metric("throttling", "gauge", "1 for each alert that slows the device down now.", throttling)
    of: Labels = (("of", machine.watts_of),) if machine.watts_of else ()
    yield Metric("power_watts", "gauge", "Power taken, of what the label says.", [(of, machine.watts)])
    rails: List[Sample] = [((("rail", rail.name),), rail.milliwatts / 1e3) for rail in machine.rails]
    yield Metric("rail_power_watts", "gauge", "Taken from one supply of the board.", rails)
    total, available = machine.memory_total_mib, machine.memory_available_mib
    yield _plain("memory_size_bytes", "Of the device.", _times(total, _MIB))
    yield _plain("memory_available_bytes", "What programs may still take.", _times(available, _MIB))
    yield _plain("gpu_load_ratio", "How busy the GPU is, 0 to 1.", _times(machine.gpu_load_pct, 0.01))
    if machine.power_mode:
        yield Metric("power_mode_info", "gauge", "The power mode; always 1.", [((("mode", machine.power_mode),), 1)])


def _plain(name: str, text: str, value: Optional[float]) -> Metric:
    return Metric(name, "gauge", text, [((), value)])


def _times(value: Optional[float], factor: float) -> Optional[float]:
    return None if value is None else value * factor
