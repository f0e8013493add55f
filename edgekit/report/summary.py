"""The content of a report, before any form: what was chosen, compared, shipped, and what stays out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.core.coverage import Coverage
from edgekit.core.limits import Limits
from edgekit.core.results import BenchResult
from edgekit.report.comparison.choice import LeftOut, choose
from edgekit.report.comparison.comparing import Comparison, compare, kept_pct
from edgekit.report.comparison.ratio import Span, rate_ratio, rate_span
from edgekit.report.load import ResultsFolder, Shipped

NO_TARGETS = Limits()


@dataclass(frozen=True)
class Report:
    """One device with one detector. headline is the result of the shipped engine, or else of the fastest one.

    others: runs of further scenarios. targets: what devices.yaml asks of the device. coverage: of the pictures that an
    INT8 engine of the comparison was calibrated with, None where nobody looked at them.
    """

    device: str
    detector: str
    created_utc: str
    edgekit_version: str
    comparison: Comparison
    headline: BenchResult
    shipped: Shipped | None
    left_out: tuple[LeftOut, ...]
    broken_files: tuple[str, ...]
    others: tuple[BenchResult, ...] = ()
    targets: Limits = NO_TARGETS
    coverage: Coverage | None = None

    @property
    def headline_is_shipped(self) -> bool:
        return self.shipped is not None and self.shipped.engine_id == self.headline.engine.engine_id

    @property
    def is_jetson(self) -> bool:
        """Only Jetson Linux has an L4T release."""
        return self.headline.profile.l4t is not None

    @property
    def rate(self) -> Span:
        """The headline: of one run with its 95 % interval, of several rounds their median, lowest and highest."""
        span = rate_span(self.comparison.runs_of(self.headline), lambda result: result.measurement.rate)
        assert span is not None  # every result has a rate
        return span

    def figure(self, key: str, result: BenchResult | None = None) -> tuple[float | None, tuple[float, float] | None]:
        """A figure of the comparison with its interval, of the headline's engine or another that is compared."""
        index = self.comparison.results.index(result or self.headline)
        row = next((row for row in self.comparison.rows if row.key == key), None)
        return (row.values[index], row.intervals[index]) if row else (None, None)

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each engine of the comparison: its precision, and a letter where several share one."""
        return engine_names(self.comparison.results)

    def name_of(self, result: BenchResult) -> str:
        """What to call an engine, also one that is not compared."""
        known = {one.engine.engine_id: name for one, name in zip(self.comparison.results, self.names, strict=True)}
        engine = result.engine
        return known.get(engine.engine_id) or f"{engine.precision.upper()} ({engine.engine_id[:6]})"

    def map_kept_pct(self) -> float | None:
        """mAP50-95 of the headline engine in % of the baseline's, rounded down; None if unknown or for the baseline."""
        base, mine = self.comparison.baseline, self.headline
        if base is mine or not (base.accuracy and mine.accuracy and base.accuracy.map50_95):
            return None
        return kept_pct(base.accuracy.map50_95, mine.accuracy.map50_95)

    def speed_up(self) -> float | None:
        """The headline engine's rate / the baseline's; None for the baseline, or where they cannot be told apart."""
        runs = self.comparison.runs_of
        before, after = runs(self.comparison.baseline), runs(self.headline)
        ratio = rate_ratio(before, after, lambda result: result.measurement.rate)
        return ratio.value if ratio and ratio.told_apart and self.headline is not self.comparison.baseline else None


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
    targets: Limits = NO_TARGETS,
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
        others=choice.others,
        targets=targets,
    )


def calibration_digests(comparison: Comparison) -> tuple[str, ...]:
    """Digests of the sets of pictures that the engines of a comparison were calibrated with."""
    found = (result.engine.calibration_sha256 for result in comparison.results)
    return tuple(dict.fromkeys(sha256 for sha256 in found if sha256))
