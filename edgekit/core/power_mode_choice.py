"""Which power mode a Jetson is measured in: the strongest that it can change to without a restart.

A mode that gates other parts of the GPU than the present one takes effect at the next start only; `nvpmodel -m` then
asks whether to restart now, and changes nothing without a yes. Which parts a mode gates is in /etc/nvpmodel.conf, as
FBP_POWER_GATING, TPC_POWER_GATING or GPU_POWER_GATING lines. Source: nvpmodel's files of Orin and Thor boards, and what
nvpmodel says there (tests/cases/jetson/nvpmodel_set.json).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from edgekit.core.nvpmodel import PowerMode, parse_power_modes, strongest_mode

_SECTION = re.compile(r"^<\s*(?:POWER_MODEL\s+ID=(\d+)\s+NAME=\S+)?.*>")
_GATING = re.compile(r"^\s*(\w+_POWER_GATING\s+\S+\s+\S+)\s*$")
_ASKS = re.compile(r"Reboot required|REBOOT NOW")


@dataclass(frozen=True)
class ModeChoice:
    """best: without a restart; strongest: of all. None where the configuration names no mode."""

    best: Optional[PowerMode]
    strongest: Optional[PowerMode]

    @property
    def strongest_needs_restart(self) -> bool:
        """True if there is a stronger mode than the best one."""
        return self.best != self.strongest


def choose_mode(conf: str, present: Optional[str]) -> ModeChoice:
    """The modes to choose from for a board in the mode `present`; conf: the text of /etc/nvpmodel.conf.

    While the present mode is unknown, no other is taken to be in reach.
    """
    modes, gating = parse_power_modes(conf), _gating(conf)
    now = next((mode for mode in modes if mode.name == present), None)
    reachable = tuple(mode for mode in modes if now and gating.get(mode.number) == gating.get(now.number))
    return ModeChoice(strongest_mode(reachable), strongest_mode(modes))


def mode_called(conf: str, name: str) -> Optional[PowerMode]:
    """The mode of that name."""
    return next((mode for mode in parse_power_modes(conf) if mode.name == name), None)


def asks_for_restart(said: str) -> bool:
    """Whether the output of `nvpmodel -m` asks for one; without a terminal it takes no answer for a no."""
    return _ASKS.search(said) is not None


def _gating(conf: str) -> Dict[int, Tuple[str, ...]]:
    """The gating lines of each mode, sorted."""
    found: Dict[int, List[str]] = {}
    lines: List[str] = []
    for line in conf.splitlines():
        section = _SECTION.match(line)
        if section:
            lines = found.setdefault(int(section.group(1)), []) if section.group(1) else []
        elif _GATING.match(line):
            lines.append(" ".join(line.split()))
    return {number: tuple(sorted(gated)) for number, gated in found.items()}
