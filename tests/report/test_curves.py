"""Percentiles, energy, streams and a soak as plots: everything inside, nothing invented, conditions beside them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.preflight import Preflight, Setting
from edgekit.report.comparison.comparing import compare
from edgekit.report.facts_machine import power_facts, setting_facts
from edgekit.report.plots import accuracy_dots, rate_bars, rate_ceiling
from edgekit.report.plots_curves import (
    energy_bars,
    energy_ceiling,
    percentile_ceiling,
    percentiles,
    soak_charts,
    streams_chart,
)
from tests.report.made_up import CONDITIONS, accuracy, in_rounds, powered, result, with_soak, with_streams

FP32, INT8 = result(), result("int8")


def test_percentiles_go_from_the_median_to_p99_inside_the_plot():
    """Marks out of order would show a tail that is shorter than the middle."""
    marks = percentiles(FP32, percentile_ceiling([FP32, INT8]))
    assert [mark.name for mark in marks] == ["p50_ms", "p90_ms", "p95_ms", "p99_ms"]
    places = [mark.at_pct for mark in marks]
    assert places == sorted(places)
    assert places[-1] <= 100


def test_p99_of_too_few_frames_has_no_mark():
    """A guess drawn is a guess believed."""
    stages = {"end_to_end": replace(FP32.measurement.stages["end_to_end"], p99_ms=None)}
    short = replace(FP32, measurement=replace(FP32.measurement, stages=stages))
    assert [mark.name for mark in percentiles(short, 200.0)] == ["p50_ms", "p90_ms", "p95_ms"]
    assert percentiles(replace(FP32, measurement=replace(FP32.measurement, stages={})), 200.0) == ()


def test_the_bar_of_energy_ends_between_its_bounds():
    """The thin line is what sampling cannot know."""
    row = next(row for row in compare([powered(FP32, 9.0), INT8]).rows if row.key == "joules_per_frame")
    bar, missing = energy_bars(row, energy_ceiling(row))
    assert bar.value == pytest.approx(0.45)
    assert bar.low_pct < bar.width_pct < bar.high_pct <= 100
    assert missing is None
    assert energy_bars(None, energy_ceiling(None)) == ()


def test_rates_of_several_rounds_are_drawn_from_the_lowest_to_the_highest():
    """The bar ends at the median, as the table says."""
    runs = in_rounds("fp32", 20, 30, 22)
    (name, bar), _ = rate_bars(runs, rate_ceiling([runs]))
    assert (name, bar.value) == ("pipeline", 22)
    assert (bar.low_pct, bar.high_pct) == pytest.approx((50, 75))


def test_streams_are_drawn_over_their_number_from_zero():
    """Two curves: what all get, and what the slowest gets."""
    chart = streams_chart(with_streams(INT8, (1, 40.0), (4, 36.0)))
    assert [curve.name for curve in chart.curves] == ["streams_all", "streams_slowest"]
    assert [(spot.x_pct, spot.value) for spot in chart.curves[1].spots] == [(25, 40.0), (100, 9.0)]
    assert chart.curves[0].spots[0].y_pct == pytest.approx(0)
    assert streams_chart(INT8) is None


def test_a_soak_has_a_plot_for_each_figure_that_was_measured():
    """An empty plot of watts would say that there were none."""
    soak = with_soak(INT8)
    assert [chart.curves[0].name for chart in soak_charts(soak)] == [
        "soak_fps",
        "soak_p99",
        "soak_memory",
        "soak_temperature",
        "soak_watts",
    ]
    parts = tuple(replace(part, watts=None, p99_ms=None) for part in soak.measurement.soak.parts)
    names = [chart.curves[0].name for chart in soak_charts(with_soak(INT8, parts=parts))]
    assert names == ["soak_fps", "soak_memory", "soak_temperature"]
    assert all(0 <= spot.x_pct <= 100 for chart in soak_charts(soak) for spot in chart.curves[0].spots)
    assert soak_charts(with_soak(INT8, parts=())) == ()


def test_sizes_and_strata_keep_their_own_order():
    """Small, medium, large; and light before weather, whatever is hardest."""
    told = accuracy(
        0.5,
        per_size={"large": 0.2, "small": 0.3, "medium": 0.1},
        per_stratum={"tag:gate": 0.1, "weather:fog": 0.4, "light:night": 0.2},
    )
    made = [result(accuracy=told)]
    assert list(accuracy_dots(made, "sizes")) == ["small", "medium", "large"]
    assert list(accuracy_dots(made, "strata")) == ["light:night", "weather:fog", "tag:gate"]
    assert accuracy_dots([FP32], "strata") == {}


def test_settings_and_what_was_found_before_the_run_are_among_the_conditions():
    """Whoever repeats it needs them, and whoever doubts it."""
    preflight = Preflight(
        (Setting("fan", "quiet"),), 12.0, ("chromium",), tuned=("clocks",), findings=("12% of the memory is swapped",)
    )
    made = replace(FP32, preflight=preflight, conditions=replace(CONDITIONS, clocks_locked=False, governor="schedutil"))
    told = {name: value.replace("\N{NARROW NO-BREAK SPACE}", " ") for name, value in setting_facts(made, "en")}
    assert told["Clocks"] == "not locked"
    assert told["Governor"] == "schedutil"
    assert told["Fan"] == "quiet"
    assert (
        told["Before the run"]
        == "other programs 12 % busy (chromium); set for this run: clocks; 12 % of the memory is swapped"
    )
    assert dict(setting_facts(FP32, "en")) == {}


def test_power_is_told_with_its_sensor_its_gaps_and_idle():
    """Watts without these cannot be compared with anybody's."""
    told = {
        name: value.replace("\N{NARROW NO-BREAK SPACE}", " ") for name, value in power_facts(powered(FP32, 9.0), "en")
    }
    assert told["Power of"] == "module input, by INA3221: 100 samples in 10.0 s, at most 0.11 s apart"
    assert told["Idle power"] == "3.00 W"
    assert told["Temperature"] == "45 °C to 62 °C (tj-thermal)"
    assert told["GPU clock"] == "918 MHz to 918 MHz"
    assert dict(power_facts(powered(FP32, 9.0, idle_w=None), "en"))["Idle power"] == "not measured"
    assert dict(power_facts(FP32, "en")) == {}
