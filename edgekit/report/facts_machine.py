"""What a machine was set to, busy with and drawing while it was measured, as pairs of name and value. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.core.preflight import Preflight
from edgekit.core.results import BenchResult, MachineRun
from edgekit.report import numbers
from edgekit.report.recorded.saying import recorded, recorded_word
from edgekit.report.texts import text

Pair = tuple[str, str]


def setting_facts(result: BenchResult, lang: str) -> Iterator[Pair]:
    """Clocks, governor and fan, and what was found before the run. What nobody looked for is left out."""
    conditions, preflight = result.conditions, result.preflight
    if preflight is None and conditions.clocks_locked is None and conditions.governor is None:
        return
    yield text(lang, "clocks"), text(lang, _CLOCKS[conditions.clocks_locked])
    yield text(lang, "governor"), conditions.governor or text(lang, "unread")
    if preflight is not None:
        yield from _preflight(preflight, lang)


_CLOCKS = {True: "clocks_locked", False: "clocks_free", None: "unread"}


def _preflight(preflight: Preflight, lang: str) -> Iterator[Pair]:
    fan = preflight.value("fan")
    if fan is not None:
        yield text(lang, "fan"), recorded_word(lang, fan)
    told = []
    if preflight.busy_pct is not None:
        names = text(lang, "busiest", names=_listed(lang, preflight.busiest)) if preflight.busiest else ""
        told.append(text(lang, "busy", pct=numbers.figure(preflight.busy_pct, 0, "%")) + names)
    if preflight.tuned:
        told.append(text(lang, "tuned", names=_listed(lang, [recorded_word(lang, name) for name in preflight.tuned])))
    told += [str(recorded(lang, finding)) for finding in preflight.findings]
    if told:
        yield text(lang, "preflight"), text(lang, "clause_comma").join(told)


def _listed(lang: str, names: Sequence[str]) -> str:
    return text(lang, "list_comma").join(names)


def power_facts(result: BenchResult, lang: str) -> Iterator[Pair]:
    """Whose power it is and how it was sampled, idle power, rails, temperature, clocks of the GPU."""
    energy = result.measurement.energy
    if energy is not None:
        told = {"samples": numbers.figure(energy.samples, 0), "seconds": numbers.figure(energy.sampled_s, 1, "s")}
        gap = numbers.figure(energy.longest_gap_s, 2, "s")
        yield (
            text(lang, "power_sensor"),
            text(lang, "power_sensor_is", of=recorded_word(lang, energy.of), sensor=energy.sensor, gap=gap, **told),
        )
        yield text(lang, "idle_power"), numbers.figure(energy.idle_w, 2, "W", text(lang, "not_measured"))
        if energy.rails_w:
            rails = (f"{name} {numbers.figure(watts, 2, 'W')}" for name, watts in energy.rails_w.items())
            yield text(lang, "rails"), ", ".join(rails)
    if result.measurement.machine is not None:
        yield from _machine(result.measurement.machine, lang)


def _machine(machine: MachineRun, lang: str) -> Iterator[Pair]:
    if machine.temperature_max_c is not None:
        most = numbers.figure(machine.temperature_max_c, 0, "°C")
        start = numbers.figure(machine.temperature_start_c, 0, "°C", text(lang, "not_measured"))
        zone = text(lang, "hottest_zone", zone=machine.hottest_zone) if machine.hottest_zone else ""
        yield text(lang, "temperature"), text(lang, "temperature_is", start=start, most=most, zone=zone)
    if machine.gpu_clock_mhz is not None:
        low, high = (numbers.figure(value, 0, "MHz") for value in machine.gpu_clock_mhz)
        yield text(lang, "gpu_clock"), text(lang, "gpu_clock_is", low=low, high=high)
