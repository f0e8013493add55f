"""How a device fares beside the frames: heat, power, memory. None is "not measured", never zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class Rail:
    """One measured supply of a board. total: it is the whole board's input, or a part of what `watts` sums up."""

    name: str  # "VDD_IN", as the board names it
    milliwatts: float
    total: bool = False


@dataclass(frozen=True)
class MachineReadings:
    """One look at a device.

    temperature_c: of its hottest zone, which hottest_zone names; limit_c: where that zone begins to slow the device
    down, or else shortly before it is switched off; None if it does not say. headroom_c: how far the zone that is
    nearest to its own limit, limiting_zone, is below it; negative above it. throttling: the alerts that are on.
    watts: by the rule of its kind, of what watts_of says: "module input". memory_available_mib is what programs may
    still take.
    """

    temperature_c: Optional[float] = None
    hottest_zone: str = ""
    limit_c: Optional[float] = None
    throttling: Tuple[str, ...] = ()
    watts: Optional[float] = None
    rails: Tuple[Rail, ...] = ()
    memory_total_mib: Optional[int] = None
    memory_available_mib: Optional[int] = None
    gpu_load_pct: Optional[float] = None
    power_mode: Optional[str] = None
    headroom_c: Optional[float] = None
    limiting_zone: str = ""
    watts_of: str = ""
