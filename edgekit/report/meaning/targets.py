"""Does a result reach what devices.yaml asks of its device? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.core.limits import READS, Limits
from edgekit.core.results import BenchResult
from edgekit.core.rounds import comparable, median_of
from edgekit.report.comparison.ratio import Span, rate_span

MET, MISSED, CLOSE, UNMEASURED = "met", "missed", "close", "unmeasured"


@dataclass(frozen=True)
class TargetVerdict:
    """One target beside what was measured. name: of core.limits.

    verdict: MET, MISSED, CLOSE (a rate whose 95 % interval holds the target: it cannot be said) or UNMEASURED.
    """

    name: str
    wanted: float
    measured: float | None
    verdict: str


def target_verdicts(runs: Sequence[BenchResult], targets: Limits) -> tuple[TargetVerdict, ...]:
    """One verdict for each target that is set, from all runs of one engine; figures are medians over its rounds.

    A disturbed run reaches nothing, and the rate of an engine alone is no rate of a pipeline: both are not measured.
    """
    return tuple(_verdict(runs, name, wanted) for name, wanted in targets.asked.items())


def _verdict(runs: Sequence[BenchResult], name: str, wanted: float) -> TargetVerdict:
    if name == "fps":
        return _rate_verdict(rate_span(comparable(runs), lambda run: run.measurement.pipeline_rate), wanted)
    measured = median_of(runs, READS[name])
    verdict = UNMEASURED if measured is None else MET if measured <= wanted else MISSED
    return TargetVerdict(name, wanted, measured, verdict)


def _rate_verdict(rate: Span | None, wanted: float) -> TargetVerdict:
    if rate is None:
        return TargetVerdict("fps", wanted, None, UNMEASURED)
    verdict = MET if rate.low_fps >= wanted else MISSED if rate.high_fps < wanted else CLOSE
    return TargetVerdict("fps", wanted, rate.fps, verdict)
