"""A particle filter over the level of one figure: what it really is after each release, and how releases change it.

The model. A release *moves* the level with some chance, by a normal step; otherwise nothing changes. What is measured
is the level and noise. Before each release the project may enter another phase: its habits (chance, mean and deviation
of steps) are drawn anew, so that old successes do not promise new ones.

Each particle holds one guess at the habits and the noise, and a Gaussian over the level that is exact given these (a
Rao-Blackwellised filter; Doucet et al., UAI 2000). After each release its habits are drawn again from what was seen of
them (Storvik, IEEE Transactions on Signal Processing 50, 2002). All vectors are (particles,) float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.report.forecast.habits import Habits, after_release, draw_habits, perhaps_new_phase
from edgekit.report.forecast.series import GUESS_WEIGHT, Noise, Series

PARTICLES = 6000


@dataclass
class Particles:
    """What is known after the newest release. mean, variance: of the level; noise: standard deviation of one run.

    moved: (particles, releases - 1) whether each release moved the level, for better or worse. step: of the metric.
    """

    mean: np.ndarray
    variance: np.ndarray
    noise: np.ndarray
    habits: Habits
    moved: np.ndarray
    step: float


def filter_levels(series: Series, rng: np.random.Generator, *, particles: int = PARTICLES) -> Particles:
    """The particles after the last release of a series, which must have at least one."""
    noise = draw_noise(series.noise, rng, particles)
    state = Particles(
        np.full(particles, series.levels[0]),
        noise**2 / series.runs[0],
        noise,
        draw_habits(series.metric.step, rng, particles),
        np.zeros((particles, 0), bool),
        series.metric.step,
    )
    for level, runs in zip(series.levels[1:], series.runs[1:], strict=True):
        state = _after_release(state, level, runs, rng)
    return state


def draw_noise(noise: Noise, rng: np.random.Generator, count: int) -> np.ndarray:
    """Standard deviations of one run: the guess, and what repeated runs showed (scaled inverse chi-squared)."""
    freedom = GUESS_WEIGHT + noise.freedom
    return np.sqrt((GUESS_WEIGHT * noise.guess**2 + noise.squares) / rng.chisquare(freedom, count))


def _after_release(state: Particles, level: float, runs: int, rng: np.random.Generator) -> Particles:
    """Weigh each particle by how well it foretold the measured level, choose among them, and correct the chosen."""
    habits = perhaps_new_phase(state.habits, state.step, rng)
    measured = state.variance + state.noise**2 / runs
    idle = _log_normal(level - state.mean, measured) + np.log1p(-habits.chance)
    active = _log_normal(level - state.mean - habits.size, measured + habits.spread**2) + np.log(habits.chance)
    weight = np.logaddexp(idle, active)
    chosen = _resample(weight, rng)
    moved = rng.random(len(chosen)) < np.exp(active - weight)[chosen]
    return _corrected(state, habits, chosen, moved, level, runs, rng)


def _corrected(
    state: Particles,
    habits: Habits,
    chosen: np.ndarray,
    moved: np.ndarray,
    level: float,
    runs: int,
    rng: np.random.Generator,
) -> Particles:
    """The chosen particles with what the measured level says about level and step."""
    habits, noise = habits.taken(chosen), state.noise[chosen]
    expected = state.mean[chosen] + np.where(moved, habits.size, 0.0)
    variance = state.variance[chosen] + np.where(moved, habits.spread**2, 0.0)
    total = variance + noise**2 / runs
    step_gain = habits.spread**2 / total
    step = habits.size + step_gain * (level - expected)
    step += np.sqrt(np.maximum(1 - step_gain, 0.0)) * habits.spread * rng.standard_normal(len(step))
    gain = variance / total
    return Particles(
        expected + gain * (level - expected),
        variance * (1 - gain),
        noise,
        after_release(habits, moved, step, rng),
        np.column_stack([state.moved[chosen], moved]),
        state.step,
    )


def _log_normal(distance: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Log density up to a constant."""
    return np.asarray(-0.5 * (np.log(variance) + distance**2 / variance))


def _resample(log_weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Systematic resampling: each particle as often as its weight says, to the nearest whole number."""
    weight = np.exp(log_weight - log_weight.max())
    edges = np.cumsum(weight)
    at = (rng.random() + np.arange(len(weight))) / len(weight) * edges[-1]
    return np.asarray(np.minimum(np.searchsorted(edges, at), len(weight) - 1))
