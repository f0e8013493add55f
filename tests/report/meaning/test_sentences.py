""" "What this means": each sentence follows from figures, in both languages, and none is said without them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from edgekit.core.gate import Gate, StratumKept
from edgekit.core.limits import Limits
from edgekit.core.stats import Rate, summarise_latency
from edgekit.core.wire import to_wire
from edgekit.report.load import ResultsFolder, Shipped, load_shipped
from edgekit.report.meaning.decision import decision_text
from edgekit.report.meaning.sentences import meaning_text, meanings
from edgekit.report.meaning.targets import target_verdicts
from edgekit.report.recorded.saying import Recorded
from edgekit.report.summary import summarise
from edgekit.report.texts import LANGUAGES
from tests.report.made_up import (
    accuracy,
    coverage,
    disturbed,
    engine,
    in_rounds,
    powered,
    result,
    with_soak,
    with_streams,
    write_document,
)

FP32, FP16, INT8 = result(), result("fp16", map50_95=0.499), result("int8", map50_95=0.494)


def report_of(*results, targets=None, seen=None):
    made = summarise(
        results,
        ResultsFolder(tuple(results), ()),
        None,
        created_utc="2001-01-03T00:00:00Z",
        edgekit_version="0.0.0",
        targets=targets or Limits(),
    )
    return replace(made, coverage=seen)


def said(*results, lang="en", **options):
    found = [meaning_text(lang, one) for one in meanings(report_of(*results, **options))]
    return " ".join(found).replace("\N{NARROW NO-BREAK SPACE}", " ")


def keys(*results, **options):
    return [one.key for one in meanings(report_of(*results, **options))]


def tone_of(key, *results, **options):
    return next(one.tone for one in meanings(report_of(*results, **options)) if one.key == key)


def test_int8_is_set_beside_fp32_and_beside_fp16():
    """Beside FP32 alone it would be given what FP16 brings for nothing."""
    words = said(FP32, FP16, INT8)
    assert "INT8 processes 2.00 times as many frames a second as FP32 (95 % interval 1.94 to 2.06" in words
    assert "INT8 processes 1.33 times as many frames a second as FP16" in words


def test_a_gain_that_may_be_noise_is_not_called_one():
    """And the way to find out is named."""
    words = said(FP32, result("int8", fps=20.3))
    assert "cannot be told apart in speed" in words
    assert "--rounds 5" in words
    assert "times as many" not in words


def test_runs_in_turns_are_said_to_be_so():
    """Their interval is another one, and worth more."""
    assert "from runs in turns" in said(*in_rounds("fp32", 20, 20.1, 19.9), *in_rounds("int8", 30, 30.2, 29.9))


def test_a_slower_int8_is_said_to_be_slower():
    """It happens on every GPU without the right kernels."""
    words = said(FP32, result("int8", fps=15))
    assert "INT8 is slower than FP32: 0.75 times" in words


@pytest.mark.parametrize(
    ("kept", "key", "tone"),
    [
        pytest.param(0.494, "kept", "good", id="98.8-percent"),
        pytest.param(0.49249, "lost", "bad", id="98.498-percent-is-below-98.5"),
    ],
)
def test_accuracy_is_held_to_the_limit_of_int8(kept, key, tone):
    """The limit of `deploy`; what misses it by a hair must not read as if it met it."""
    other = result("int8", map50_95=kept)
    assert tone_of(key, FP32, other) == tone
    assert ("keeps only 98.4 %" in said(FP32, other)) == (key == "lost")


def test_accuracy_of_one_engine_alone_is_said_to_say_nothing_about_the_other():
    """An empty cell is read as "no loss"."""
    bare = result(map50_95=None)
    assert "What INT8 keeps of FP32's accuracy is not known: FP32 was not judged" in said(bare, INT8)
    assert "kept_unknown" not in keys(bare, result("int8", map50_95=None))


def test_the_weakest_condition_is_named():
    """The whole hides the night."""
    weak = accuracy(0.496, per_condition={**accuracy(0.5).per_condition, "night": 0.3})
    words = said(FP32, result("int8", accuracy=weak))
    assert "INT8 loses most in night, where 72.2 % is kept" in words


def test_the_stage_that_sets_the_pace_is_named():
    """A faster engine is bought in vain where the host cannot follow."""
    assert "The engine sets the pace" in said(FP32)
    stages = {**FP32.measurement.stages, "preprocess": summarise_latency([80.0] * 200)}
    slow = replace(FP32, measurement=replace(FP32.measurement, stages=stages))
    words = said(slow)
    assert "Not the engine but preprocess sets the pace: 80.00 ms a frame" in words
    assert "The engine sets the pace" not in words


def test_an_engine_that_gains_more_than_its_pipeline_is_told():
    """Else the pipeline's loss would be held against INT8."""
    faster = replace(INT8, measurement=replace(INT8.measurement, engine_rate=Rate(80, 79, 81, 10, True, "stable")))
    assert "The engine of INT8 alone gains more, 3.88 times" in said(FP32, faster)


