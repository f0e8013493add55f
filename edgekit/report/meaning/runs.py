"""What runs of a particular kind mean: the engine alone, a camera, several streams, a soak. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from edgekit.core.results import BenchResult
from edgekit.report import numbers
from edgekit.report.comparison.ratio import single_ratio

_KEEPS_UP = 0.98  # of a source's own rate


@dataclass(frozen=True)
class Meaning:
    """One sentence: "mean_<key>" of the texts, filled with values as they are and words by their text keys.

    tone: "good", "bad", "plain", or "open" where something cannot be said. listed: text keys of a list in the sentence;
    strata: of core.strata, of another. recorded: what results carry in English, one after the other.
    """

    key: str
    tone: str
    values: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    listed: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    recorded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def run_meanings(result: BenchResult, name: str, wanted_fps: float | None) -> Iterator[Meaning]:
    """The sentences that the scenario of a run allows. name: of the engine; wanted_fps: for each stream, if asked."""
    yield from _graph(result, name)
    yield from _camera(result, name)
    yield from _streams(result, name, wanted_fps)
    yield from _soak(result, name)


def _graph(result: BenchResult, name: str) -> Iterator[Meaning]:
    """With the launches of all kernels recorded once, against launching each."""
    before, after = result.measurement.engine_rate_without_graph, result.measurement.engine_rate
    ratio = single_ratio(before, after) if before and after else None
    if ratio is None:
        return
    key = "graph" if ratio.told_apart else "graph_alike"
    values = {"name": name, "factor": f"{ratio.value:.2f}", "low": f"{ratio.low:.2f}", "high": f"{ratio.high:.2f}"}
    yield Meaning(key, "plain", values)


def _camera(result: BenchResult, name: str) -> Iterator[Meaning]:
    source, rate = result.measurement.source_fps, result.measurement.pipeline_rate
    if result.conditions.scenario != "camera" or not source or rate is None:
        return
    keeps_up = rate.fps >= _KEEPS_UP * source
    values = {"name": name, "source": numbers.fps(source), "fps": numbers.fps(rate.fps)}
    values["dropped"] = numbers.figure(result.measurement.dropped, 0)
    yield Meaning("camera_keeps_up" if keeps_up else "camera_behind", "good" if keeps_up else "bad", values)


def _streams(result: BenchResult, name: str, wanted_fps: float | None) -> Iterator[Meaning]:
    points = sorted(result.measurement.stream_points, key=lambda point: point.streams)
    if not points:
        return
    most = points[-1]
    values = {"name": name, "streams": str(most.streams), "slowest": numbers.fps(most.slowest_fps)}
    yield Meaning("streams", "plain", values | {"all": numbers.fps(most.rate.fps)})
    if wanted_fps is None:
        return
    enough = max((point.streams for point in points if point.slowest_fps >= wanted_fps), default=0)
    values = {"name": name, "streams": str(enough), "wanted": numbers.fps(wanted_fps), "most": str(most.streams)}
    key = "streams_enough" if enough else "streams_none"
    yield Meaning(key, "good" if enough else "bad", values)


def _soak(result: BenchResult, name: str) -> Iterator[Meaning]:
    soak = result.measurement.soak
    if soak is None:
        return
    minutes = numbers.figure(result.conditions.duration_s / 60, 0)
    for key, trend, worse, digits in (
        ("rate", soak.fps_trend_pct, -1, 2),
        ("memory", soak.memory_trend_mib, 1, 1),
    ):
        if trend is None:
            yield Meaning(f"soak_{key}_unknown", "open", {"name": name, "minutes": minutes})
            continue
        change, low, high = trend
        values = {
            "name": name,
            "minutes": minutes,
            "change": numbers.figure(change, digits),
            "low": numbers.figure(low, digits),
            "high": numbers.figure(high, digits),
        }
        if low <= 0 <= high:
            yield Meaning(f"soak_{key}_level", "plain", values)
        else:
            yield Meaning(f"soak_{key}_drifts", "bad" if change * worse > 0 else "plain", values)
