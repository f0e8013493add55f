"""Engines judged against each other: what is lost, where, and that nothing else is said to be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgekit.control.evaluation.accuracy import evaluate
from edgekit.control.evaluation.gate import judge
from edgekit.control.evaluation.truth import PictureTruth, make_truth
from edgekit.errors import ConfigError, VerifyError
from tests.made_up_truth import made_up, written

LABELS = ("car", "person", "bus")
NAMES = {"baseline_name": "FP32 engine a1", "candidate_name": "INT8 engine b2", "resamples": 100}


@pytest.fixture(scope="module")
def scenes():
    return made_up(2, pictures=60)


def conditions(truth):
    return {name: (picture.condition,) for name, picture in truth.pictures.items()}


def worse_at(truth, found, condition, shift_px=8):
    """The same predictions, with boxes that lie beside their objects in one condition."""
    shifted = {
        name: PictureTruth(300, 300, one.objects.with_boxes(one.objects.boxes_xyxy + np.float32(shift_px)))
        for name, one in found.items()
    }
    return {name: shifted[name] if truth.pictures[name].condition == condition else found[name] for name in found}


def test_an_engine_passes_against_itself_in_every_stratum(scenes):
    """A gate that refuses the same engine would refuse all."""
    truth, found = scenes
    gate = judge(truth, found, found, LABELS, conditions(truth), **NAMES)
    assert gate.passed
    assert [(row.stratum, row.kept, row.low, row.high) for row in gate.rows] == [
        ("all", 1, 1, 1),
        ("day", 1, 1, 1),
        ("night", 1, 1, 1),
    ]


def test_what_is_lost_is_lost_where_it_was_lost(scenes):
    """The sentence "night 60 %" sends people to the pictures that are missing; "day" would send them astray."""
    truth, found = scenes
    gate = judge(truth, found, worse_at(truth, found, "night"), LABELS, conditions(truth), **NAMES)
    verdicts = {row.stratum: row.verdict for row in gate.rows}
    assert verdicts == {"all": "lost", "day": "kept", "night": "lost"}
    assert not gate.passed and [row.stratum for row in gate.lost] == ["all", "night"]
    night = gate.rows[2]
    assert night.low <= night.kept <= night.high < 1
    assert (night.pictures, night.objects) == (
        30,
        sum(len(one.objects) for one in truth.pictures.values() if one.condition == "night"),
    )


def test_the_figures_are_those_of_the_evaluation(scenes, tmp_path):
    """Two figures for one thing in one report would cost the trust in both."""
    truth, found = scenes
    worse = worse_at(truth, found, "night")
    gate = judge(truth, found, worse, LABELS, conditions(truth), **NAMES)
    accuracy = evaluate(written(tmp_path, worse), truth, LABELS)
    assert gate.overall.map50_95 == pytest.approx(accuracy.map50_95, abs=2e-6)
    assert gate.rows[2].map50_95 == pytest.approx(accuracy.per_condition["night"], abs=2e-6)


def test_strata_of_the_same_pictures_are_told_once(scenes):
    """A table that says everything twice is not read; the name that people gave stays."""
    truth, found = scenes
    strata = {
        name: (picture.condition, f"light:{picture.condition}", "tag:all-of-them")
        for name, picture in truth.pictures.items()
    }
    gate = judge(truth, found, found, LABELS, strata, **NAMES)
    assert [row.stratum for row in gate.rows] == ["all", "day", "night"]


def test_few_pictures_with_objects_are_not_judged(scenes):
    """Nine pictures cannot tell 95 % from 100 %, and empty ones tell nothing."""
    truth, found = scenes
    filled = [name for name, picture in truth.pictures.items() if len(picture.objects)]
    empty = [name for name in truth.pictures if name not in filled]
    assert empty, "the set has such pictures"
    strata = dict.fromkeys([*filled[:9], *empty], ("rare",))
    rare = judge(truth, found, worse_at(truth, found, "night", 60), LABELS, strata, **NAMES).rows[1]
    assert (rare.stratum, rare.pictures, rare.verdict) == ("rare", 9 + len(empty), "not judged")


def test_the_same_pictures_and_seed_give_the_same_gate(scenes):
    """A verdict that changes by itself from run to run is none."""
    truth, found = scenes
    worse = worse_at(truth, found, "day", 2)
    first, second = (judge(truth, found, worse, LABELS, conditions(truth), **NAMES) for _ in range(2))
    assert first == second
    assert first.rows[1] != judge(truth, found, worse, LABELS, conditions(truth), **NAMES, seed=1).rows[1]


def test_predictions_of_another_set_are_refused(scenes):
    """Missing pictures would count as an engine that sees nothing."""
    truth, found = scenes
    fewer = {name: one for name, one in found.items() if name != "7.jpg"}
    with pytest.raises(VerifyError, match="1 of 60 pictures.*have no prediction") as caught:
        judge(truth, found, fewer, LABELS, {}, **NAMES)
    assert "INT8 engine b2" in caught.value.why


def test_a_set_in_which_nothing_is_labelled_judges_nothing(scenes):
    """0 objects found of 0 is not accuracy."""
    truth, found = scenes
    none = np.array([], int)
    empty = {name: dataclasses.replace(one, objects=one.objects.select(none)) for name, one in truth.pictures.items()}
    with pytest.raises(ConfigError, match="no labelled object"):
        judge(make_truth("empty", empty), found, found, LABELS, {}, **NAMES)
