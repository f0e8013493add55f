"""What a machine should be set to and free of before it is measured: values, advice and findings, in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator, Optional, Sequence, Tuple

from edgekit.core.jetson_clocks import ClockRange, clocks_locked
from edgekit.core.machine import MachineReadings
from edgekit.core.meminfo import Swap
from edgekit.core.power_mode_choice import ModeChoice
from edgekit.core.preflight import Preflight, Setting
from edgekit.core.processor_load import OtherLoad

POWER_MODE, CLOCKS, GOVERNOR, FAN = SETTINGS = ("power_mode", "clocks", "governor", "fan")
LOCKED, VARY = "locked", "vary"
FULL = "full"
PERFORMANCE = "performance"
FULL_PWM = 255

_BUSY_PCT = 5.0
_NEAR_LIMIT_C = 10.0  # a device that starts so near to its limit reaches it while it is measured
_LOW_MEMORY_MIB = 1024
_SWAPPED_MIB = 64
_TUNES = "edgekit bench --tune"
_LABELS = {POWER_MODE: "power mode", CLOCKS: "clocks", GOVERNOR: "governor", FAN: "fan"}


@dataclass(frozen=True)
class Surroundings:
    """What else was seen of a machine. gpu_users: names of other programs that hold the GPU, as far as visible."""

    load: OtherLoad = field(default_factory=OtherLoad)
    machine: MachineReadings = field(default_factory=MachineReadings)
    swaps: Tuple[Swap, ...] = ()
    gpu_users: Tuple[str, ...] = ()


def power_mode_setting(name: Optional[str], choice: ModeChoice) -> Setting:
    """The power mode, by name."""
    best, strongest = choice.best, choice.strongest
    advice = ""
    if name is not None and strongest is not None and name != strongest.name:
        advice = f"the strongest mode of this board is {strongest.name}: sudo nvpmodel -m {strongest.number}"
        if choice.strongest_needs_restart:
            advice += ", which needs a restart"
            if best is not None and best.name != name:
                advice += f"; without one, {best.name}: sudo nvpmodel -m {best.number}"
    return Setting(POWER_MODE, name, advice)


def clocks_setting(clocks: Tuple[ClockRange, ...], lockable: bool) -> Setting:
    """Whether clocks are at their highest and stay there. lockable: there is a program that does that."""
    locked = clocks_locked(clocks)
    if locked is None:
        return Setting(CLOCKS, None)
    advice = f"lock them: {_TUNES}, or sudo jetson_clocks" if lockable and not locked else ""
    return Setting(CLOCKS, LOCKED if locked else VARY, advice)


def governor_setting(governors: Sequence[str], choosable: Sequence[str]) -> Setting:
    """The governor of the processors' clocks. governors: of each group of them; choosable: that all of them offer."""
    value = ", ".join(sorted(set(governors))) or None
    wanted = value is None or value == PERFORMANCE or PERFORMANCE not in choosable
    return Setting(GOVERNOR, value, "" if wanted else f"{PERFORMANCE} keeps the processors' clocks up: {_TUNES}")


def fan_setting(pwm: Optional[int], headroom_c: Optional[float] = None) -> Setting:
    """How fast the fan is set to turn, 0 to 255. headroom_c: how far the device is from slowing itself down."""
    if pwm is None:
        return Setting(FAN, None)
    near = headroom_c is not None and headroom_c < _NEAR_LIMIT_C and pwm < FULL_PWM
    value = FULL if pwm >= FULL_PWM else f"{pwm} of {FULL_PWM}"
    return Setting(FAN, value, f"let it turn at full speed: {_TUNES}" if near else "")


def clocks_locked_of(preflight: Preflight) -> Optional[bool]:
    """For Conditions.clocks_locked: None where clocks cannot be read."""
    value = preflight.value(CLOCKS)
    return None if value is None else value == LOCKED


def compose_preflight(settings: Sequence[Setting], around: Surroundings, tuned: Sequence[str] = ()) -> Preflight:
    """All of it, with a sentence for each thing that may spoil the figures, worst first."""
    machine = around.machine
    found = (
        *_heat(machine),
        *_load(around),
        *_memory(around),
        *(f"{_LABELS[each.name]} {each.value}: {each.advice}" for each in settings if each.advice),
    )
    return Preflight(
        settings=tuple(settings),
        busy_pct=around.load.busy_pct,
        busiest=around.load.busiest,
        memory_available_mib=machine.memory_available_mib,
        temperature_c=machine.temperature_c,
        tuned=tuple(tuned),
        findings=found,
    )


def _heat(machine: MachineReadings) -> Iterator[str]:
    if machine.throttling:
        yield f"the device is slowing itself down ({', '.join(machine.throttling)}): let it cool, or cool it better"
    elif machine.headroom_c is not None and machine.headroom_c < _NEAR_LIMIT_C:
        where = f"{machine.limiting_zone} is {machine.headroom_c:.0f} °C short of where the device slows itself down"
        yield f"{where}: let it cool first, or cool it better"


def _load(around: Surroundings) -> Iterator[str]:
    load = around.load
    if load.busy_pct is not None and load.busy_pct >= _BUSY_PCT:
        who = f" ({', '.join(load.busiest)})" if load.busiest else ""
        yield f"other programs take {load.busy_pct:.0f} % of the processors{who}: close them, then measure again"
    if around.gpu_users:
        yield f"the GPU is open in other programs too ({', '.join(around.gpu_users)}): close those that use it"


def _memory(around: Surroundings) -> Iterator[str]:
    available_mib = around.machine.memory_available_mib
    if available_mib is not None and available_mib < _LOW_MEMORY_MIB:
        yield f"{available_mib} MiB of memory are left: close other programs, or the engine may be slowed or killed"
    for swap in around.swaps:
        if swap.used_mib >= _SWAPPED_MIB:
            yield f"{swap.used_mib} MiB are swapped out to {swap.name}: what is read back from there is slow"
