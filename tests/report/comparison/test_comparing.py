"""Before and after: only like is compared with like, and a change is called what it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.errors import UsageError
from edgekit.report.comparison.choice import choose
from edgekit.report.comparison.comparing import METRICS, change_between, compare, differences
from tests.report.made_up import CONDITIONS, PROFILE, accuracy, engine, result

FP32, INT8 = result(), result("int8", map50_95=0.495)
RATE = next(metric for metric in METRICS if metric.key == "pipeline_fps")
LATENCY = next(metric for metric in METRICS if metric.key == "end_to_end_p95")
MAP = next(metric for metric in METRICS if metric.key == "map50_95")


def row_of(comparison, key):
    return next(row for row in comparison.rows if row.key == key)


def test_the_highest_precision_is_the_baseline_in_any_order():
    """ "Twice as fast" turned round would be "half as fast"."""
    fp16 = result("fp16")
    for results in ([INT8, fp16, FP32], [FP32, INT8, fp16]):
        assert [r.engine.precision for r in compare(results).results] == ["fp32", "fp16", "int8"]


def test_changes_by_hand():
    """20 to 40 FPS is +100 %, 0.500 to 0.495 is -1 %, 8 to 4 MB is -50 %."""
    comparison = compare([FP32, INT8])
    assert row_of(comparison, "pipeline_fps").changes[0].pct == pytest.approx(100)
    assert row_of(comparison, "map50_95").changes[0].pct == pytest.approx(-1)
    assert row_of(comparison, "engine_size").changes[0].pct == pytest.approx(-50)
    assert row_of(comparison, "pipeline_fps").changes[0].verdict == "better"
    assert row_of(comparison, "map50_95").changes[0].verdict == "worse"
    assert row_of(comparison, "engine_size").changes[0].verdict == "better"


@pytest.mark.parametrize(
    ("metric", "before", "after", "overlap", "pct", "verdict"),
    [
        pytest.param(RATE, 20, 21, False, 5, "better", id="faster"),
        pytest.param(RATE, 20, 19, False, -5, "worse", id="slower"),
        pytest.param(RATE, 20, 21, True, 5, "unclear", id="faster-within-the-noise"),
        pytest.param(LATENCY, 10, 5, False, -50, "better", id="less-latency"),
        pytest.param(LATENCY, 10, 11, False, 10, "worse", id="more-latency"),
        pytest.param(LATENCY, 10, 10.1, False, 1, "same", id="hardly-more-latency"),
        pytest.param(MAP, 0.5, 0.4, False, -20, "worse", id="accuracy-lost"),
        pytest.param(MAP, None, 0.4, False, None, "unknown", id="before-not-measured"),
        pytest.param(MAP, 0.5, None, False, None, "unknown", id="after-not-measured"),
        pytest.param(MAP, 0.0, 0.4, False, None, "unknown", id="nothing-to-relate-to"),
    ],
)
def test_a_change_is_called_what_it_is(metric, before, after, overlap, pct, verdict):
    """Green and red on a page are claims."""
    change = change_between(metric, before, after, overlap=overlap)
    assert change.pct == (None if pct is None else pytest.approx(pct))
    assert change.verdict == verdict


def test_a_gain_inside_both_intervals_is_not_claimed():
    """Two runs of one engine differ by a few percent; that is no optimisation."""
    close = result("int8", fps=20.3)
    assert row_of(compare([FP32, close]), "pipeline_fps").changes[0].verdict == "unclear"


def test_what_was_not_measured_stays_none():
    """A zero in the table would say that the board draws no power."""
    row = row_of(compare([FP32, INT8]), "power_mean")
    assert (row.values, row.changes[0].verdict) == ((None, None), "unknown")


@pytest.mark.parametrize(
    ("other", "field"),
    [
        pytest.param(replace(INT8, device="yard"), "device: local and yard", id="device"),
        pytest.param(replace(INT8, conditions=replace(CONDITIONS, batch=8)), "conditions.batch: 1 and 8", id="batch"),
        pytest.param(
            replace(INT8, conditions=replace(CONDITIONS, source="/v.mp4")), "conditions.source: ", id="source"
        ),
        pytest.param(
            replace(INT8, conditions=replace(CONDITIONS, threads=1)), "conditions.threads: 2 and 1", id="threads"
        ),
        pytest.param(
            replace(INT8, engine=engine("int8", model_sha256="9" * 64)),
            "engine.model_sha256: 222222222222 and 999999999999",
            id="model",
        ),
        pytest.param(
            replace(INT8, profile=replace(PROFILE, backend_version="1.1.0")),
            "profile.engine_key: ",
            id="back-end-version",
        ),
        pytest.param(
            replace(INT8, profile=replace(PROFILE, power_mode="15W")),
            "profile.power_mode: None and 15W",
            id="power-mode",
        ),
        pytest.param(
            replace(INT8, accuracy=accuracy(0.4, dataset_sha256="8" * 64)),
            "accuracy.dataset_sha256: ",
            id="labelled-set",
        ),
    ],
)
def test_results_of_other_conditions_are_refused_by_the_name_of_the_field(other, field):
    """A table over two power modes or two sources settles no argument, it starts one."""
    with pytest.raises(UsageError) as caught:
        compare([FP32, other])
    assert caught.value.why.startswith(field)
    assert len(differences(FP32, other)) == 1


def test_equal_conditions_do_not_differ():
    """Time, commit, note and memory that happened to be free are no conditions."""
    later = replace(
        INT8,
        created_utc="2002-01-01T00:00:00Z",
        git_commit=None,
        note="again",
        profile=replace(PROFILE, memory_available_mib=1, disk_free_mib=1),
    )
    assert differences(FP32, later) == ()


def test_the_newest_result_of_each_engine_is_chosen():
    """A second run replaces the first; it does not average with it."""
    again = result(created_utc="2001-02-01T00:00:00Z", fps=22)
    assert sorted(r.result_id for r in choose([FP32, INT8, again]).results) == sorted([again.result_id, INT8.result_id])


def test_a_short_run_does_not_push_out_the_comparison():
    """After a full bench, `bench --duration 3` of one engine must not leave the page without its before."""
    short = result("int8", created_utc="2001-03-01T00:00:00Z", conditions=replace(CONDITIONS, duration_s=3.0))
    choice = choose([FP32, INT8, short])
    assert choice.results == (FP32, INT8) or choice.results == (INT8, FP32)
    assert len(choice.left_out) == 1
    assert "conditions.duration_s: 10.0 and 3.0" in str(choice.left_out[0])


def test_results_of_an_older_model_are_left_out_even_if_there_are_more_of_them():
    """The report is about the model that is there now."""
    new = result(created_utc="2001-03-01T00:00:00Z", engine=engine(model_sha256="9" * 64, engine_id="n" * 16))
    choice = choose([FP32, INT8, new])
    assert choice.results == (new,)
    assert len(choice.left_out) == 2


def test_accuracy_is_taken_from_another_run_of_the_same_engine():
    """Accuracy belongs to the engine file: a run that measured only speed keeps it."""
    fast = result(map50_95=None, created_utc="2001-03-01T00:00:00Z")
    chosen = choose([FP32, fast]).results[0]
    assert (chosen.created_utc, chosen.accuracy) == (fast.created_utc, FP32.accuracy)


def test_a_choice_can_always_be_compared():
    """Two labelled sets in one group would otherwise fail later."""
    other_set = result("int8", accuracy=accuracy(0.4, dataset_sha256="8" * 64))
    choice = choose([FP32, other_set])
    assert compare(choice.results)
    assert len(choice.results) + len(choice.left_out) == 2
