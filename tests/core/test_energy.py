"""Energy from samples: known curves, made-up power between samples, gaps, counters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.core import energy as energy_rules
from edgekit.core.energy import SensorLimits
from edgekit.core.power_curve import PowerSample, curve_of_samples, interval_s


def integrate(samples, *arguments, **named):
    return energy_rules.integrate(curve_of_samples(samples), *arguments, **named)


def mean_watts(samples, between):
    return energy_rules.mean_watts(curve_of_samples(samples), between)


def sampling_problems(samples, windows, every_s):
    return energy_rules.sampling_problems(curve_of_samples(samples), windows, every_s)


EXACT = {"rel": 1e-9, "abs": 1e-6}


def sampled(power, until_s=10.0, every_s=0.1, start_s=0.0):
    moments_s = np.arange(start_s, until_s + every_s / 2, every_s)
    return [PowerSample(float(t_s), float(power(t_s))) for t_s in moments_s]


def test_steady_power_has_no_error():
    """An error that is stated where there is none hides real differences."""
    energy = integrate(sampled(lambda t_s: 15.0), [(1.05, 4.05), (6.0, 8.0)], 100, 5.0, "module input", "INA3221")
    assert energy.joules == pytest.approx(75.0, **EXACT)
    assert energy.error_joules == pytest.approx(0.0, abs=1e-6)
    assert (energy.mean_w, energy.max_w, energy.sampled_s) == pytest.approx((15.0, 15.0, 5.0))
    assert energy.longest_gap_s == pytest.approx(0.1)
    assert energy.joules_per_frame == pytest.approx(0.75)
    assert energy.joules_per_frame_above_idle == pytest.approx(0.5)
    assert (energy.of, energy.sensor, energy.frames) == ("module input", "INA3221", 100)


def test_a_ramp_is_integrated_exactly_also_where_windows_cut_between_samples():
    """Windows are as short as a second: their edges are a good part of them."""
    energy = integrate(sampled(lambda t_s: 2 * t_s), [(1.03, 2.57)], 10)
    assert energy.joules == pytest.approx(2.57**2 - 1.03**2, **EXACT)
    assert energy.mean_w == pytest.approx(2.57 + 1.03, abs=1e-5)
    assert energy.max_w == pytest.approx(5.0)  # of the samples, the last at 2.5 s
    assert energy.samples == 15


def test_what_was_drawn_outside_the_windows_does_not_count():
    """Loading the engine would be charged to the frames."""
    samples = sampled(lambda t_s: 100.0 if t_s < 2.0 or t_s > 5.0 else 10.0)
    assert integrate(samples, [(2.0, 5.0)], 1).joules == pytest.approx(30.0, **EXACT)


def test_windows_that_overlap_or_are_empty_count_once():
    """Two threads that mark the same time would double the energy."""
    samples = sampled(lambda t_s: 10.0)
    twice = [(1.0, 3.0), (2.0, 4.0), (2.5, 2.5), (3.9, 1.0), (4.0, 5.0), (math.nan, 9.0)]
    assert integrate(samples, twice, 1).joules == pytest.approx(40.0, **EXACT)
    assert integrate(samples, [(2.0, 2.0)], 1) is None
    assert integrate(samples, [], 1) is None


@pytest.mark.parametrize("window", [(-0.5, 2.0), (9.0, 10.5), (20.0, 21.0), (-math.inf, 2.0), (9.0, math.inf)])
def test_a_window_that_samples_do_not_reach_over_is_not_measured(window):
    """A sensor that vanished half way would make the second half free."""
    assert integrate(sampled(lambda t_s: 10.0), [(3.0, 4.0), window], 1) is None


def test_samples_may_be_unordered_twice_or_no_numbers():
    """Two readers append to one list."""
    samples = sampled(lambda t_s: 10.0)
    odd = [*samples[::-1], samples[7], PowerSample(1.234, math.nan), PowerSample(math.inf, 1.0)]
    assert integrate(odd, [(1.0, 9.0)], 1).joules == pytest.approx(80.0, **EXACT)
    assert integrate([PowerSample(0.0, 1.0)], [(0.0, 1.0)], 1) is None
    assert integrate([], [(0.0, 1.0)], 1) is None


def made_up_run(seed):
    """Samples, windows, and a power of 200 values a gap that stays between its samples."""
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 60))
    times_s = np.cumsum(random.choice([0.05, 0.1, 0.1, 0.1, 0.8], count) * random.uniform(0.5, 1.5, count))
    watts = random.choice([5.0, 10.0, 25.0], count) + random.uniform(-3, 3, count)
    fine_s = np.linspace(times_s[:-1], times_s[1:], 201)[:-1].T.reshape(-1)
    low, high = np.minimum(watts[:-1], watts[1:]), np.maximum(watts[:-1], watts[1:])
    share = random.uniform(0, 1, (count - 1, 200)) if seed % 2 else random.integers(0, 2, (count - 1, 1)) * np.ones(200)
    fine_w = (low[:, None] + (high - low)[:, None] * share).reshape(-1)
    edges_s = np.sort(random.uniform(times_s[0], times_s[-1], 2 * int(random.integers(1, 5))))
    return times_s, watts, fine_s, fine_w, [(float(a), float(b)) for a, b in edges_s.reshape(-1, 2)]


def energy_until(fine_s, fine_w, last_s, moment_s):
    """Of a power that is fine_w from each of fine_s to the next."""
    ends_s = np.append(fine_s[1:], last_s)
    return float((fine_w * np.clip(np.minimum(ends_s, moment_s) - fine_s, 0, None)).sum())


@pytest.mark.parametrize("seed", range(200))
def test_the_stated_error_holds_whatever_power_did_between_its_samples(seed):
    """A figure without an honest error starts an argument instead of ending it."""
    times_s, watts, fine_s, fine_w, windows = made_up_run(seed)
    true_j = sum(
        energy_until(fine_s, fine_w, times_s[-1], end) - energy_until(fine_s, fine_w, times_s[-1], start)
        for start, end in windows
    )
    energy = integrate([PowerSample(t, w) for t, w in zip(times_s, watts)], windows, 1)
    assert abs(energy.joules - true_j) <= energy.error_joules + 1e-5
    assert energy.error_joules <= np.abs(np.diff(watts)).max() * energy.sampled_s + 1e-5


@pytest.mark.parametrize("seed", range(60))
def test_a_counter_loses_nothing_between_its_readings(seed):
    """Between two samples of power anything may happen; a counter has counted it."""
    random = np.random.default_rng(seed)
    fine_s = np.arange(0, 20, 0.002)
    levels_w = np.repeat(random.uniform(5, 60, 40), 250)  # a new power every half a second
    drawn_j = np.concatenate([[0.0], np.cumsum(levels_w * 0.002)])
    true = lambda t_s: float(np.interp(t_s, np.append(fine_s, 20.0), drawn_j))  # noqa: E731
    times_s = np.arange(0, 20, 0.1) + random.uniform(0, 0.05, 200)
    samples = [PowerSample(float(t), float(levels_w[int(t / 0.002)]), joules=true(t)) for t in times_s]
    start, end = 1.0 + random.uniform(0, 3), 15.0 + random.uniform(0, 3)
    energy = integrate(samples, [(start, end)], 1)
    assert abs(energy.joules - (true(end) - true(start))) <= energy.error_joules + 1e-4
    assert energy.error_joules < 0.03 * energy.joules


def test_a_counter_that_is_behind_states_it():
    """NVML's counter steps every 100 ms: a second holds ten of them."""
    samples = [PowerSample(step / 10, 50.0, joules=50.0 * step / 10) for step in range(100)]
    energy = integrate(samples, [(1.0, 2.0), (4.0, 5.0)], 1, limits=SensorLimits(tick_s=0.1))
    assert energy.joules == pytest.approx(100.0, **EXACT)
    assert energy.error_joules == pytest.approx(2 * 0.1 * 50.0, abs=1e-5)


