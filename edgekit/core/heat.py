"""Fewer frames before a hot device trips: how much of the usual rate it may work at, second by second.

A device that reaches its own limit halves its clocks or switches itself off, and every camera suffers at a time of its
choosing. So the rate goes down in steps while it is still a few degrees short of that, and comes back in steps later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Optional

from edgekit.core.machine import MachineReadings


@dataclass(frozen=True)
class HeatRules:
    """Degrees, seconds and steps. Between margin_c and margin_c + ease_c below the limit the rate stays as it is."""

    margin_c: float = 5.0
    ease_c: float = 3.0
    step: float = 0.75
    floor: float = 0.25
    lower_every_s: float = 10.0
    raise_after_s: float = 30.0

    @property
    def most_steps(self) -> int:
        """How many steps down there are."""
        return math.ceil(round(math.log(self.floor) / math.log(self.step), 9))

    def share(self, steps: int) -> float:
        """What is left of the rate after so many steps down."""
        return max(self.floor, self.step**steps)


@dataclass(frozen=True)
class HeatLimit:
    """share: of the usual rate, 1.0 to 0.25. reason: a sentence for people, "" if nothing is limited."""

    share: float = 1.0
    reason: str = ""


@dataclass(frozen=True)
class HeatState:
    """What has to be remembered from one look to the next. Times on any clock that only goes forward."""

    limit: HeatLimit = field(default_factory=HeatLimit)
    steps: int = 0
    lowered_s: Optional[float] = None
    cool_since_s: Optional[float] = None


DEFAULT_RULES = HeatRules()


def next_heat(state: HeatState, readings: MachineReadings, now_s: float, rules: HeatRules = DEFAULT_RULES) -> HeatState:
    """The limit from now on. Call it about once a second.

    An alert that the device throttles counts as being at its limit. A device that does not say how hot it is counts as
    cool: it is never limited, and no longer limited, step by step, after its sensors are gone.
    """
    if _is_hot(readings, rules):
        return _lowered(state, readings, now_s, rules)
    if not _is_cool(readings, rules):
        return _told(state.steps, state.lowered_s, None, readings, rules)
    return _raised(state, readings, now_s, rules)


def _is_hot(readings: MachineReadings, rules: HeatRules) -> bool:
    near = readings.headroom_c is not None and readings.headroom_c <= rules.margin_c
    return near or bool(readings.throttling)


def _is_cool(readings: MachineReadings, rules: HeatRules) -> bool:
    return readings.headroom_c is None or readings.headroom_c > rules.margin_c + rules.ease_c


def _lowered(state: HeatState, readings: MachineReadings, now_s: float, rules: HeatRules) -> HeatState:
    due = state.lowered_s is None or now_s - state.lowered_s >= rules.lower_every_s
    if not due or state.steps >= rules.most_steps:
        return _told(state.steps, state.lowered_s, None, readings, rules)
    return _told(state.steps + 1, now_s, None, readings, rules)


def _raised(state: HeatState, readings: MachineReadings, now_s: float, rules: HeatRules) -> HeatState:
    since_s = now_s if state.cool_since_s is None else state.cool_since_s
    if state.steps == 0 or now_s - since_s < rules.raise_after_s:
        return _told(state.steps, state.lowered_s, since_s, readings, rules)
    return _told(state.steps - 1, state.lowered_s, now_s, readings, rules)


def _told(
    steps: int,
    lowered_s: Optional[float],
    cool_since_s: Optional[float],
    readings: MachineReadings,
    rules: HeatRules,
) -> HeatState:
    share = rules.share(steps)
    reason = _reason(share, readings, rules) if steps else ""
    return HeatState(HeatLimit(share, reason), steps, lowered_s, cool_since_s)


def _reason(share: float, readings: MachineReadings, rules: HeatRules) -> str:
    taken = f"only {100 * share:.0f} % of the usual frames are taken"
    if readings.throttling:
        return f"{taken}: the device slows itself down for heat ({', '.join(readings.throttling)})"
    if readings.headroom_c is None:
        return f"{taken}: the device was hot, and its temperature can no longer be read"
    if _is_hot(readings, rules):
        where = "above" if readings.headroom_c < 0 else "below"
        return f"{taken}: {readings.limiting_zone} is {abs(readings.headroom_c):.1f} C {where} its limit"
    return f"{taken} until the device, which was hot, has been cooler for a while"
