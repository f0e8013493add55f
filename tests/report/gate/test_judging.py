from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.gate import Gate, StratumKept
from edgekit.core.wire import to_wire
from edgekit.report.gate.judging import judge
from edgekit.report.gate.metrics import GATE_METRICS
from edgekit.report.gate.outcome import CANNOT_TELL, IMPROVEMENT, NO_WORSE, REGRESSION, SAME, Limits, gate_document
from edgekit.report.gate.sides import Side, Sides
from tests.report.gate.runs import in_turns, run, sessions, with_energy


def sides(before, after, history=()):
    return Sides(Side("branch main", tuple(before)), Side("change", tuple(after)), tuple(history))


def turns(*arguments, **options):
    results = in_turns(*arguments, **options)
    return sides(results[::2], results[1::2])


def row(report, key="pipeline_fps"):
    return next(item for item in report.rows if item.key == key)


def test_a_planted_slowdown_is_a_regression_in_every_figure_that_shows_it():
    """The machine drifts by 5 % from round to round, and still 5 % less FPS is found."""
    report = judge(turns(5.0, noise_pct=0.5), Limits())
    assert not report.passed
    assert {item.key for item in report.judged(REGRESSION)} >= {"pipeline_fps", "end_to_end_p50", "host_p50"}
    assert row(report, "engine_size").verdict == row(report, "map50_95").verdict == SAME
    assert row(report).change_pct == pytest.approx(-5.0, abs=1.0)
    assert row(report, "end_to_end_p50").change_pct == pytest.approx(5.2, abs=1.2)
    assert row(report).test == "paired t, 5 rounds"


def test_a_change_within_the_limit_is_no_regression_however_certain():
    """One percent that is beyond any doubt is allowed by a limit of two."""
    report = judge(turns(1.0, noise_pct=0.05), Limits())
    assert report.passed and row(report).verdict == SAME and row(report).p_value < 0.001
    assert not judge(turns(1.0, noise_pct=0.05), Limits(max_regression_pct=0.5)).passed


def test_a_large_change_that_chance_explains_is_not_called_one_and_not_called_the_same():
    """Three noisy rounds can show minus five percent of nothing."""
    report = judge(turns(4.0, rounds=3, noise_pct=6.0, seed=2), Limits())
    found = row(report)
    assert found.verdict == CANNOT_TELL and "it may be" in found.reason and "rounds would tell" in found.reason
    assert report.passed
    assert not judge(turns(4.0, rounds=3, noise_pct=6.0, seed=2), Limits(strict=True)).passed


def test_noise_towards_the_better_is_no_worse_but_not_the_same():
    """Twenty percent faster or nothing at all: nobody needs to worry, and nobody should read "same"."""
    report = judge(turns(-25.0, rounds=3, noise_pct=6.0, seed=4), Limits())
    assert NO_WORSE in {item.verdict for item in report.rows} and report.passed


def test_faster_is_an_improvement():
    report = judge(turns(-10.0, noise_pct=0.5), Limits())
    assert report.passed and row(report).verdict == row(report, "end_to_end_p99").verdict == IMPROVEMENT


def test_single_runs_take_the_spread_of_the_baselines_own_history():
    """Most projects run one bench for each commit."""
    history = sessions([20.0, 20.2, 19.9, 20.1, 20.0, 19.8], commit="a" * 12)
    slow, alike = run(18.0, session="x", at=50), run(19.9, session="y", at=51)
    judged = judge(sides(history[-1:], [slow], history), Limits())
    assert row(judged).verdict == REGRESSION and row(judged).test == "t, spread from history, 6 sessions"
    assert judge(sides(history[-1:], [alike], history), Limits()).passed


def test_the_judged_run_is_no_measure_of_its_own_noise():
    """With the slow run among the history, its own slowness would excuse it."""
    history = sessions([20.0, 20.1, 19.9])
    assert row(judge(sides(history, [run(18.0, session="x", at=50)], history), Limits())).verdict == REGRESSION


def test_one_run_on_each_side_and_no_history_cannot_be_told():
    """A gate that passes because it could not fail has to say so."""
    report = judge(sides([run(20.0)], [run(10.0, session="x", at=5)], [run(20.0)]), Limits())
    assert row(report).verdict == CANNOT_TELL and "--measure" in row(report).reason
    assert not report.could_fail and not report.passed and not report.failed


def test_rounds_of_one_session_are_not_independent_sessions():
    """Ten rounds on a bad day are one bad day: only pairs may count rounds."""
    good = [run(20.0 + 0.01 * n, session="good", round=n) for n in range(1, 11)]
    bad = [run(18.0 + 0.01 * n, session="bad", round=n, at=60) for n in range(1, 11)]
    assert row(judge(sides(good, bad, good), Limits())).verdict == CANNOT_TELL


def test_several_sessions_on_both_sides_are_told_by_welch():
    before, after = sessions([20.0, 20.2, 19.9, 20.1]), sessions([18.0, 18.3, 17.9], at=50)
    found = row(judge(sides(before, after), Limits()))
    assert (found.verdict, found.test) == (REGRESSION, "Welch's t, 7 sessions")


