"""The content of a report, before any form: what was chosen, compared, shipped, and what stays out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.core.results import FPS_MEANS, BenchResult
from edgekit.core.wire import to_wire
from edgekit.report.compare import Comparison, compare
from edgekit.report.compare_choice import choose
from edgekit.report.load import ResultsFolder, Shipped


@dataclass(frozen=True)
class Report:
    """One device with one detector. headline is the result of the shipped engine, or else of the fastest one."""

    device: str
    detector: str
    created_utc: str
    edgekit_version: str
    comparison: Comparison
    headline: BenchResult
    shipped: Shipped | None
    left_out: tuple[str, ...]
    broken_files: tuple[str, ...]

    @property
    def headline_is_shipped(self) -> bool:
        return self.shipped is not None and self.shipped.engine_id == self.headline.engine.engine_id

    @property
    def is_jetson(self) -> bool:
        """Only Jetson Linux has an L4T release."""
        return self.headline.profile.l4t is not None

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each engine of the comparison: its precision, and a letter where several share one."""
        return engine_names(self.comparison.results)

    def map_kept_pct(self) -> float | None:
        """mAP50-95 of the headline engine in % of the baseline's; None if unknown or for the baseline itself."""
        base, mine = self.comparison.baseline, self.headline
        if base is mine or not (base.accuracy and mine.accuracy and base.accuracy.map50_95):
            return None
        return 100 * mine.accuracy.map50_95 / base.accuracy.map50_95

    def speed_up(self) -> float | None:
        """Pipeline FPS of the headline engine / the baseline's; None for the baseline, or if the intervals overlap."""
        before, after = self.comparison.baseline.measurement.rate, self.headline.measurement.rate
        apart = before.high_fps < after.low_fps or after.high_fps < before.low_fps
        return after.fps / before.fps if apart and before.fps > 0 else None


def engine_names(results: Sequence[BenchResult]) -> tuple[str, ...]:
    """ "FP32", "INT8"; where one precision occurs twice, with the number of calibration pictures or the engine's id."""
    names = []
    for result in results:
        alike = [other for other in results if other.engine.precision == result.engine.precision]
        name = result.engine.precision.upper()
        if len(alike) > 1:
            counts = {other.engine.calibration_images for other in alike}
            name += (
                f" ({result.engine.calibration_images})"
                if len(counts) == len(alike)
                else f" ({result.engine.engine_id[:6]})"
            )
        names.append(name)
    return tuple(names)


def summarise(
    results: Sequence[BenchResult],
    found: ResultsFolder,
    shipped: Shipped | None,
    *,
    created_utc: str,
    edgekit_version: str,
) -> Report:
    """Make a report of the results of one device and detector (at least one)."""
    choice = choose(results)
    comparison = compare(choice.results, choice.rounds)
    by_speed = sorted(comparison.results, key=lambda result: result.measurement.rate.fps)
    deployed = [r for r in comparison.results if shipped is not None and r.engine.engine_id == shipped.engine_id]
    headline = deployed[0] if deployed else by_speed[-1]
    return Report(
        device=headline.device,
        detector=headline.engine.detector,
        created_utc=created_utc,
        edgekit_version=edgekit_version,
        comparison=comparison,
        headline=headline,
        shipped=shipped,
        left_out=choice.left_out,
        broken_files=found.problems,
    )


def headline_document(report: Report) -> dict[str, Any]:
    """The few figures that answer "how fast, how good, what runs there", JSON-ready; None: not measured."""
    rate = report.headline.measurement.rate
    accuracy = report.headline.accuracy
    return {
        "device": report.device,
        "detector": report.detector,
        "precision": report.headline.engine.precision,
        "engine_id": report.headline.engine.engine_id,
        "deployed": report.headline_is_shipped,
        "pipeline_fps": rate.fps,
        "pipeline_fps_low": rate.low_fps,
        "pipeline_fps_high": rate.high_fps,
        "fps_means": FPS_MEANS,
        "map50_95": accuracy.map50_95 if accuracy else None,
        "map50_95_kept_pct": report.map_kept_pct(),
        "is_jetson": report.is_jetson,
    }


def report_document(report: Report) -> dict[str, Any]:
    """The whole report as JSON-ready data. schema rises when a field changes its meaning."""
    return {
        "schema": 1,
        "created_utc": report.created_utc,
        "edgekit": report.edgekit_version,
        "headline": headline_document(report),
        "shipped": to_wire(report.shipped),
        "engines": [result.engine.engine_id for result in report.comparison.results],
        "comparison": to_wire(report.comparison.rows),
        "results": to_wire(report.comparison.results),
        "left_out": list(report.left_out),
        "broken_files": list(report.broken_files),
    }