@pytest.mark.parametrize(
    ("targets", "verdict"),
    [
        pytest.param(Limits(fps=19.6), "met", id="whole-interval-above"),
        pytest.param(Limits(fps=20.0), "close", id="interval-holds-it"),
        pytest.param(Limits(fps=20.5), "missed", id="whole-interval-below"),
        pytest.param(Limits(p99_ms=200), "met", id="p99"),
        pytest.param(Limits(p99_ms=50), "missed", id="p99-above"),
        pytest.param(Limits(watts=10), "unmeasured", id="no-sensor"),
    ],
)
def test_a_target_is_met_missed_or_open(targets, verdict):
    """A target inside the interval is neither, and an unmeasured one is not met."""
    assert [one.verdict for one in target_verdicts([FP32], targets)] == [verdict]
    assert f"target_{verdict}" in keys(FP32, targets=targets)


def test_a_target_is_met_over_rounds_if_every_round_met_it():
    """The median alone would hide the round that did not."""
    runs = in_rounds("fp32", 20, 24, 26)
    verdicts = [target_verdicts(runs, Limits(fps=wanted))[0] for wanted in (19, 21, 27)]
    assert [one.verdict for one in verdicts] == ["met", "close", "missed"]
    assert verdicts[0].measured == 24


def test_a_disturbed_run_meets_no_target():
    """Throttled or helped, its figures are not the device's."""
    verdicts = target_verdicts([disturbed(FP32)], Limits(fps=1, p99_ms=1e6))
    assert [one.verdict for one in verdicts] == ["unmeasured", "unmeasured"]
    assert "the GPU was throttled" in said(disturbed(FP32))


def test_energy_is_told_with_its_error_and_whose_it_is():
    """Watts of a module are not watts at the wall."""
    words = said(powered(FP32, 9.0), powered(INT8, 7.0))
    assert "A frame costs INT8 0.175 J (0.173 to 0.177, which sampling cannot tell apart) at 7.00 W" in words
    assert "of the module input by INA3221" in words
    assert "INT8 needs 61.1 % less energy a frame than FP32" in words
    assert "energy" not in " ".join(keys(FP32, INT8))


def test_streams_and_soak_are_told_from_their_own_runs():
    """They stand beside the comparison and not in it."""
    streams = with_streams(INT8, (1, 40.0), (2, 40.0), (4, 40.0))
    words = said(FP32, INT8, streams, with_soak(INT8), targets=Limits(fps=15))
    assert "serves 4 streams with 40.0 FPS together; the slowest gets 10.0 FPS" in words
    assert "The most streams that INT8 carries with 15.0 FPS for each is 2; up to 4 were tried" in words
    assert "the rate of INT8 drifted by −3.00 % an hour (95 % interval −3.20 to −2.80)" in words
    assert "no growth of INT8's memory can be told from chance" in words


@pytest.mark.parametrize(
    ("trend", "tone"),
    [
        pytest.param({"fps_trend_pct": (-3.0, -4.0, -2.0)}, "bad", id="slower"),
        pytest.param({"fps_trend_pct": (3.0, 2.0, 4.0)}, "plain", id="faster"),
        pytest.param({"memory_trend_mib": (3.0, 2.0, 4.0)}, "bad", id="more-memory"),
        pytest.param({"memory_trend_mib": (-3.0, -4.0, -2.0)}, "plain", id="less-memory"),
    ],
)
def test_a_drift_is_bad_in_one_direction_only(trend, tone):
    """A rate that rises is not what takes a service down at night."""
    soak = with_soak(INT8, **{"fps_trend_pct": None, "memory_trend_mib": None, **trend})
    name = "rate" if "fps_trend_pct" in trend else "memory"
    assert tone_of(f"soak_{name}_drifts", INT8, soak) == tone


def test_a_camera_that_is_faster_than_the_pipeline_is_told():
    """25 FPS of a 30 FPS camera is a loss, not a rate."""
    live = replace(
        FP32,
        conditions=replace(FP32.conditions, scenario="camera"),
        measurement=replace(FP32.measurement, engine_rate=None, source_fps=30.0, dropped=99),
    )
    assert "does not keep up with the camera: 20.0 FPS of the 30.0 it gives, 99 frames dropped" in said(live)
    enough = replace(live, measurement=replace(live.measurement, source_fps=20.2))
    assert "keeps up with the camera" in said(enough)


def test_calibration_pictures_that_lack_scenes_are_told():
    """The first thing to mend when INT8 loses."""
    words = said(FP32, INT8, seen=coverage())
    assert "show nothing of: Weather: fog" in words
    assert "show too little of: Light: dusk" in words
    assert "150 of 180 weighted layers of INT8 compute in INT8" in words


