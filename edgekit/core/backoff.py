"""When to try again what failed."""

from __future__ import annotations

import random

SHORTEST_S = 0.5
LONGEST_S = 8.0
SLOW_S = (20.0, 40.0)


def retry_delay_s(failures: int, chance: random.Random, slow: bool = False) -> float:
    """Seconds from the start of one attempt to that of the next, after `failures` in a row (at least 1).

    Full jitter over a span that doubles: what failed together, such as the cameras behind one switch, does not come
    back together. Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. slow: for a wrong password.
    """
    if failures < 1:
        raise ValueError(f"failures: expected at least 1, got {failures}")
    if slow:
        return chance.uniform(*SLOW_S)
    # 2 ** 4 reaches the longest; a larger power of a long outage would only be a large number.
    return chance.uniform(SHORTEST_S, min(LONGEST_S, SHORTEST_S * 2 ** min(failures, 4)))
