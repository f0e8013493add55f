"""What `edgekit bench` says beside the rates: power, heat, memory, streams, a soak, and what disturbed the run."""

from __future__ import annotations

from typing import Any

from edgekit.cli.console import table
from edgekit.core.results import BenchResult, Energy, Measurement, Soak, StreamPoint

NOT_MEASURED = "not measured"


def fact_lines(result: BenchResult) -> list[Any]:
    """Lines and tables about one result."""
    figures = result.measurement
    return [
        *_graph_line(figures),
        *_source_line(figures),
        *([_streams(figures.stream_points)] if figures.stream_points else []),
        *(_soak(figures.soak) if figures.soak else []),
        f"power: {power_text(figures)}",
        f"temperature: {temperature_text(figures)}",
        f"memory: {memory_text(figures)}",
        *([] if result.accuracy else [f"accuracy: {NOT_MEASURED} (edgekit eval --device {result.device})"]),
        *_disturbed_lines(figures),
    ]


def power_text(figures: Measurement) -> str:
    """Watts and what they are of, joules a frame with what sampling cannot know, and what of it is the frames' own."""
    energy = figures.energy
    if energy is None:
        return NOT_MEASURED if figures.power_mean_w is None else f"{figures.power_mean_w:.2f} W"
    text = f"{energy.mean_w:.2f} W mean, {energy.max_w:.2f} W at most, of the {energy.of} ({energy.sensor})"
    return "; ".join([text, *_energy_texts(energy)])


def _energy_texts(energy: Energy) -> list[str]:
    per_frame, above_idle = energy.joules_per_frame, energy.joules_per_frame_above_idle
    if per_frame is None:
        return []
    error = energy.error_joules / energy.frames
    texts = [f"{per_frame:.4f} J a frame, give or take {error:.4f} by sampling"]
    if above_idle is not None and energy.idle_w is not None:
        texts.append(f"{above_idle:.4f} J above the {energy.idle_w:.2f} W of the idle machine")
    return texts


def temperature_text(figures: Measurement) -> str:
    """From where to where it rose, and where."""
    machine = figures.machine
    if machine is None or machine.temperature_max_c is None:
        return NOT_MEASURED
    start = "" if machine.temperature_start_c is None else f"{machine.temperature_start_c:.1f} to "
    zone = f" ({machine.hottest_zone})" if machine.hottest_zone else ""
    return f"{start}{machine.temperature_max_c:.1f} \N{DEGREE SIGN}C at most{zone}"


def memory_text(figures: Measurement) -> str:
    """Of this process, and what was left to others; processor and GPU use beside it."""
    machine = figures.machine
    peak = NOT_MEASURED if figures.memory_peak_mib is None else f"{figures.memory_peak_mib} MiB at most"
    parts = [peak]
    if machine and machine.gpu_memory_peak_mib is not None:
        parts.append(f"{machine.gpu_memory_peak_mib} MiB of the GPU's own")
    if machine and machine.memory_available_low_mib is not None:
        parts.append(f"{machine.memory_available_low_mib} MiB were left")
    if figures.cpu_utilisation_pct is not None:
        parts.append(f"processors {figures.cpu_utilisation_pct:.0f} % busy")
    if machine and machine.gpu_utilisation_pct is not None:
        parts.append(f"GPU {machine.gpu_utilisation_pct:.0f} % busy")
    return "; ".join(parts)


def _graph_line(figures: Measurement) -> list[str]:
    without = figures.engine_rate_without_graph
    if without is None or figures.engine_rate is None:
        return []
    return [f"with a CUDA graph {figures.engine_rate.fps:.1f} FPS, launched kernel by kernel {without.fps:.1f} FPS"]


def _source_line(figures: Measurement) -> list[str]:
    if figures.source_fps is None:
        return [f"dropped frames: {figures.dropped}"] if figures.dropped else []
    return [f"the source gives {figures.source_fps:.1f} FPS; {figures.dropped} of its frames were dropped"]


def _disturbed_lines(figures: Measurement) -> list[Any]:
    from rich.text import Text

    if not figures.disturbances:
        return []
    reasons = "; ".join(figures.disturbances)
    return [Text(f"disturbed: {reasons}. This result is never compared with others", style="bold red")]


def _streams(points: tuple[StreamPoint, ...]) -> Any:
    columns = (
        "streams",
        "FPS together",
        "95 % interval",
        "slowest",
        "fastest",
        "fairness",
        "dropped",
        "age p95 ms",
        "CPU %",
    )
    return table(columns, [_point(point) for point in points], right=columns)


def _point(point: StreamPoint) -> list[Any]:
    return [
        point.streams,
        f"{point.rate.fps:.1f}",
        f"{point.rate.low_fps:.1f}-{point.rate.high_fps:.1f}",
        f"{point.slowest_fps:.1f}",
        f"{point.fastest_fps:.1f}",
        f"{point.fairness:.2f}",
        point.dropped,
        f"{point.age.p95_ms:.1f}" if point.age else None,
        None if point.cpu_utilisation_pct is None else f"{point.cpu_utilisation_pct:.0f}",
    ]


def _soak(soak: Soak) -> list[Any]:
    columns = ("from s", "FPS", "p99 ms", "MiB", "\N{DEGREE SIGN}C", "W")
    rows = [
        (
            f"{part.started_s:.0f}",
            f"{part.fps:.1f}",
            _digits(part.p99_ms, 1),
            part.memory_mib,
            _digits(part.temperature_c, 1),
            _digits(part.watts, 2),
        )
        for part in soak.parts
    ]
    trends = [("FPS", "%", soak.fps_trend_pct), ("memory", "MiB", soak.memory_trend_mib)]
    return [table(columns, rows, right=columns), *(_trend(*each) for each in trends)]


def _trend(name: str, unit: str, trend: tuple[float, float, float] | None) -> str:
    if trend is None:
        return f"trend of {name}: {NOT_MEASURED}, too few parts"
    value, low, high = trend
    steady = "" if low > 0 or high < 0 else "; no trend can be told from 0"
    return f"trend of {name}: {value:+.2f} {unit} an hour ({low:+.2f} to {high:+.2f}){steady}"


def _digits(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f}"
