"""How releases change a figure: one guess a particle, drawn before anything is known and again as steps are seen."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

HAZARD = 0.08  # chance that the project enters another phase before a release

# What is thought of habits before anything is measured; how large steps are, the metric says.
_SCALE = 1.0  # log deviation (log-normal) of how large steps are, over the metric's own idea of it
_LEAN = (0.5, 1.0)  # of the mean step over the scale: mean and deviation; more often for the better than for the worse
_SPREAD = (
    0.6,
    4.0,
)  # of the steps' deviation over the scale: a typical value, and the degrees of freedom it counts for


@dataclass
class Habits:
    """A release moves the level with probability `chance`, by a normal step of mean `size` and deviation `spread`.

    scale: how large steps were thought to be. moved, idle: releases of this phase that moved the level, and that did
    not; steps, squares: sum of the steps, and of their squares. All (particles,) float64.
    """

    chance: np.ndarray
    size: np.ndarray
    spread: np.ndarray
    scale: np.ndarray
    moved: np.ndarray
    idle: np.ndarray
    steps: np.ndarray
    squares: np.ndarray

    def taken(self, chosen: np.ndarray) -> Habits:
        """Those of the chosen particles."""
        return Habits(*(getattr(self, item.name)[chosen] for item in fields(self)))

    def replaced(self, changes: np.ndarray, fresh: Habits) -> Habits:
        """The fresh ones where `changes` holds."""
        pairs = ((getattr(fresh, item.name), getattr(self, item.name)) for item in fields(self))
        return Habits(*(np.where(changes, new, old) for new, old in pairs))


def draw_habits(step: float, rng: np.random.Generator, count: int) -> Habits:
    """Habits as thought of before anything is measured. step: see ForecastMetric."""
    scale = step * np.exp(_SCALE * rng.standard_normal(count))
    size = scale * (_LEAN[0] + _LEAN[1] * rng.standard_normal(count))
    spread = scale * _SPREAD[0] * np.sqrt(_SPREAD[1] / rng.chisquare(_SPREAD[1], count))
    return Habits(rng.random(count), size, spread, scale, *(np.zeros(count) for _ in range(4)))


def perhaps_new_phase(habits: Habits, step: float, rng: np.random.Generator) -> Habits:
    """The habits before the next release: mostly the same, sometimes drawn anew."""
    count = len(habits.chance)
    return habits.replaced(rng.random(count) < HAZARD, draw_habits(step, rng, count))


def after_release(habits: Habits, moved: np.ndarray, step: np.ndarray, rng: np.random.Generator) -> Habits:
    """The habits once it is known which particles' release moved the level, and how far: drawn anew from what is known.

    One sweep of Gibbs sampling over chance, size and spread, each from its conjugate distribution given the others.
    Without it all particles would soon be copies of one guess.
    """
    seen = np.where(moved, step, 0.0)
    count, total, squares = habits.moved + moved, habits.steps + seen, habits.squares + seen**2
    idle = habits.idle + ~moved
    precision = 1 / (_LEAN[1] * habits.scale) ** 2 + count / habits.spread**2
    mean = (_LEAN[0] / (_LEAN[1] ** 2 * habits.scale) + total / habits.spread**2) / precision
    size = mean + rng.standard_normal(len(mean)) / np.sqrt(precision)
    around_size = np.maximum(squares - 2 * size * total + count * size**2, 0.0)
    freedom = _SPREAD[1] + count
    spread = np.sqrt((_SPREAD[1] * (_SPREAD[0] * habits.scale) ** 2 + around_size) / rng.chisquare(freedom))
    return Habits(rng.beta(1 + count, 1 + idle), size, spread, habits.scale, count, idle, total, squares)