def test_what_one_side_did_not_measure_cannot_be_told():
    """A power sensor that broke with the change is not "the same power"."""
    results = in_turns(0.0)
    before, after = [with_energy(result, 10.0) for result in results[::2]], results[1::2]
    report = judge(sides(before, after), Limits())
    assert row(report, "power_mean").verdict == CANNOT_TELL
    assert row(report, "power_mean").reason == "not measured in what is judged"
    assert judge(sides(results[::2], after), Limits()).not_measured == ("energy a frame", "mean power")


def test_figures_of_two_sensors_are_two_figures():
    """A module's input and a GPU board's power differ by design."""
    results = in_turns(0.0)
    before = [with_energy(result, 10.0) for result in results[::2]]
    after = [with_energy(result, 12.0, sensor="tegrastats") for result in results[1::2]]
    found = row(judge(sides(before, after), Limits()), "joules_per_frame")
    assert found.verdict == CANNOT_TELL and "INA3221" in found.reason and "tegrastats" in found.reason


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), -1.0])
def test_a_figure_that_is_none_is_not_measured(value):
    """Files come from other machines; the logarithm of nothing would end the gate with a traceback."""
    results = in_turns(0.0)
    after = [_with_fps(result, value) for result in results[1::2]]
    assert row(judge(sides(results[::2], after), Limits())).reason == "not measured in what is judged"


def _with_fps(result, fps):
    rate = replace(result.measurement.pipeline_rate, fps=fps)
    return replace(result, measurement=replace(result.measurement, pipeline_rate=rate))


def test_lost_accuracy_fails_without_an_interval_only_beyond_the_limit():
    results = in_turns(0.0, noise_pct=0.1)
    for kept, verdict in ((0.99, SAME), (0.98, REGRESSION), (1.05, IMPROVEMENT)):
        after = [_with_map(result, 0.5 * kept) for result in results[1::2]]
        assert row(judge(sides(results[::2], after), Limits()), "map50_95").verdict == verdict


def _with_map(result, map50_95):
    return replace(result, accuracy=replace(result.accuracy, map50_95=map50_95))


@pytest.mark.parametrize(
    "kept, low, high, verdict",
    [
        (0.95, 0.93, 0.97, REGRESSION),
        (0.98, 0.95, 1.01, CANNOT_TELL),
        (0.99, 0.987, 0.993, SAME),
        (1.03, 1.01, 1.05, IMPROVEMENT),
    ],
)
def test_accuracy_on_the_same_pictures_is_judged_by_its_paired_interval(kept, low, high, verdict):
    """Few pictures can lose two percent by chance."""
    stratum = StratumKept("all", 200, 900, 0.5, 0.5 * kept, kept, low, high, "kept")
    gate = Gate("FP32 engine a", "FP32 engine b", "frozen", "5" * 64, (stratum,), 400)
    report = judge(turns(0.0, noise_pct=0.1), Limits(), accuracy=gate)
    found = row(report, "map50_95")
    assert found.verdict == verdict and found.test == "paired over the pictures, 200 pictures"


def test_a_bigger_engine_is_a_regression_without_any_test():
    results = in_turns(0.0, noise_pct=0.1)
    after = [replace(r, engine=replace(r.engine, file_bytes=int(r.engine.file_bytes * 1.1))) for r in results[1::2]]
    assert row(judge(sides(results[::2], after), Limits()), "engine_size").verdict == REGRESSION


def test_clean_sessions_are_hardly_ever_flagged_and_slow_ones_mostly():
    """The rates that the guide states, over made-up sessions of five rounds with 1 % noise."""
    clean = sum(not judge(turns(0.0, seed=seed), Limits()).passed for seed in range(200))
    slow = sum(not judge(turns(5.0, seed=seed), Limits()).passed for seed in range(200))
    assert clean <= 4 and slow >= 170


def test_the_document_is_json_with_the_verdict_on_top():
    document = gate_document(judge(turns(5.0, noise_pct=0.5), Limits()))
    assert document["schema"] == 1 and document["passed"] is False and document["interval_pct"] == 90.0
    assert len(document["rows"]) == len(GATE_METRICS) - 2 and document["rows"] == to_wire(document["rows"])


def test_a_run_without_any_rate_is_judged_by_what_it_has():
    """Nothing writes such a file, but somebody may send one."""
    results = in_turns(0.0, noise_pct=0.3)
    bare = [replace(r, measurement=replace(r.measurement, pipeline_rate=None, engine_rate=None)) for r in results]
    report = judge(sides(bare[::2], bare[1::2]), Limits())
    assert "pipeline FPS" in report.not_measured and row(report, "host_p50").verdict == SAME


def test_unstable_runs_are_told():
    results = in_turns(0.0)
    shaky = replace(results[1].measurement.pipeline_rate, stable=False, verdict="windows differ")
    after = [replace(results[1], measurement=replace(results[1].measurement, pipeline_rate=shaky)), *results[3::2]]
    assert "1 of 10 runs were not stable" in judge(sides(results[::2], after), Limits()).notes