@pytest.mark.parametrize("seed", range(60))
def test_an_update_between_two_readings_a_moment_apart_is_no_burst_of_power(seed):
    """Samples are taken at both edges of a window; on a real GPU this made an error of 370 J of 897."""
    random = np.random.default_rng(seed)
    levels_w = np.repeat(random.choice([120.0, 180.0], 40), 500)  # a new power every half a second
    drawn_j = np.concatenate([[0.0], np.cumsum(levels_w * 0.001)])
    start, end = 5.0 + random.uniform(0, 1), 11.0 + random.uniform(0, 1)
    shift_s = random.uniform(0, 0.1)  # of the counter's updates, 0.1 s apart
    told_j = lambda t_s: float(drawn_j[int(((t_s - shift_s) // 0.1 * 0.1 + shift_s) / 0.001)])  # noqa: E731
    edges_s = [edge + late_s for edge in (start, end) for late_s in (-0.001, 0.001)]
    times_s = sorted([*(np.arange(1, 19, 0.1) + random.uniform(0, 0.01, 180)), *edges_s])
    samples = [PowerSample(float(t), float(levels_w[int(t / 0.001)]), joules=told_j(t)) for t in times_s]
    energy = integrate(samples, [(start, end)], 1, limits=SensorLimits(tick_s=0.1))
    true_j = float(drawn_j[int(end / 0.001)] - drawn_j[int(start / 0.001)])
    assert abs(energy.joules - true_j) <= energy.error_joules + 0.5
    assert energy.error_joules < 0.1 * energy.joules


def test_a_counter_that_stands_still_is_not_used():
    """A driver that does not fill it in would make every frame free."""
    samples = [PowerSample(step / 10, 50.0, joules=5000.0) for step in range(100)]
    assert integrate(samples, [(1.0, 9.0)], 1).joules == pytest.approx(400.0, **EXACT)


@pytest.mark.parametrize("broken", [None, -5.0, math.nan])
def test_a_counter_that_misses_a_reading_or_goes_back_is_not_used(broken):
    """It was set back by a driver that was loaded again: the difference would be anything."""
    samples = [PowerSample(step / 10, 50.0, joules=float(step)) for step in range(100)]
    samples[40] = PowerSample(4.0, 50.0, joules=broken)
    assert integrate(samples, [(1.0, 9.0)], 1).joules == pytest.approx(400.0, **EXACT)


def test_the_smallest_step_of_a_sensor_is_part_of_the_error():
    """8 mA at 5 V are 40 mW: a saving of 20 mW was not measured."""
    energy = integrate(sampled(lambda t_s: 13.2), [(0.0, 10.0)], 1, limits=SensorLimits(step_w=0.04))
    assert energy.error_joules == pytest.approx(0.2, abs=1e-6)


def test_rails_have_means_where_all_samples_name_them():
    """A rail that failed half way would show half of its power."""
    samples = [
        PowerSample(step / 10, 12.0, {"VDD_IN": 12.0, "VDD_SOC": step / 10, **({"GPU": 1.0} if step else {})})
        for step in range(101)
    ]
    assert integrate(samples, [(2.0, 4.0)], 1).rails_w == pytest.approx({"VDD_IN": 12.0, "VDD_SOC": 3.0})
    rails_w = integrate(samples[::-1], [(2.0, 4.0)], 1).rails_w
    assert "GPU" not in rails_w


def test_a_window_between_two_samples_is_measured_with_a_large_error():
    """A short run with a slow sensor is not nothing, and not exact."""
    energy = integrate([PowerSample(0.0, 10.0), PowerSample(1.0, 20.0)], [(0.4, 0.6)], 3)
    assert energy.joules == pytest.approx(3.0, **EXACT)
    assert energy.error_joules == pytest.approx(1.0, abs=1e-6)
    assert (energy.samples, energy.longest_gap_s) == (0, 1.0)


def test_mean_power_of_the_idle_time_is_of_that_time_alone():
    """Idle power is taken off every frame."""
    samples = sampled(lambda t_s: 4.0 if t_s <= 2.0 else 20.0)
    assert mean_watts(samples, (0.5, 2.0)) == pytest.approx(4.0)
    assert mean_watts(samples, (-2.0, 2.0)) is None


def test_gaps_in_counted_time_are_told():
    """The error grows with them, and so does the doubt that the sensor works."""
    samples = [sample for sample in sampled(lambda t_s: 10.0) if not 3.05 < sample.t_s < 4.75]
    assert sampling_problems(samples, [(1.0, 9.0)], 0.1) == (
        "the power sensor missed several samples once: it gave nothing for up to 1.8 s",
    )
    assert sampling_problems(samples, [(1.0, 2.0), (6.0, 7.0)], 0.1) == ()
    assert sampling_problems(samples, [(1.0, 9.0)], 0.5) != ()
    assert sampling_problems(samples, [(1.0, 12.0)], 0.1)[0].endswith("2 times: it gave nothing for up to 2.0 s")
    assert sampling_problems([], [(1.0, 9.0)], 0.1) == ("the power sensor gave nothing while frames were counted",)
    assert sampling_problems([], [], 0.1) == ()
    slow = sampled(lambda t_s: 10.0, until_s=30.0, every_s=3.0)
    assert sampling_problems(slow, [(0.0, 30.0)], 3.0) == ()
    assert sampling_problems(slow[::2], [(0.0, 30.0)], 3.0) != ()


def test_a_long_run_is_sampled_less_and_less_often_and_that_is_no_gap():
    """What is kept of a soak must not grow like a leak, and its plan must not look like a fault."""
    assert [interval_s(0.1, elapsed_s) for elapsed_s in (0.0, 1800.0, 3600.0, 7200.0, 86400.0)] == pytest.approx(
        [0.1, 0.1, 0.2, 0.4, 0.4]
    )
    assert interval_s(2.0, 86400.0) == 2.0
    moments_s = [0.0]
    while moments_s[-1] < 10_000.0:
        moments_s.append(moments_s[-1] + 1.5 * interval_s(0.1, moments_s[-1]))
    samples = [PowerSample(t_s, 5.0) for t_s in moments_s]
    assert sampling_problems(samples, [(0.0, 10_000.0)], 0.1) == ()
    assert sampling_problems(samples[::4], [(0.0, 10_000.0)], 0.1) != ()
