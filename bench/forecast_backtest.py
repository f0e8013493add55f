"""Is `edgekit forecast` right? Histories are made up, so that the truth is known, and foretold from their first part.

    python bench/forecast_backtest.py --save

Each kind is a habit of releases (see KINDS), with 2 % noise between runs unless it says otherwise. Of each history the
first 6, 12 or 24 releases are shown to the forecast and the next five compared with it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from common import machine, save_result

from edgekit.report.forecast.futures import HIGH, LOW, simulate, steps_left
from edgekit.report.forecast.level_filter import filter_levels
from edgekit.report.forecast.metrics import BY_KEY
from edgekit.report.forecast.series import Noise, Series

LENGTHS = (6, 12, 24)
AHEAD = (1, 3, 5)
PARTICLES = 2000
NOISE = 0.02
_BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
# A habit: the step to release i of a history of which `shown` releases are shown.
Habit = Callable[[np.random.Generator, int, int], float]


@dataclass(frozen=True)
class Kind:
    """A kind of history. mean_gain: of its steps for the better, where that is one number, else None."""

    name: str
    step: Habit
    noise: float = NOISE
    assumed_noise: float = NOISE
    mean_gain: float | None = None


def _sometimes(chance: float, size: float, spread: float) -> Habit:
    return lambda rng, i, shown: rng.normal(size, spread) if rng.random() < chance else 0.0


def _student_walk(rng: np.random.Generator, i: int, shown: int) -> float:
    return 0.04 * float(rng.standard_t(2))


KINDS: tuple[Kind, ...] = (
    Kind("noise only", lambda rng, i, shown: 0.0),
    Kind("noise only, three times the assumed one", lambda rng, i, shown: 0.0, noise=3 * NOISE),
    Kind("every second release gains 8 %", _sometimes(0.5, 0.08, 0.02), mean_gain=0.08),
    Kind("every release gains 5 %", _sometimes(1.0, 0.05, 0.02), mean_gain=0.05),
    Kind("one in five gains 20 %", _sometimes(0.2, 0.2, 0.05), mean_gain=0.2),
    Kind("one in three loses 5 %", _sometimes(0.33, -0.05, 0.02)),
    Kind("plateau: gains 12 %, then nothing", lambda rng, i, shown: rng.normal(0.12, 0.04) if i < shown // 2 else 0.0),
    Kind("diminishing gains", lambda rng, i, shown: 0.3 * 0.75**i + rng.normal(0, 0.005)),
    Kind("one jump of 80 % in the middle", lambda rng, i, shown: 0.6 if i == shown // 2 else 0.0),
    Kind("random walk of 6 % a release", lambda rng, i, shown: rng.normal(0, 0.06)),
    Kind("heavy-tailed walk (Student's t, 2 degrees)", _student_walk),
    Kind("habit changes in the middle", lambda rng, i, shown: rng.normal(0.01 if i < shown // 2 else 0.12, 0.02)),
    Kind(
        "habit changes right after the last release shown",
        lambda rng, i, shown: rng.normal(0.02 if i < shown else 0.15, 0.02),
    ),
)


@dataclass
class Tally:
    """What came out over the histories of one kind and length."""

    covered: dict[int, int]
    widths: list[float]
    chances: list[tuple[float, bool]]
    steps_covered: int = 0
    steps_checked: int = 0


def truth(kind: Kind, shown: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(true, measured) levels of `shown` releases and those that follow."""
    steps = [0.0, *(kind.step(rng, i, shown) for i in range(1, shown + max(AHEAD)))]
    true = np.cumsum(steps)
    return true, true + kind.noise * rng.standard_normal(len(true))


def judge(kind: Kind, shown: int, histories: int) -> Tally:
    """Foretell and compare."""
    tally = Tally(dict.fromkeys(AHEAD, 0), [], [])
    for number in range(histories):
        rng = np.random.default_rng([number, shown])
        true, measured = truth(kind, shown, rng)
        target = float(measured[shown - 1]) + rng.uniform(-0.05, 0.3)
        levels = tuple(float(level) for level in measured[:shown])
        series = Series(BY_KEY["fps"], tuple(range(shown)), levels, (1,) * shown, Noise(kind.assumed_noise))
        draws = np.random.default_rng(0)
        state = filter_levels(series, draws, particles=PARTICLES)
        future = simulate(state, max(AHEAD), draws)
        for ahead in AHEAD:
            low, high = np.quantile(future[:, ahead], [LOW, HIGH])
            tally.covered[ahead] += bool(low <= measured[shown + ahead - 1] <= high)
            tally.widths += [float(high - low)] if ahead == 1 else []
        tally.chances.append((float(np.mean(future[:, 3] >= target)), bool(measured[shown + 2] >= target)))
        gap = target - true[shown - 1]
        if kind.mean_gain is not None and gap > 0:
            left = steps_left(state, target, draws)
            tally.steps_checked += 1
            high_end = math.inf if left.high is None else left.high
            tally.steps_covered += (left.low or 0.0) <= gap / kind.mean_gain <= high_end
    return tally


