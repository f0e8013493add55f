"""What a gate found out, as data: the JSON, the JUnit file, the Markdown table and the terminal all show this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.core.gate import KEPT_MIN
from edgekit.core.wire import to_wire
from edgekit.report.gate.metrics import ACCURACY, GateMetric

# SAME: the interval lies within the limit on both sides. NO_WORSE: it excludes a change for the worse beyond the limit,
# and reaches far enough to the better that "the same" would be wrong.
REGRESSION, IMPROVEMENT, SAME, NO_WORSE, CANNOT_TELL = "regression", "improvement", "same", "no worse", "cannot tell"
SCHEMA = 1


@dataclass(frozen=True)
class Limits:
    """What is allowed. alpha: the chance, over all figures together, to call a change that is none a regression.

    strict: a figure that may have got worse by more than allowed fails the gate too, even if nobody can tell.
    """

    max_regression_pct: float = 2.0
    max_map_loss_pct: float = round(100 * (1 - KEPT_MIN), 6)
    alpha: float = 0.05
    strict: bool = False

    def of(self, metric: GateMetric) -> float:
        """How much worse a figure may become, in % of the baseline."""
        return self.max_map_loss_pct if metric.kind == ACCURACY else self.max_regression_pct


@dataclass(frozen=True)
class Judged:
    """One figure. baseline, candidate: geometric means over the runs of a side; None: not measured.

    change_pct: of the baseline, with its interval low_pct to high_pct (see interval_pct of the document); None where
    there is none. p_value: of "it got no worse", corrected for the number of figures. units: see Change, or pictures.
    """

    key: str
    name: str
    unit: str
    digits: int
    higher_is_better: bool
    limit_pct: float
    verdict: str
    reason: str
    test: str
    baseline: float | None = None
    candidate: float | None = None
    change_pct: float | None = None
    low_pct: float | None = None
    high_pct: float | None = None
    p_value: float | None = None
    units: int = 0


@dataclass(frozen=True)
class SideSummary:
    """One side in a heading."""

    name: str
    engine_id: str
    precision: str
    git_commit: str | None
    runs: int
    sessions: int
    first_utc: str
    last_utc: str


@dataclass(frozen=True)
class GateReport:
    """not_measured: names of figures that neither side has. left_out: disturbed results, with the reason.

    notes: what a reader should know beside the table, one sentence each.
    """

    device: str
    detector: str
    scenario: str
    baseline: SideSummary
    candidate: SideSummary
    limits: Limits
    rows: tuple[Judged, ...]
    not_measured: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def judged(self, verdict: str) -> tuple[Judged, ...]:
        """The rows with this verdict, in order."""
        return tuple(row for row in self.rows if row.verdict == verdict)

    @property
    def failed(self) -> bool:
        """Whether a figure is a regression or, if strict, may be one."""
        return bool(self.judged(REGRESSION) or (self.limits.strict and self.judged(CANNOT_TELL)))

    @property
    def could_fail(self) -> bool:
        """Whether a slowdown could have been seen at all."""
        return any(row.p_value is not None for row in self.rows)

    @property
    def passed(self) -> bool:
        """Whether it did not fail, and could have: a gate that has nothing to test is neither passed nor failed."""
        return not self.failed and (self.could_fail or self.is_unchanged)

    @property
    def is_unchanged(self) -> bool:
        """Whether both sides are one engine, of which nothing was measured; see `unchanged`."""
        return not self.rows and self.baseline == self.candidate

    @property
    def interval_pct(self) -> float:
        """How much of the probability the intervals hold: both ends of a one-sided test stay outside."""
        return round(100 * (1 - 2 * self.limits.alpha), 6)


def unchanged(device: str, detector: str, scenario: str, side: SideSummary, limits: Limits) -> GateReport:
    """The outcome where both sides are one engine: nothing was measured, and nothing can have become worse."""
    note = f"engine {side.engine_id} is the baseline's and is deployed: there was nothing to measure"
    return GateReport(device, detector, scenario, side, side, limits, (), notes=(note,))


def gate_document(report: GateReport) -> dict[str, Any]:
    """JSON-ready. schema rises when a field changes its meaning."""
    return {"schema": SCHEMA, "passed": report.passed, "interval_pct": report.interval_pct, **to_wire(report)}
