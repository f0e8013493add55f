"""Several tests at once: the more figures are looked at, the likelier one of them looks bad by chance."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values in the given order: those below alpha may all be believed, with an error of alpha in total.

    Holds however the figures hang together. Source: Holm, Scandinavian Journal of Statistics 6, 1979, p. 65.
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return tuple(adjusted)
