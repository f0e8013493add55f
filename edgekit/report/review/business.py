"""What measured speed and power mean for a fleet of cameras: devices, energy, money. Pure.

Where runs with several streams at once were made of both engines, they say how many a device carries; else the rate of
one stream is divided. The lower end of its interval counts, of several rounds the lowest: a lucky run saves no device.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.core.limits import watts
from edgekit.core.results import BenchResult, StreamPoint
from edgekit.core.rounds import median_of
from edgekit.report import numbers
from edgekit.report.comparison.metrics import idle_watts, joules_above_idle
from edgekit.report.comparison.ratio import rate_span
from edgekit.report.review.lines import Line, reckoned
from edgekit.report.review.prices import Prices
from edgekit.report.summary import Report


@dataclass(frozen=True)
class Basis:
    """What all engines of a review were measured with; else they would be reckoned by two rules.

    by_streams: runs with several streams at once. by_load: idle power and energy a frame, so that the power of a device
    at its share of the cameras is known, and not only at full speed.
    """

    by_streams: bool
    by_load: bool


@dataclass(frozen=True)
class Fleet:
    """What one engine means for all cameras; None where an input is missing, which `missing` names."""

    streams: int | None
    devices: int | None
    watts: float | None  # of one device
    missing: tuple[str, ...]


def business_lines(report: Report, prices: Prices) -> Iterator[Line]:
    """The lines in reading order. Before: the baseline engine, if the headline is another."""
    head, base = report.headline, report.comparison.baseline
    basis = _basis(report, (head,) if base is head else (base, head))
    after = fleet_of(report, head, prices, basis)
    before = fleet_of(report, base, prices, basis) if base is not head else None
    told = _told(head, prices)
    yield from _capacity(before, after, basis, told)
    yield from _energy(before, after, prices, basis, told)
    yield from _money(before, after, prices, told)
    if prices.battery_wh is not None:
        yield _battery(before, after, prices, basis, told)


def _told(head: BenchResult, prices: Prices) -> dict[str, str]:
    """What fills the blanks of how a line was reckoned."""
    return {
        "fps": numbers.fps(prices.fps_per_camera),
        "cameras": str(prices.cameras),
        "hours": numbers.figure(prices.hours_per_year, 0, "h"),
        "years": f"{prices.years:g}" if prices.years is not None else "",
        "of": head.measurement.energy.of if head.measurement.energy else "",
    }


def _basis(report: Report, results: Sequence[BenchResult]) -> Basis:
    energies = [result.measurement.energy for result in results]
    return Basis(
        by_streams=all(_stream_points(report, result) for result in results),
        by_load=all(energy and energy.joules_per_frame_above_idle is not None for energy in energies),
    )


def fleet_of(report: Report, result: BenchResult, prices: Prices, basis: Basis) -> Fleet:
    """What an engine means for the cameras that the prices name. A disturbed run means nothing."""
    if not result.comparable:
        return Fleet(None, None, None, ("disturbed",))
    missing = [name for name in ("fps_per_camera", "cameras", "hours_per_year") if getattr(prices, name) is None]
    streams = _streams(report, result, prices.fps_per_camera, basis)
    if streams is None and prices.fps_per_camera is not None:
        missing.append("rate")
    if streams == 0:
        missing.append("speed")
    devices = math.ceil(prices.cameras / streams) if prices.cameras and streams else None
    power = _device_watts(report.comparison.runs_of(result), prices, devices, basis)
    if power is None and (devices or not basis.by_load):
        missing.append("watts")
    return Fleet(streams, devices, power, tuple(missing))


def _stream_points(report: Report, result: BenchResult) -> tuple[StreamPoint, ...]:
    runs = (run for run in (result, *report.others) if run.engine.engine_id == result.engine.engine_id)
    return next((run.measurement.stream_points for run in runs if run.measurement.stream_points), ())


def _streams(report: Report, result: BenchResult, wanted_fps: float | None, basis: Basis) -> int | None:
    """How many cameras one device carries."""
    rate = rate_span(report.comparison.runs_of(result), lambda run: run.measurement.pipeline_rate)
    if wanted_fps is None:
        return None
    if basis.by_streams:
        points = _stream_points(report, result)
        return max((point.streams for point in points if point.slowest_fps >= wanted_fps), default=0)
    return math.floor(max(rate.low_fps, 0.0) / wanted_fps) if rate else None


def _device_watts(runs: Sequence[BenchResult], prices: Prices, devices: int | None, basis: Basis) -> float | None:
    """Mean power of one device: at its share of the cameras, or what full speed drew. Medians over the rounds."""
    if not basis.by_load:
        return median_of(runs, watts)
    idle, above = median_of(runs, idle_watts), median_of(runs, joules_above_idle)
    if devices is None or prices.cameras is None or prices.fps_per_camera is None or idle is None or above is None:
        return None
    return idle + max(above, 0.0) * prices.cameras * prices.fps_per_camera / devices


def _capacity(before: Fleet | None, after: Fleet, basis: Basis, told: dict[str, str]) -> Iterator[Line]:
    needs = _needs(after, "fps_per_camera", "rate")
    pair = (before.streams if before else None, after.streams)
    key = "streams_run" if basis.by_streams else "streams_divided"
    yield reckoned(key, "", 0, pair, needs, higher_is_better=True, values=told)
    needs = _needs(after, "fps_per_camera", "cameras", "rate", "speed")
    pair = (before.devices if before else None, after.devices)
    yield reckoned("devices", "", 0, pair, needs, higher_is_better=False, values=told)
    if before is not None and before.devices and before.streams:
        now = before.devices * after.streams if after.streams is not None else None
        pair = (before.devices * before.streams, now)
        yield reckoned("same_devices", "", 0, pair, needs, higher_is_better=True, values=told)


def _energy(before: Fleet | None, after: Fleet, prices: Prices, basis: Basis, told: dict[str, str]) -> Iterator[Line]:
    needs = _needs(after, "fps_per_camera", "cameras", "hours_per_year", "rate", "speed", "watts")
    pair = (_kwh(before, prices), _kwh(after, prices))
    key = f"energy_year_{'load' if basis.by_load else 'full'}"
    yield reckoned(key, "kWh", 0, pair, needs, higher_is_better=False, values=told)


def _money(before: Fleet | None, after: Fleet, prices: Prices, told: dict[str, str]) -> Iterator[Line]:
    fleets = (before, after)
    bought = tuple(_times(fleet.devices if fleet else None, prices.device_price) for fleet in fleets)
    paid = tuple(_times(_kwh(fleet, prices), prices.electricity_per_kwh) for fleet in fleets)
    total = tuple(_total(*both, prices.years) for both in zip(bought, paid, strict=True))
    device = _needs(after, "fps_per_camera", "cameras", "rate", "speed") + _unpriced(prices, "device_price")
    current = _needs(after, "fps_per_camera", "cameras", "hours_per_year", "rate", "speed", "watts")
    current += _unpriced(prices, "electricity_per_kwh")
    yield reckoned("device_cost", "money", 0, (bought[0], bought[1]), device, higher_is_better=False)
    yield reckoned("energy_cost", "money", 0, (paid[0], paid[1]), current, higher_is_better=False)
    needs = device + current + _unpriced(prices, "years")
    yield reckoned("total_cost", "money", 0, (total[0], total[1]), needs, higher_is_better=False, values=told)


def _battery(before: Fleet | None, after: Fleet, prices: Prices, basis: Basis, told: dict[str, str]) -> Line:
    hours = tuple(
        prices.battery_wh / fleet.watts if fleet and fleet.watts and prices.battery_wh else None
        for fleet in (before, after)
    )
    needs = _needs(after, "watts") or _needs(after, "fps_per_camera", "cameras", "rate", "speed")
    key = f"battery_{'load' if basis.by_load else 'full'}"
    return reckoned(key, "h", 1, (hours[0], hours[1]), needs, higher_is_better=True, values=told)


def _kwh(fleet: Fleet | None, prices: Prices) -> float | None:
    if fleet is None or fleet.watts is None or fleet.devices is None or prices.hours_per_year is None:
        return None
    return fleet.watts * fleet.devices * prices.hours_per_year / 1000


def _times(amount: float | None, price: float | None) -> float | None:
    return None if amount is None or price is None else amount * price


def _total(bought: float | None, paid: float | None, years: float | None) -> float | None:
    return None if bought is None or paid is None or years is None else bought + paid * years


def _needs(fleet: Fleet, *names: str) -> tuple[str, ...]:
    return tuple(name for name in fleet.missing if name in (*names, "disturbed"))


def _unpriced(prices: Prices, name: str) -> tuple[str, ...]:
    return () if getattr(prices, name) is not None else (name,)
