"""What a machine is set to before it is measured, what it is busy with, and what would be better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class Setting:
    """One thing that figures depend on and that a machine can be set to.

    name: "power_mode", "clocks", "governor", "fan". value: as found, "MAXN", "locked"; None if it cannot be read.
    advice: what to do about it, "" if it is as it should be.
    """

    name: str
    value: Optional[str]
    advice: str = ""


@dataclass(frozen=True)
class Preflight:
    """Read before anything is loaded. busy_pct: of all cores, by other programs; busiest: their names, most first.

    tuned: the names of the settings that were changed for this run, and are set back after it.
    """

    settings: Tuple[Setting, ...] = ()
    busy_pct: Optional[float] = None
    busiest: Tuple[str, ...] = ()
    memory_available_mib: Optional[int] = None
    temperature_c: Optional[float] = None
    tuned: Tuple[str, ...] = ()
    findings: Tuple[str, ...] = ()  # sentences for people: what may spoil the figures, and what to type

    def value(self, name: str) -> Optional[str]:
        """What a setting was found at; None if it is not there or could not be read."""
        return next((setting.value for setting in self.settings if setting.name == name), None)
