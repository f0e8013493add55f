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
from edgekit.core.sentences import Sentences

POWER_MODE, CLOCKS, GOVERNOR, FAN = SETTINGS = ("power_mode", "clocks", "governor", "fan")
LOCKED, VARY = "locked", "vary"
FULL = "full"
PERFORMANCE = "performance"
FULL_PWM = 255

_BUSY_PCT = 5.0
_NEAR_LIMIT_C = 10.0  # a device that starts so near to its limit reaches it while it is measured
_LOW_MEMORY_MIB = 1024
_SWAPPED_MIB = 64

SENTENCES = Sentences(
    {
        "throttling": "the device is slowing itself down ({alerts}): let it cool, or cool it better",
        "near_limit": "{zone} is {headroom:.0f} °C short of where the device slows itself down: let it cool first, or "
        "cool it better",
        "busy": "other programs take {busy:.0f} % of the processors: close them, then measure again",
        "busy_by": "other programs take {busy:.0f} % of the processors ({programs}): close them, then measure again",
        "gpu_users": "the GPU is open in other programs too ({programs}): close those that use it",
        "little_memory": "{left:d} MiB of memory are left: close other programs, or the engine may be slowed or killed",
        "swapped": "{used:d} MiB are swapped out to {swap}: what is read back from there is slow",
        POWER_MODE: "power mode {value}: {advice}",
        CLOCKS: "clocks {value}: {advice}",
        GOVERNOR: "governor {value}: {advice}",
        FAN: "fan {value}: {advice}",
        "strongest": "the strongest mode of this board is {best}: sudo nvpmodel -m {number:d}",
        "strongest_restart": "the strongest mode of this board is {best}: sudo nvpmodel -m {number:d}, which needs a "
        "restart",
        "strongest_restart_or": "the strongest mode of this board is {best}: sudo nvpmodel -m {number:d}, which needs "
        "a restart; without one, {other}: sudo nvpmodel -m {other_number:d}",
        "lock": "lock them: edgekit bench --tune, or sudo jetson_clocks",
        "governor_up": "performance keeps the processors' clocks up: edgekit bench --tune",
        "fan_up": "let it turn at full speed: edgekit bench --tune",
        "fan_at": "{pwm:d} of {full:d}",
    }
)
"""Findings; advice, which follows the setting that it is about; and values that are no names."""


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
    if name is None or strongest is None or name == strongest.name:
        return Setting(POWER_MODE, name)
    code, values = "strongest", {"best": strongest.name, "number": strongest.number}
    if choice.strongest_needs_restart:
        code = "strongest_restart"
        if best is not None and best.name != name:
            code, values = "strongest_restart_or", {**values, "other": best.name, "other_number": best.number}
    return Setting(POWER_MODE, name, SENTENCES.say(code, **values))


def clocks_setting(clocks: Tuple[ClockRange, ...], lockable: bool) -> Setting:
    """Whether clocks are at their highest and stay there. lockable: there is a program that does that."""
    locked = clocks_locked(clocks)
    if locked is None:
        return Setting(CLOCKS, None)
    advice = SENTENCES.say("lock") if lockable and not locked else ""
    return Setting(CLOCKS, LOCKED if locked else VARY, advice)


def governor_setting(governors: Sequence[str], choosable: Sequence[str]) -> Setting:
    """The governor of the processors' clocks. governors: of each group of them; choosable: that all of them offer."""
    value = ", ".join(sorted(set(governors))) or None
    wanted = value is None or value == PERFORMANCE or PERFORMANCE not in choosable
    return Setting(GOVERNOR, value, "" if wanted else SENTENCES.say("governor_up"))


def fan_setting(pwm: Optional[int], headroom_c: Optional[float] = None) -> Setting:
    """How fast the fan is set to turn, 0 to 255. headroom_c: how far the device is from slowing itself down."""
    if pwm is None:
        return Setting(FAN, None)
    near = headroom_c is not None and headroom_c < _NEAR_LIMIT_C and pwm < FULL_PWM
    value = FULL if pwm >= FULL_PWM else SENTENCES.say("fan_at", pwm=pwm, full=FULL_PWM)
    return Setting(FAN, value, SENTENCES.say("fan_up") if near else "")


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
        *(SENTENCES.say(each.name, value=each.value, advice=each.advice) for each in settings if each.advice),
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
        yield SENTENCES.say("throttling", alerts=", ".join(machine.throttling))
    elif machine.headroom_c is not None and machine.headroom_c < _NEAR_LIMIT_C:
        yield SENTENCES.say("near_limit", zone=machine.limiting_zone, headroom=machine.headroom_c)


def _load(around: Surroundings) -> Iterator[str]:
    load = around.load
    if load.busy_pct is not None and load.busy_pct >= _BUSY_PCT:
        code = "busy_by" if load.busiest else "busy"
        yield SENTENCES.say(code, busy=load.busy_pct, programs=", ".join(load.busiest))
    if around.gpu_users:
        yield SENTENCES.say("gpu_users", programs=", ".join(around.gpu_users))


def _memory(around: Surroundings) -> Iterator[str]:
    available_mib = around.machine.memory_available_mib
    if available_mib is not None and available_mib < _LOW_MEMORY_MIB:
        yield SENTENCES.say("little_memory", left=available_mib)
    for swap in around.swaps:
        if swap.used_mib >= _SWAPPED_MIB:
            yield SENTENCES.say("swapped", used=swap.used_mib, swap=swap.name)
