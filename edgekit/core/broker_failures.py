"""What keeps an MQTT broker from being reached, in plain words, and when to try again."""

from __future__ import annotations

import random
from dataclasses import dataclass

SHORTEST_S = 1.0
LONGEST_S = 60.0
# Brokers may lock out who comes with a wrong password again and again.
_SLOWEST_S = (20.0, 60.0)


@dataclass(frozen=True)
class BrokerFailure:
    """what: a reason for people, without secrets. refused: the broker is there, and does not want us."""

    what: str
    refused: bool = False

    def sentence(self, broker: str, since_s: float, waiting: int) -> str:
        """A whole sentence; broker: its name, since_s: for how long it is so, waiting: events that are kept for it."""
        kept = f"; {waiting} events wait" if waiting else ""
        if self.refused:
            return f"{broker} {self.what}, since {since_s:.0f} s{kept}"
        return f"{broker} cannot be reached since {since_s:.0f} s: {self.what}{kept}"


def retry_delay_s(failures: int, refused: bool, chance: random.Random) -> float:
    """Seconds to wait after `failures` in a row (at least 1): full jitter from 1 s over a span that doubles up to 60 s.

    Many devices lose one broker at the same moment and are not to come back to it at once. Source: "Exponential Backoff
    And Jitter", AWS Architecture Blog, 2015.
    """
    if refused:
        return chance.uniform(*_SLOWEST_S)
    return chance.uniform(SHORTEST_S, min(LONGEST_S, SHORTEST_S * 2.0 ** min(max(failures, 1), 6)))