def share_with_interval(hits: int, of: int) -> tuple[float, float, float]:
    """A share and its 95 % interval by Wilson, in percent."""
    if not of:
        return math.nan, math.nan, math.nan
    z, share = 1.96, hits / of
    middle = (share + z * z / 2 / of) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / 4 / of / of) / (1 + z * z / of)
    return 100 * share, 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)


def reliability(chances: Sequence[tuple[float, bool]]) -> list[dict[str, float]]:
    """By bin of the probability told: how many, its mean, and how often the target was met."""
    rows = []
    for low, high in pairwise(_BINS):
        inside = [(told, met) for told, met in chances if low <= told < high or told == high == 1.0]
        if inside:
            told, met = zip(*inside, strict=True)
            rows.append(
                {
                    "from": low,
                    "to": high,
                    "forecasts": len(inside),
                    "told_pct": round(100 * float(np.mean(told)), 1),
                    "met_pct": round(100 * float(np.mean(met)), 1),
                }
            )
    return rows


def row(kind: Kind, shown: int, tally: Tally, histories: int) -> dict[str, object]:
    """One line of the record."""
    found: dict[str, object] = {"kind": kind.name, "releases": shown}
    for ahead in AHEAD:
        found[f"covered_{ahead}_pct"] = [round(x, 1) for x in share_with_interval(tally.covered[ahead], histories)]
    found["width_1_pct"] = round(100 * float(np.mean(tally.widths)), 1)
    share = share_with_interval(tally.steps_covered, tally.steps_checked)
    found["steps_left_covered_pct"] = [round(x, 1) for x in share] if tally.steps_checked else None
    return found


_INTRODUCTION = """# Backtest of the forecast on made-up histories

{histories} histories of each kind and length, {particles} particles, {seconds:.0f} s. The table says in what percentage
of the histories the release that came lay in the 80 % interval foretold for it, with the 95 % interval of that share.
Width: of the interval for the next release, in percent of the figure. Steps left: how often the 80 % interval held the
true number of effective optimisations, for the kinds that have one. **Bold: below 75 %**, where too much is promised.

| history | releases shown | next | +3 | +5 | width | steps left |
|---|---|---|---|---|---|---|
"""
_PROBABILITY = """
The probability that release +3 meets a target, over all kinds but the last. Targets lie 5 % below to 35 % above the
newest release.

| told | forecasts | mean of what was told | met |
|---|---|---|---|
"""


def markdown(
    rows: Sequence[dict[str, object]], bins: Sequence[dict[str, float]], histories: int, seconds: float
) -> str:
    """The record for people."""
    text = _INTRODUCTION.format(histories=histories, particles=PARTICLES, seconds=seconds)
    for one in rows:
        cells = [one["kind"], one["releases"], *(_cell(one[f"covered_{ahead}_pct"]) for ahead in AHEAD)]
        cells += [f"{one['width_1_pct']} %", _cell(one["steps_left_covered_pct"])]
        text += f"| {' | '.join(map(str, cells))} |\n"
    text += _PROBABILITY
    for one in bins:
        told = f"{100 * one['from']:.0f} to {100 * one['to']:.0f} %"
        text += f"| {told} | {one['forecasts']} | {one['told_pct']} % | {one['met_pct']} % |\n"
    return text


def _cell(found: object) -> str:
    if not isinstance(found, list):
        return ""
    share, low, high = found
    text = f"{share:.0f} ({low:.0f} to {high:.0f})"
    return f"**{text}**" if share < 75 else text


def main() -> None:
    """Run every kind and print or save the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    arguments = parser.parse_args()
    began = time.perf_counter()
    rows, chances = [], []
    for kind in KINDS:
        for shown in LENGTHS:
            tally = judge(kind, shown, arguments.histories)
            rows.append(row(kind, shown, tally, arguments.histories))
            chances += tally.chances if kind is not KINDS[-1] else []
    bins, seconds = reliability(chances), time.perf_counter() - began
    result = {"histories": arguments.histories, "rows": rows, "probability": bins, **machine()}
    save_result("forecast_backtest", result, markdown(rows, bins, arguments.histories, seconds), arguments)


if __name__ == "__main__":
    main()
