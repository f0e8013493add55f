"""Student's t distribution, with any number of degrees of freedom, also a broken one as Welch's test has."""

from __future__ import annotations

import functools
import math

NORMAL95 = 1.959964  # the two-sided 95 % point of its limit
_STEPS = 300
_PRECISION = 1e-13
_TINY = 1e-300


def t_survival(t: float, freedom: float) -> float:
    """Probability of a value above `t`. freedom: above 0.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.1 with 26.5.8.
    """
    if freedom <= 0:
        raise ValueError(f"{freedom} degrees of freedom")
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    tail = 0.5 * _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)
    return tail if t >= 0 else 1.0 - tail


@functools.lru_cache(maxsize=4096)
def t_point(tail: float, freedom: float) -> float:
    """The value that is exceeded with probability `tail`, above 0 and up to 0.5."""
    if not 0 < tail <= 0.5:
        raise ValueError(f"a tail of {tail}")
    low, high = 0.0, 1.0
    while t_survival(high, freedom) > tail:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_survival(middle, freedom) > tail else (low, middle)
    return high


def student_t95(freedom: int) -> float:
    """The two-sided 95 % point for so many degrees of freedom, at least 1."""
    if freedom < 1:
        raise ValueError(f"expected at least 1 degree of freedom, got {freedom}")
    return t_point(0.025, freedom)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised; by the continued fraction where it converges fast, else by symmetry."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1 / (1 + d2 / (1 + ...)) of 26.5.8, by Lentz's method."""
    value = c = 1.0
    d = 0.0
    for step in range(1, _STEPS):
        term = _term(step, x, a, b)
        d = 1 / (_away_from_zero(1 + term * d))
        c = _away_from_zero(1 + term / c)
        value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _term(step: int, x: float, a: float, b: float) -> float:
    m = step // 2
    if step % 2:
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
