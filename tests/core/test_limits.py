"""Limits on measured figures: what keeps one, and what can never keep one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.limits import KEYS, READS, Limits, joules_per_frame, memory_mib, missed_limits, p99_ms, watts
from edgekit.core.results import BenchResult, Energy, MachineRun
from edgekit.core.stats import LatencySummary
from tests.report.made_up import result

ENERGY = Energy(
    of="module input", sensor="INA3221", samples=100, sampled_s=10.0, longest_gap_s=0.1, mean_w=9.5, max_w=11.0,
    joules=95.0, error_joules=1.0, frames=200,
)  # fmt: skip


def measured(fps: float = 25.0, **figures: object) -> BenchResult:
    """A made-up result of which everything was measured."""
    made = result(fps=fps)
    return replace(made, measurement=replace(made.measurement, **{"energy": ENERGY, **figures}))


def summary(p99: float) -> LatencySummary:
    return LatencySummary(200, p99 / 2, p99 / 2, p99 * 0.8, p99 * 0.9, p99, p99 * 2)


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        pytest.param(Limits(), True, id="nothing is asked"),
        pytest.param(Limits(fps=25.0), True, id="the rate is exactly the least"),
        pytest.param(Limits(fps=25.01), False, id="the rate is below the least"),
        pytest.param(Limits(watts=9.5), True, id="the power is exactly the most"),
        pytest.param(Limits(watts=9.4), False, id="the power is above the most"),
        pytest.param(Limits(joules_per_frame=0.475), True, id="a frame costs exactly the most"),
        pytest.param(Limits(joules_per_frame=0.47), False, id="a frame costs more"),
        pytest.param(Limits(mib=400), True, id="memory is exactly the most"),
        pytest.param(Limits(mib=399), False, id="memory is above the most"),
        pytest.param(Limits(p99_ms=1.0), False, id="frames take longer"),
        pytest.param(Limits(p99_ms=1000.0), True, id="frames are quick enough"),
    ],
)
def test_a_rate_is_kept_from_below_and_everything_else_from_above(limits, kept):
    """A sign the wrong way round would let every slow device pass."""
    assert (missed_limits(limits, [measured()]) == ()) is kept


def test_all_limits_that_are_missed_are_told_at_once_with_both_values():
    """One at a time, five limits take five runs."""
    missed = missed_limits(Limits(fps=30, p99_ms=1, watts=5, joules_per_frame=0.1, mib=100), [measured()])
    assert [item.limit for item in missed] == list(KEYS)
    assert missed[0].sentence == "the rate: 25.0 FPS is below the limit of 30"
    assert missed[2].sentence == "power: 9.50 W is above the limit of 5"
    assert (missed[4].wanted, missed[4].measured) == (100, 400.0)


def test_what_was_not_measured_keeps_no_limit():
    """None taken for 0 W would be the most frugal device of all."""
    bare = result(fps=25.0)
    assert [item.limit for item in missed_limits(Limits(watts=1000.0, joules_per_frame=1000.0), [bare])] == [
        "watts",
        "joules_per_frame",
    ]
    few = measured(stages={"end_to_end": replace(summary(5.0), samples=50, p99_ms=None)}, memory_peak_mib=None)
    missed = missed_limits(Limits(p99_ms=1000.0, mib=10_000.0), [few])
    assert [(item.limit, item.measured) for item in missed] == [("p99_ms", None), ("mib", None)]
    assert "was not measured (it takes 100 frames" in missed[0].sentence


def test_a_disturbed_run_keeps_no_limit_whatever_its_figures_are():
    """A board that throttled once has shown nothing about the next hour."""
    disturbed = measured(fps=1000.0, disturbances=("the GPU was throttled for 3 s",))
    assert [item.limit for item in missed_limits(Limits(fps=1, watts=100), [disturbed])] == ["fps", "watts"]
    assert missed_limits(Limits(fps=1, watts=100), [disturbed, measured()]) == ()


def test_the_median_of_the_undisturbed_rounds_is_what_counts():
    """One lucky round must not carry a limit, and one unlucky one must not break it."""
    rounds = [measured(fps=fps) for fps in (20.0, 26.0, 27.0)]
    assert missed_limits(Limits(fps=26), rounds) == ()
    assert missed_limits(Limits(fps=26.5), rounds)[0].measured == 26.0


def test_a_figure_just_beside_its_limit_is_not_shown_as_the_limit():
    """ "25.0 FPS is below the limit of 25" makes nobody wiser."""
    assert "24.998 FPS" in missed_limits(Limits(fps=25), [measured(fps=24.998)])[0].sentence


def test_a_live_source_is_judged_by_the_age_of_its_frames():
    """Through the pipeline in 5 ms is no use if the frame waited for 80 ms."""
    live = measured(stages={"end_to_end": summary(5.0), "age": summary(85.0)})
    assert (p99_ms(live), p99_ms(measured(stages={"end_to_end": summary(5.0)}))) == (85.0, 5.0)
    assert p99_ms(measured(stages={"inference": summary(5.0)})) is None


def test_memory_of_a_gpu_of_its_own_counts_with_that_of_the_process():
    """On a board both are one; on a PC half of what an engine takes would be overlooked."""
    assert memory_mib(measured(memory_peak_mib=300, machine=MachineRun(gpu_memory_peak_mib=500))) == 800.0
    assert memory_mib(measured(memory_peak_mib=300, machine=MachineRun())) == 300.0


def test_power_of_an_old_result_is_read_where_it_was_kept_then():
    """Files of schema 1 have a mean alone."""
    assert watts(measured(energy=None, power_mean_w=7.0)) == 7.0
    assert joules_per_frame(measured(energy=None, power_mean_w=7.0)) is None
    assert joules_per_frame(measured(energy=replace(ENERGY, frames=0))) is None


def test_limits_are_completed_by_those_behind_them():
    """The command line goes before the scenario, and this before devices.yaml."""
    assert Limits(fps=25).over(Limits(fps=10, watts=8)) == Limits(fps=25, watts=8)
    assert Limits(fps=25, watts=8).asked == {"fps": 25, "watts": 8}


def test_every_limit_has_its_figure():
    """A limit without a figure would fail at the end of a long run."""
    assert set(READS) == set(KEYS)