def test_what_was_not_measured_is_listed_once():
    """Silence would read as nothing worth telling."""
    assert "Not measured in these runs: Mean power, Energy a frame." in said(FP32)
    assert "Not measured" not in said(powered(FP32, 9.0))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_sentence_can_be_said_in_every_language(lang):
    """A blank that one language lacks is a KeyError on the night before a review."""
    free = replace(INT8, conditions=replace(INT8.conditions, clocks_locked=False))
    reports = [
        (powered(FP32, 9.0), powered(FP16, 8.0), powered(INT8, 7.0), with_streams(INT8, (1, 9.0)), with_soak(INT8)),
        (free, disturbed(free)),
        (FP32, result("int8", fps=20.3, map50_95=0.3, stable=False)),
        (FP32, with_soak(INT8, fps_trend_pct=None, memory_trend_mib=(3.0, 2.0, 4.0))),
        (disturbed(FP32),),
        (FP32, result("int8", map50_95=None)),
    ]
    targets = Limits(fps=20, p99_ms=1, watts=1, joules_per_frame=1, mib=1)
    for results, seen in itertools.product(reports, (None, coverage(), coverage(strata=()))):
        words = said(*results, lang=lang, targets=targets, seen=seen)
        assert "{" not in words
        assert ("。" in words) == (lang == "zh")


def shipped(precision, *rows, int8_ms=5.0):
    gate = Gate("FP32 engine 0123456789abcdef", "INT8 engine 123", "frozen", "5" * 64, rows, 400)
    return Shipped(precision, "as recorded, 98.6% of it", "e" * 16, "r" * 16, gate, {"fp32": 10.0, "int8": int8_ms})


def kept(stratum, share, verdict):
    return StratumKept(stratum, 20, 100, 0.5, 0.5 * share, share, share - 0.02, share + 0.01, verdict)


ALL = kept("all", 0.986, "kept")
CASES = {
    "gain": (shipped("int8", ALL), "保持 FP32 mAP50-95 的 98.6 %，推理速度是其 2.00 倍"),
    "unsure": (shipped("int8", ALL, kept("fog", 0.93, "unsure")), "图片太少，无法判断：fog 93.0 %"),
    "refused": (shipped("fp32", ALL, kept("night", 0.9, "lost")), "以下场景损失过多：night 90.0 %（各要求 95.0 %）"),
    "whole": (shipped("fp32", kept("all", 0.9, "lost")), "总体只保持 mAP50-95 的 90.0 %，要求 98.5 %"),
    "slower": (shipped("fp32", ALL, int8_ms=11.0), "INT8 并不更快（11.0 ms 对 10.0 ms）"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_decision_is_said_in_chinese_from_what_was_recorded(name):
    """An English sentence in the middle of a Chinese page reads as an error message."""
    record, expected = CASES[name]
    assert expected in decision_text("zh", record).text.replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_a_decision_without_a_gate_stays_as_it_was_recorded():
    """A translation that guesses is worse than English; and percentages look alike on one page."""
    record = replace(shipped("int8", ALL), gate=None)
    english = "as recorded, 98.6\N{NARROW NO-BREAK SPACE}% of it"
    assert decision_text("en", record) == Recorded(english)
    assert decision_text("zh", record) == Recorded(english, "（原文为英文，暂无译文）")


def test_a_decision_without_a_gate_is_read_from_its_sentence():
    """Records of a device that was deployed to before gates were kept."""
    told = "INT8: it keeps 98.6% of FP32's mAP50-95 and its inference is 1.23 x as fast"
    record = replace(shipped("int8", ALL), gate=None, decision=told)
    assert decision_text("zh", record) == Recorded("INT8：保持 FP32 mAP50-95 的 98.6 %，推理速度是其 1.23 倍")


def test_agreement_with_the_model_is_not_called_accuracy_in_chinese_either():
    """It would pass for a proof."""
    record = shipped("int8", ALL)
    record = replace(record, gate=replace(record.gate, labelled_by="model"))
    assert "与模型的一致性（mAP50-95，图片未经人工标注）" in decision_text("zh", record).text


def test_the_gate_of_a_deploy_record_is_read_back_and_a_broken_one_is_none(tmp_path):
    """Old records have none, and a report must open them."""
    made = shipped("int8", ALL)
    document = {
        "precision": "int8",
        "decision": "x",
        "engine_id": "e",
        "release_id": "r",
        "gate": to_wire(made.gate),
        "verifications": [{"precision": "int8", "inference": {"p50_ms": 5.0}}, {"precision": "fp32"}],
    }
    write_document(tmp_path / "deploy.json", document)
    read = load_shipped(tmp_path / "deploy.json", "roadscene")
    assert (read.gate, read.inference_p50_ms) == (made.gate, {"int8": 5.0})
    for broken in ({}, {"rows": []}, "x", {**to_wire(made.gate), "rows": []}):
        write_document(tmp_path / "deploy.json", {**document, "gate": broken, "verifications": None})
        assert load_shipped(tmp_path / "deploy.json", "roadscene").gate is None


def test_two_int8_engines_are_told_apart_by_name():
    """ "INT8 is slower than INT8" helps nobody."""
    other = result("int8", fps=30, engine=engine("int8", engine_id="d" * 16, calibration_images=120))
    words = said(FP32, INT8, other)
    assert "INT8 (300) processes" in words
    assert "INT8 (120) processes" in words
