"""What makes figures unfit to be compared, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.disturbances import MachineSample, find_disturbances, while_counted, worth_keeping

WINDOWS = [(10.0, 15.0), (16.0, 20.0)]
CALM = MachineSample(
    t_s=0.0,
    temperature_c=50.0,
    events={"oc1_event_cnt": 0, "oc2_event_cnt": 4, "oc3_event_cnt": 7},
    power_mode="25W",
    clock_limits={"GPU": "306000000-1020000000"},
    gpu_reasons=0x1,
)


def run(**from_second):
    """Looks at 5 to 25 s, calm until changes: {field: {second: value from then on}}."""
    samples = []
    for second in range(5, 26):
        sample = replace(CALM, t_s=float(second))
        for name, values in from_second.items():
            due = [value for begin, value in values.items() if begin <= second]
            sample = replace(sample, **{name: due[-1]}) if due else sample
        samples.append(sample)
    return samples


def test_a_calm_run_is_undisturbed():
    """Nothing could ever be compared."""
    assert find_disturbances(run(), WINDOWS) == ()
    assert find_disturbances([], WINDOWS) == ()
    assert find_disturbances(run(), []) == ()


def test_a_chip_that_slowed_itself_down_is_told_with_how_long():
    """Half of the run at half the clock is no figure of this engine."""
    samples = run(throttling={12: ("tj-throttle-alert", "cpu-throttle-alert"), 15: ()})
    assert find_disturbances(samples, WINDOWS) == (
        "the chip slowed itself down for heat in 3 of 11 looks at it (cpu-throttle-alert, tj-throttle-alert)",
    )


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ("oc1_event_cnt", "its voltage was too low: a stronger power supply is due (oc1_event_cnt rose by 2)"),
        ("oc2_event_cnt", "it drew more current than it may on average (oc2_event_cnt rose by 2)"),
        ("oc3_event_cnt", "it drew more current than it may at a moment (oc3_event_cnt rose by 2)"),
        ("core_throttle_count", "a processor core slowed itself down for heat (core_throttle_count rose by 2)"),
    ],
)
def test_events_are_those_between_the_windows_edges(event, sentence):
    """The counters are of all that happened since the machine was started."""
    before = {event: 5}
    samples = run(events={5: before, 14: {event: 7}})
    assert find_disturbances(samples, WINDOWS) == (sentence,)
    assert find_disturbances(run(events={5: {event: 1}, 8: {event: 5}}), WINDOWS) == ()
    assert find_disturbances(run(events={5: before, 22: {event: 9}}), WINDOWS) == ()


def test_over_current_at_a_moment_is_how_a_super_module_works():
    """In MAXN_SUPER every run would be thrown away."""
    stepping = {5: {"oc3_event_cnt": 1}, 12: {"oc3_event_cnt": 90}}
    assert find_disturbances(run(events=stepping, power_mode={5: "MAXN_SUPER"}), WINDOWS) == ()
    assert find_disturbances(run(events=stepping, power_mode={5: "MAXN"}), WINDOWS) != ()
    under = {5: {"oc1_event_cnt": 1}, 12: {"oc1_event_cnt": 2}}
    assert find_disturbances(run(events=under, power_mode={5: "MAXN_SUPER"}), WINDOWS) != ()


def test_a_counter_that_began_again_counts_from_there():
    """A driver that is loaded again would give minus five events, and hide the three."""
    samples = run(events={5: {"oc2_event_cnt": 5}, 12: {"oc2_event_cnt": 0}, 14: {"oc2_event_cnt": 3}})
    assert find_disturbances(samples, WINDOWS) == (
        "it drew more current than it may on average (oc2_event_cnt rose by 3)",
    )


def test_a_gpu_that_protects_itself_is_told_and_one_at_its_power_limit_is_not():
    """The limit of its power is how a GPU works under load, and the same in every run."""
    assert find_disturbances(run(gpu_reasons={5: 0x4 | 0x2, 12: 0x10 | 0x100}), WINDOWS) == ()
    slowed = run(gpu_reasons={12: 0x4 | 0x40, 13: 0x8 | 0x80 | 0x20, 14: None})
    assert find_disturbances(slowed, WINDOWS) == (
        "the GPU slowed itself down in 2 of 11 looks at it (hardware slowdown, heat, by the driver, "
        "heat, by the hardware, power brake of the board)",
    )


def test_another_power_mode_or_clock_limit_in_the_run_is_told():
    """Half of the figures are of another machine."""
    samples = run(power_mode={5: "25W", 13: "MAXN_SUPER", 18: None}, clock_limits={12: {"GPU": "1-2"}, 17: {}})
    assert find_disturbances(samples, WINDOWS) == (
        "the power mode changed: 25W -> MAXN_SUPER",
        "the clock limits of GPU changed: 306000000-1020000000 -> 1-2",
    )
    assert find_disturbances(run(power_mode={5: None, 13: "25W"}), WINDOWS) == ()


def test_what_came_before_and_after_the_counting_does_not_disturb_it():
    """Building and loading may heat a device as they like."""
    samples = run(throttling={5: ("tj-throttle-alert",), 10: (), 21: ("tj-throttle-alert",)})
    assert find_disturbances(samples, WINDOWS) == ()
    assert [sample.t_s for sample in while_counted(samples, [(10.4, 12.6)])] == [10.0, 11.0, 12.0, 13.0]
    assert while_counted(samples, [(1.0, 90.0)]) == samples


def test_of_a_day_is_kept_what_changed_and_a_look_now_and_then():
    """A hundred thousand looks would be the leak that a soak is to find."""
    kept = []
    for step in range(2 * 86400):
        sample = replace(CALM, t_s=step / 2, throttling=("tj-throttle-alert",) if step in (100_000, 100_003) else ())
        if worth_keeping(sample, kept):
            kept.append(sample)
    assert len(kept) < 21_000
    assert len([sample for sample in kept if sample.t_s < 600]) == 1200
    assert [sample.t_s for sample in kept if sample.throttling] == [50_000.0, 50_001.5]
    gaps_s = [after.t_s - before.t_s for before, after in zip(kept, [*kept[1:], kept[-1]])]
    assert max(gaps_s) <= 5.0
