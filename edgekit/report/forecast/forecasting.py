"""One detector on one device: from its results to what may be expected of the next releases. Pure, seeded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgekit.core.results import BenchResult
from edgekit.report.forecast.backtest import MIN_RELEASES, backtest
from edgekit.report.forecast.futures import HIGH, LOW, simulate, steps_left
from edgekit.report.forecast.level_filter import filter_levels
from edgekit.report.forecast.metrics import METRICS, ForecastMetric
from edgekit.report.forecast.outlook import Expected, Forecast, Known, MetricForecast, ReleaseLine, Wish
from edgekit.report.forecast.releases import ReleaseHistory, release_history
from edgekit.report.forecast.series import Series, series_of
from edgekit.report.forecast.together import joined, step_correlation
from edgekit.report.forecast.untypical import untypical_steps

_NOTHING = Known()
_ALWAYS_TOLD = ("fps", "p99_ms", "map_loss_pct", "watts")  # where they were measured, with a target or without


def forecast(results: Sequence[BenchResult], wish: Wish, known: Known = _NOTHING) -> Forecast:
    """The forecast for one detector on one device; results in the order in which they were recorded.

    The same results and seed give the same forecast. Raises UsageError if there are several devices or detectors among
    the results.
    """
    history = release_history(
        results,
        scenario=wish.scenario,
        shipped_engine=known.shipped_engine,
        clock_back=known.clock_back,
        now_utc=known.now_utc,
        judged=known.losses,
    )
    series = [series_of(metric, history.releases) for metric in METRICS]
    told = [_metric_forecast(one, wish) for one in series if _is_told(one, wish)]
    metrics = tuple(metric for metric, _ in told)
    asked = [(metric, levels) for metric, levels in told if metric.target is not None]
    missing = tuple(metric.key for metric, _ in asked if metric.state != "forecast")
    return Forecast(
        device=history.device,
        detector=history.detector,
        module=results[-1].profile.module if results else "",
        releases=_lines(history),
        metrics=metrics,
        together=() if missing else _together(series, {one.key: levels for one, levels in asked}, wish),
        missing=missing,
        met=_all_met([metric for metric, _ in asked]),
        untypical=untypical_steps(history, results, known.coverage),
        left_out=dict(history.left_out),
        clock=history.clock,
        seed=wish.seed,
    )


def _is_told(series: Series, wish: Wish) -> bool:
    key = series.metric.key
    return key in wish.targets or (key in _ALWAYS_TOLD and bool(series.levels))


def _metric_forecast(series: Series, wish: Wish) -> tuple[MetricForecast, np.ndarray]:
    """The forecast of one figure, and the simulated levels behind it, (particles, ahead); (0, ahead) without one."""
    metric, target = series.metric, wish.targets.get(series.metric.key)
    known = MetricForecast(
        metric.key,
        metric.unit,
        metric.digits,
        metric.higher_is_better,
        state="too little history" if series.levels else "not measured",
        target=target,
        values=series.values,
        releases=series.releases,
        met=None if target is None or not series.levels else metric.meets(series.values[-1], target),
        unusable=series.unusable,
    )
    if len(series.levels) < MIN_RELEASES:
        return known, np.zeros((0, wish.ahead))
    rng = np.random.default_rng([wish.seed, METRICS.index(metric)])
    state = filter_levels(series, rng)
    levels = simulate(state, wish.ahead, rng)[:, 1:]
    moved = state.moved.mean(axis=0)
    made = replace(
        known,
        state="forecast",
        moved=tuple(round(float(share), 3) for share in moved),
        effective=_effective(moved, series),
        ahead=tuple(_expected(metric, column, target) for column in levels.T),
        left=None if target is None else steps_left(state, metric.level(target), rng),
        progress_pct=None if target is None else _progress_pct(series, target),
        noise_pct=round(100 * series.noise.estimate, 3),
        measured_twice=series.noise.freedom > 0,
        backtest=backtest(series, wish.seed),
    )
    return made, levels


def _effective(moved: np.ndarray, series: Series) -> int:
    """How many releases more likely than not changed the figure, and for the better."""
    return int(np.sum((moved >= 0.5) & (np.diff(series.levels) > 0)))


def _expected(metric: ForecastMetric, levels: np.ndarray, target: float | None) -> Expected:
    ends = [metric.value(float(level)) for level in np.quantile(levels, [LOW, 0.5, HIGH])]
    probability = None if target is None else round(float(np.mean(levels >= metric.level(target))), 4)
    return Expected(ends[1], min(ends), max(ends), probability)


def _progress_pct(series: Series, target: float) -> float | None:
    way = series.metric.level(target) - series.levels[0]
    return round(100 * (series.levels[-1] - series.levels[0]) / way, 1) if way > 0 else None


def _together(series: Sequence[Series], simulated: Mapping[str, np.ndarray], wish: Wish) -> tuple[float, ...]:
    """Probability that all targets are met, by release to come; empty without a target."""
    asked = [one for one in series if one.metric.key in simulated]
    if not asked:
        return ()
    rng = np.random.default_rng([wish.seed, len(METRICS)])
    drawn = joined([simulated[one.metric.key] for one in asked], step_correlation(asked), rng)
    reached = [
        levels >= one.metric.level(wish.targets[one.metric.key]) for one, levels in zip(asked, drawn, strict=True)
    ]
    return tuple(round(float(share), 4) for share in np.logical_and.reduce(reached).mean(axis=0))


def _all_met(asked: Sequence[MetricForecast]) -> bool | None:
    if any(metric.met is False for metric in asked):
        return False
    return None if not asked or any(metric.met is None for metric in asked) else True


def _lines(history: ReleaseHistory) -> tuple[ReleaseLine, ...]:
    return tuple(
        ReleaseLine(
            one.engine.engine_id,
            one.engine.precision,
            one.engine.model_sha256,
            one.released_utc,
            len(one.results),
            one.results[0].git_commit,
        )
        for one in history.releases
    )
