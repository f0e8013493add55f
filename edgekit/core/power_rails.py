"""What a board draws: which of its measured supplies are the whole, and which are parts of one another.

Three kinds of boards: one rail is the module's input (Nano, TX2, Xavier NX, Orin NX and Nano); several have to be added
(AGX Xavier, AGX Orin); Thor measures the board's input, but not on every unit.
Sources: NVIDIA's power script for MLPerf (AGX Orin: VDDQ_VDD2_1V8AO is contained in the others), the rail tables of
jetson_stats, NVIDIA's forum on VDD_IN of Xavier NX and on the rails of Thor, tegrastats of all of them. PCs count the
energy of the processor (Linux, Documentation/power/powercap): it is not the machine's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

from edgekit.core.machine import Rail

_NOT_CONNECTED = "NC"
_SUM = "sum of"
_PACKAGES = "processor packages, not the whole machine"
# More than any processor draws: the counter began again instead of wrapping around.
_MOST_WATTS = 2000.0


@dataclass(frozen=True)
class RailReading:
    """What a monitor says of one supply; None for what could not be read.

    milliwatts is from monitors that multiply themselves; they may give nothing else.
    """

    name: str
    millivolts: Optional[float] = None
    milliamps: Optional[float] = None
    milliwatts: Optional[float] = None

    @property
    def power_mw(self) -> Optional[float]:
        """Its power; below 0 for a supply that is off and measured with an offset. None: not measured."""
        if self.milliwatts is not None:
            return self.milliwatts
        if self.millivolts is None or self.milliamps is None:
            return None
        return self.millivolts * self.milliamps / 1000


@dataclass(frozen=True)
class BoardPower:
    """rails: those that could be read. watts: of what `watts_of` says, None if that is not known or not complete.

    joules: what it drew since its sensor was opened, if that counts energy; it does not wrap around.
    """

    watts: Optional[float] = None
    watts_of: str = ""
    rails: Tuple[Rail, ...] = ()
    joules: Optional[float] = None


@dataclass(frozen=True)
class _Rule:
    rails: Tuple[str, ...]
    of: str


_MODULE_INPUT = _Rule(("VDD_IN",), "module input")
_NANO = _Rule(("POM_5V_IN",), "module input")
_AGX_XAVIER = _Rule(("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"), "sum of the module's rails")
_AGX_ORIN = _Rule(("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), "sum of the module's rails")
_THOR = (
    _Rule(("VIN",), "board input"),
    _Rule(("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"), "module rails, not the board's input"),
)
# The first rule whose rails a board has is the one that counts.
_RULES: Dict[str, Tuple[_Rule, ...]] = {
    **dict.fromkeys(("agx-thor-t5000", "thor-t4000"), _THOR),
    **dict.fromkeys(("agx-orin-64gb", "agx-orin-32gb", "agx-orin-32gb-devkit", "agx-orin-industrial"), (_AGX_ORIN,)),
    **dict.fromkeys(("orin-nx-16gb", "orin-nx-8gb", "orin-nano-8gb", "orin-nano-4gb"), (_MODULE_INPUT,)),
    **dict.fromkeys(("xavier-nx", "tx2", "tx2-nx", "tx1"), (_MODULE_INPUT,)),
    "agx-xavier": (_AGX_XAVIER,),
    **dict.fromkeys(("nano-4gb", "nano-2gb"), (_NANO,)),
}


def is_supply(label: str) -> bool:
    """False for what a monitor's channel is called that measures nothing, or a sum of its others."""
    return bool(label) and label != _NOT_CONNECTED and not label.startswith(_SUM)


def board_power(module: Optional[str], readings: Sequence[RailReading]) -> BoardPower:
    """The rails and the total of a board; module as in core.boards. Of a board without a rule only the rails.

    readings: every rail that the board has, also one that could not be read now: a total that it belongs to is None
    then, rather than that of fewer rails.
    """
    power_mw = {reading.name: reading.power_mw for reading in readings if is_supply(reading.name)}
    rules = _RULES.get(module or "", ())
    rule = next((rule for rule in rules if all(name in power_mw for name in rule.rails)), _Rule((), ""))
    rails = tuple(Rail(name, mw, name in rule.rails) for name, mw in power_mw.items() if mw is not None)
    counted_mw = [rail.milliwatts for rail in rails if rail.total]
    if not rule.rails or len(counted_mw) < len(rule.rails):
        return BoardPower(rails=rails)
    return BoardPower(sum(counted_mw) / 1000, rule.of, rails)


def watts_between(before_uj: int, after_uj: int, range_uj: int, elapsed_s: float) -> Optional[float]:
    """The mean power between two readings of an energy counter that goes up to range_uj and then from 0 again.

    None if the clock stood still, or if the counter was set back rather than wrapped around.
    """
    spent_uj = after_uj - before_uj
    if spent_uj < 0:
        spent_uj += range_uj
    if elapsed_s <= 0 or spent_uj < 0:
        return None
    watts = spent_uj / elapsed_s / 1e6
    return watts if watts <= _MOST_WATTS else None


@dataclass(frozen=True)
class DomainPower:
    """What an energy counter of a processor says. joules: since it was first read; watts: the mean since shortly."""

    name: str
    watts: Optional[float] = None
    joules: Optional[float] = None


def processor_power(domains: Sequence[DomainPower]) -> BoardPower:
    """The rails and the total of a PC by its energy counters; the packages together are the total."""
    rails = tuple(
        Rail(domain.name, domain.watts * 1000, domain.name.startswith("package"))
        for domain in domains
        if domain.watts is not None
    )
    packages = [domain for domain in domains if domain.name.startswith("package")]
    watts, joules = _sum([domain.watts for domain in packages]), _sum([domain.joules for domain in packages])
    known = watts is not None or joules is not None
    return BoardPower(watts, _PACKAGES if known else "", rails, joules)


def _sum(values: Sequence[Optional[float]]) -> Optional[float]:
    known = [value for value in values if value is not None]
    return sum(known) if values and len(known) == len(values) else None
