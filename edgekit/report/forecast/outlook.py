"""What a forecast says: of one figure, and of one detector on one device. Written as JSON by `edgekit forecast`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.core.coverage import Coverage
from edgekit.report.forecast.backtest import Backtest
from edgekit.report.forecast.futures import StepsLeft
from edgekit.report.forecast.untypical import Untypical

MAX_RELEASES_AHEAD = 20


@dataclass(frozen=True)
class Expected:
    """One figure of a release to come, as one run would measure it: median, and an 80 % interval from low to high.

    probability: that it meets the target; None without one.
    """

    median: float
    low: float
    high: float
    probability: float | None


@dataclass(frozen=True)
class MetricForecast:
    """One figure. state: "forecast", "too little history" (fewer than MIN_RELEASES releases have it), "not measured".

    values: by release that has it, oldest first; releases: their places among the releases, from 0. moved: for each
    but the first, the probability that the release changed the figure at all. effective: how many more likely than
    not did, for the better. met: whether the newest release meets the target as measured. ahead: by release to come.
    progress_pct: of the way from the first release to the target, in steps of equal ratio; None if the first met it.
    noise_pct: standard deviation between runs of one engine; measured_twice: whether that was seen, not assumed.
    """

    key: str
    unit: str
    digits: int
    higher_is_better: bool
    state: str
    target: float | None = None
    values: tuple[float, ...] = ()
    releases: tuple[int, ...] = ()
    moved: tuple[float, ...] = ()
    effective: int | None = None
    met: bool | None = None
    ahead: tuple[Expected, ...] = ()
    left: StepsLeft | None = None
    progress_pct: float | None = None
    noise_pct: float | None = None
    measured_twice: bool = False
    backtest: Backtest | None = None
    unusable: int = 0

    @property
    def now(self) -> float | None:
        """The newest release's figure."""
        return self.values[-1] if self.values else None


@dataclass(frozen=True)
class ReleaseLine:
    """A release as a forecast lists it."""

    engine_id: str
    precision: str
    model_sha256: str
    released_utc: str
    results: int
    git_commit: str | None


@dataclass(frozen=True)
class Forecast:
    """What is known and what may be expected. together: probability that a release to come meets all targets, by
    release; empty where a figure with a target cannot be forecast, and `missing` names these. met: whether the newest
    release meets all; None without targets, or if one was not measured.
    """

    device: str
    detector: str
    module: str
    releases: tuple[ReleaseLine, ...]
    metrics: tuple[MetricForecast, ...]
    together: tuple[float, ...] = ()
    missing: tuple[str, ...] = ()
    met: bool | None = None
    untypical: tuple[Untypical, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    clock: tuple[str, ...] = ()
    seed: int = 0
    schema: int = 1

    @property
    def targets(self) -> tuple[MetricForecast, ...]:
        """The figures that something is asked of."""
        return tuple(one for one in self.metrics if one.target is not None)


@dataclass(frozen=True)
class Known:
    """What is known beside the results. coverage: digest of a calibration set -> how it covers the strata.

    clock_back: ids of results before which the clock went back, as the history saw it. now_utc: to tell results of the
    future by. shipped_engine: what runs on the device, a release whatever its precision. losses: (device, engine id) ->
    what an evaluation found that it lost of mAP50-95, in %, and against which precision.
    """

    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    clock_back: frozenset[str] = frozenset()
    now_utc: str = ""
    shipped_engine: str | None = None
    losses: Mapping[tuple[str, str], tuple[float, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """What is to be forecast. targets: metric key -> value; ahead: how many releases, 1 to MAX_RELEASES_AHEAD."""

    targets: Mapping[str, float]
    ahead: int = 5
    seed: int = 0
    scenario: str = "pipeline"
