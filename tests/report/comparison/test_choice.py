"""Which of many recorded runs a report is about, and which never stand beside others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.report.comparison.choice import choose
from edgekit.report.comparison.comparing import compare
from edgekit.report.comparison.ratio import rate_ratio
from tests.report.made_up import CONDITIONS, disturbed, in_rounds, powered, result, with_soak, with_streams

FP32, INT8 = result(), result("int8", map50_95=0.495)


def ids(results):
    return sorted(one.result_id for one in results)


def row_of(comparison, key):
    return next((row for row in comparison.rows if row.key == key), None)


def pipeline(made):
    return made.measurement.pipeline_rate


def test_a_disturbed_run_is_left_out_with_its_reason():
    """A throttled board beside a cool one is a comparison of the weather."""
    newer = disturbed(result("int8", fps=90, created_utc="2001-05-01T00:00:00Z"))
    choice = choose([FP32, INT8, newer])
    assert ids(choice.results) == ids([FP32, INT8])
    assert [*map(str, choice.left_out)] == [f"{newer.result_id}: disturbed: the GPU was throttled for 2.1 s"]


def test_a_disturbed_run_stands_alone_if_there_is_no_other():
    """Hiding it would look as if nothing was measured; comparing it would be worse."""
    old, new = disturbed(FP32), disturbed(result("int8", created_utc="2001-05-01T00:00:00Z"))
    choice = choose([old, new])
    assert choice.results == (new,)
    assert len(choice.left_out) == 1


def test_another_scenario_does_not_push_out_the_comparison_and_is_kept_beside_it():
    """A soak of the night must not replace the table of the day, and belongs on the page."""
    soak = replace(with_soak(INT8), created_utc="2001-06-01T00:00:00Z")
    streams = replace(with_streams(INT8, (1, 40.0), (4, 40.0)), created_utc="2001-06-02T00:00:00Z")
    older = replace(soak, result_id="older", created_utc="2001-05-01T00:00:00Z")
    choice = choose([FP32, INT8, soak, streams, older])
    assert ids(choice.results) == ids([FP32, INT8])
    assert ids(choice.others) == ids([soak, streams])
    assert [one.result_id for one in choice.left_out] == ["older"]


def test_the_pipeline_goes_before_a_scenario_with_more_engines():
    """Three engines alone on ready tensors are no answer to "how many frames a second"."""
    three = [with_streams(result(precision), (1, 20.0)) for precision in ("fp32", "fp16", "int8")]
    choice = choose([*three, FP32, INT8])
    assert ids(choice.results) == ids([FP32, INT8])
    assert len(choice.others) == 3


def test_a_run_with_several_streams_alone_is_reported_as_such():
    """Whoever measured only that still gets a page."""
    only = with_streams(INT8, (1, 40.0), (2, 40.0))
    assert choose([only]).results == (only,)
    assert row_of(compare([only]), "engine_fps") is None


def test_of_several_rounds_the_middle_one_stands_for_its_engine():
    """The last one might be the lucky one."""
    choice = choose([*in_rounds("fp32", 20, 18, 30), *in_rounds("int8", 41, 44, 40)])
    assert [r.measurement.rate.fps for r in compare(choice.results, choice.rounds).results] == [20, 41]
    assert choice.left_out == ()


def test_rounds_are_compared_in_pairs_so_that_a_drifting_machine_cancels():
    """Every round both engines slowed down by a fifth; within each the gain is 10 % and steady."""
    before, after = in_rounds("fp32", 25, 20, 16, 12.8), in_rounds("int8", 27.6, 22, 17.5, 14.1)
    choice = choose([*before, *after])
    comparison = compare(choice.results, choice.rounds)
    change = row_of(comparison, "pipeline_fps").changes[0]
    assert change.verdict == "better"
    assert change.pct == pytest.approx(10, abs=0.5)
    ratio = rate_ratio(before, after, pipeline)
    assert (ratio.pairs, ratio.told_apart) == (4, True)
    assert ratio.low < 1.1 < ratio.high
    assert rate_ratio(before[:1], after[1:2], pipeline).pairs == 0


def test_pairs_that_contradict_each_other_claim_nothing():
    """Faster in one round and slower in the next is noise, whatever the mean says."""
    ratio = rate_ratio(in_rounds("fp32", 20, 20, 20), in_rounds("int8", 25, 16, 24), pipeline)
    assert not ratio.told_apart
    assert ratio.low < 1 < ratio.high


def test_disturbed_rounds_are_no_pairs():
    """One throttled round would otherwise carry the interval."""
    before, after = in_rounds("fp32", 20, 20, 20), list(in_rounds("int8", 22, 22, 22))
    after[1] = disturbed(after[1])
    assert rate_ratio(before, after, pipeline).pairs == 2


def test_the_interval_of_a_ratio_of_single_runs_by_hand():
    """2 % either side of both: the ratio of 2 is good to 2.8 %, as independent errors add."""
    ratio = rate_ratio([FP32], [INT8], pipeline)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2.0, 1.9442, 2.0574), abs=1e-3)


def test_energy_a_frame_is_compared_with_what_sampling_cannot_know():
    """0.45 against 0.175 J is a gain; 0.45 against 0.449 J is none."""
    comparison = compare([powered(FP32, 9.0), powered(INT8, 7.0)])
    row = row_of(comparison, "joules_per_frame")
    assert row.values == pytest.approx((0.45, 0.175))
    assert row.intervals[0] == pytest.approx((0.4455, 0.4545))
    assert row.changes[0].verdict == "better"
    assert row_of(comparison, "joules_above_idle").values == pytest.approx((0.3, 0.1))
    close = compare([powered(FP32, 9.0), powered(result("int8", fps=20), 8.9)])
    assert row_of(close, "joules_per_frame").changes[0].verdict == "unclear"


def test_what_is_kept_of_the_accuracy_has_a_row_of_its_own():
    """ "-1 %" and "99 % kept" are read by different people."""
    row = row_of(compare([FP32, INT8]), "map_kept")
    assert row.values == pytest.approx((100, 99))
    assert row_of(compare([FP32]), "map_kept") is None
    assert row_of(compare([FP32, result("int8", map50_95=None)]), "map_kept").values[1] is None


def test_rows_that_nobody_can_fill_are_left_out_and_those_that_matter_are_not():
    """GPU use of a machine without a GPU is noise; its power is a gap worth showing."""
    keys = [row.key for row in compare([FP32]).rows]
    assert "gpu_utilisation" not in keys
    assert "engine_fps_without_graph" not in keys
    assert "power_mean" in keys
    board = replace(FP32, profile=replace(FP32.profile, sm=87))
    assert row_of(compare([board]), "gpu_utilisation").values == (None,)


def test_locked_clocks_are_a_condition():
    """The same board with free clocks is another machine."""
    locked = replace(INT8, conditions=replace(CONDITIONS, clocks_locked=True, governor="performance"))
    assert len(choose([FP32, locked]).results) == 1
