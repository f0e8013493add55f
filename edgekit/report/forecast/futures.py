"""Particles -> simulated releases to come, and what they say about a target. Pure, seeded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekit.report.forecast.habits import Habits, perhaps_new_phase
from edgekit.report.forecast.level_filter import Particles

# Chance 80 %: the interval from the 10 % to the 90 % point.
LOW, HIGH = 0.1, 0.9
MOST_STEPS = 50  # beyond that the number of steps is not told: there is no end in sight

_erfc = np.frompyfunc(math.erfc, 1, 1)


@dataclass(frozen=True)
class StepsLeft:
    """Effective optimisations until a target, with an 80 % interval. None: more than MOST_STEPS."""

    expected: float | None
    low: float | None
    high: float | None


def simulate(state: Particles, count: int, rng: np.random.Generator) -> np.ndarray:
    """(particles, count + 1) levels as one run would measure them: now, then after each of `count` more releases."""
    size = len(state.mean)
    level = _levels_now(state, rng)
    habits, levels = state.habits, [level]
    for _ in range(count):
        habits = perhaps_new_phase(habits, state.step, rng)
        moved = rng.random(size) < habits.chance
        step = habits.size + habits.spread * rng.standard_normal(size)
        level = np.where(moved, level + step, level)
        levels.append(level)
    measured = np.column_stack(levels)
    return np.asarray(measured + state.noise[:, None] * rng.standard_normal(measured.shape))


def steps_left(state: Particles, target_level: float, rng: np.random.Generator) -> StepsLeft:
    """How many steps for the better, as large as they are on average, lie between level and target; 0 where it is met.

    The expected number is the median: where a few guesses say "hardly ever", a mean says nothing.
    """
    gap = np.maximum(target_level - _levels_now(state, rng), 0.0)
    needed = gap / mean_gain(state.habits)
    low, middle, high = (_told(float(point)) for point in np.quantile(needed, [LOW, 0.5, HIGH]))
    return StepsLeft(middle, low, high)


def mean_gain(habits: Habits) -> np.ndarray:
    """The mean of the steps that are for the better: of a normal distribution cut off at zero."""
    at = np.maximum(habits.size / habits.spread, -8.0)  # beyond, the quotient below loses its digits
    density = np.exp(-0.5 * at**2) / math.sqrt(2 * math.pi)
    above = 0.5 * _erfc(-at / math.sqrt(2)).astype(np.float64)
    return np.asarray(habits.spread * (at + density / above))


def _levels_now(state: Particles, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(state.mean + np.sqrt(state.variance) * rng.standard_normal(len(state.mean)))


def _told(number: float) -> float | None:
    return round(number, 3) if number <= MOST_STEPS else None
