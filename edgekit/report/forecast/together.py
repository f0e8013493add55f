"""The probability that several targets are met by one release: figures move together. Pure, seeded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.report.forecast.series import Series

# So many steps the assumption "they move independently" is worth beside the steps that were seen.
_INDEPENDENT_STEPS = 5.0


def step_correlation(series: Sequence[Series]) -> np.ndarray:
    """(n, n) correlation of the releases' steps between figures, drawn towards none where there are few steps.

    Of ranks, so that one jump does not decide it. A step counts for two figures if both have both of its releases.
    """
    steps = [_steps(one) for one in series]
    found = np.eye(len(series))
    for row in range(len(series)):
        for column in range(row):
            found[row, column] = found[column, row] = _shrunk_rank_correlation(steps[row], steps[column])
    return _nearest_valid(found)


def joined(simulated: Sequence[np.ndarray], correlation: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """The simulated levels of each figure, (particles, releases), reordered so that draws of one row belong together.

    Each column keeps its values; only which of them occur together is set, by a normal copula.
    """
    particles, releases = simulated[0].shape
    factor = np.linalg.cholesky(correlation)
    ordered = [np.sort(levels, axis=0) for levels in simulated]
    result = [np.empty_like(levels) for levels in ordered]
    for release in range(releases):
        drawn = rng.standard_normal((particles, len(simulated))) @ factor.T
        for index, levels in enumerate(ordered):
            result[index][:, release] = levels[np.argsort(np.argsort(drawn[:, index])), release]
    return result


def _steps(series: Series) -> dict[int, float]:
    """Place of a release -> its step from the release right before it."""
    at = dict(zip(series.releases, series.levels, strict=True))
    return {place: level - at[place - 1] for place, level in at.items() if place - 1 in at}


def _shrunk_rank_correlation(one: dict[int, float], other: dict[int, float]) -> float:
    places = sorted(set(one) & set(other))
    if len(places) < 3:
        return 0.0
    ranks = [_ranks([steps[place] for place in places]) for steps in (one, other)]
    deviations = [float(rank.std()) for rank in ranks]
    if min(deviations) == 0:
        return 0.0
    rank_correlation = float(np.mean((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean()))) / (
        deviations[0] * deviations[1]
    )
    # Of normal variables with correlation r, ranks correlate by 6 / pi * asin(r / 2).
    return float(2 * np.sin(np.pi * rank_correlation / 6)) * len(places) / (len(places) + _INDEPENDENT_STEPS)


def _ranks(values: Sequence[float]) -> np.ndarray:
    """From 0; equal values share the mean of their ranks."""
    array = np.asarray(values)
    return np.array([(array < value).sum() + ((array == value).sum() - 1) / 2 for value in array], np.float64)


def _nearest_valid(correlation: np.ndarray) -> np.ndarray:
    """Pairwise estimates may contradict each other: negative eigenvalues are lifted, the diagonal set back to 1."""
    values, vectors = np.linalg.eigh(correlation)
    lifted = vectors @ np.diag(np.maximum(values, 1e-6)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    return np.asarray(lifted / np.outer(scale, scale))
