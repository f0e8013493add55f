"""nvpmodel, the power modes of a Jetson: which there are, which is set, which is the strongest.

Modes are told apart by name. An id means another mode on each module and in each configuration: 1 is 7W on an Orin Nano
and 25W on the same board set up as Super; and a Xavier NX has no MAXN.
Source: `nvpmodel -q` and /etc/nvpmodel.conf of JetPack 4 to 7, see tests/cases/jetson.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

CONF_FILE = "etc/nvpmodel.conf"
STATUS_FILE = "var/lib/nvpmodel/status"

_ANSWER = re.compile(r"NV Power Mode: (\S+)")
_MODE = re.compile(r"^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>", re.MULTILINE)
_STATUS = re.compile(r"pmode:(\d+)")
_WATTS = re.compile(r"(?:^|_)(\d+)W(?:_|$)")
_CORES = re.compile(r"_(\d+)CORE$")


@dataclass(frozen=True)
class PowerMode:
    """A mode of this board. number is what `nvpmodel -m` takes."""

    number: int
    name: str  # "MAXN", "15W", "MODE_20W_6CORE"


def parse_power_mode(text: str) -> Optional[str]:
    """The name of the mode in the output of `nvpmodel -q`, warnings around it or not; None if it names none."""
    found = _ANSWER.search(text)
    return found.group(1) if found else None


def parse_power_modes(conf: str) -> Tuple[PowerMode, ...]:
    """The modes that /etc/nvpmodel.conf defines, in its order; empty if the text is none."""
    return tuple(PowerMode(int(number), name) for number, name in _MODE.findall(conf))


def stored_power_mode(status: str, conf: str) -> Optional[str]:
    """The name of the mode that /var/lib/nvpmodel/status ("pmode:0002 fmode:quiet") keeps; None if it is not known."""
    found = _STATUS.search(status)
    if found is None:
        return None
    return next((mode.name for mode in parse_power_modes(conf) if mode.number == int(found.group(1))), None)


def strongest_mode(modes: Tuple[PowerMode, ...]) -> Optional[PowerMode]:
    """The mode with the highest clocks by its name: MAXN of any kind, else the most watts, then the most cores."""
    return max(modes, key=_strength, default=None)


def _strength(mode: PowerMode) -> Tuple[bool, int, int, int]:
    watts, cores = _WATTS.search(mode.name), _CORES.search(mode.name)
    return (
        mode.name.startswith("MAXN"),
        int(watts.group(1)) if watts else 0,
        int(cores.group(1)) if cores else 0,
        -mode.number,
    )
