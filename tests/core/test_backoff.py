"""When a camera is tried again."""

from __future__ import annotations

import random

from edgekit.core.backoff import retry_delay_s


def test_delays_spread_wider_with_each_failure_and_stay_within_the_bounds():
    """Cameras behind one switch would all connect in the same moment, or one would stay away for minutes."""
    chance = random.Random(3)
    most = [max(retry_delay_s(n, chance) for _ in range(500)) for n in (1, 2, 3, 4, 5, 1000)]
    assert all(most[n + 1] >= most[n] - 0.1 for n in range(5)) and most[0] <= 1.0
    every = [retry_delay_s(1000, chance) for _ in range(500)]
    assert 0.5 <= min(every) < 1.0 and 7.0 < max(every) <= 8.0


def test_a_wrong_password_waits_longer():
    """Cameras lock an account after a few tries."""
    assert 20 <= retry_delay_s(1, random.Random(1), slow=True) <= 40
