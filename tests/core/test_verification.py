"""Golden frames, and the rule by which INT8 ships or does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.gate import Gate, StratumKept, verdict_of
from edgekit.core.results import Accuracy
from edgekit.core.stats import summarise_latency
from edgekit.core.verification import (
    Verification,
    choose,
    finished_distance,
    golden_distance,
    golden_limit,
)
from edgekit.errors import VerifyError


def checked(precision, map50_95, p50_ms):
    accuracy = None if map50_95 is None else Accuracy("frozen", "0" * 64, 10, map50_95, 0.9, {}, {})
    return Verification(precision * 2, precision, 8, 0.0, accuracy, summarise_latency([p50_ms] * 5))


FP32 = checked("fp32", 0.600, 20.0)


def row(stratum, kept, high=None):
    """A row of 20 pictures; without `high` the interval leaves no doubt."""
    high = kept + 0.001 if high is None else high
    verdict = verdict_of(stratum, 20, 0.6, kept, high)
    return StratumKept(stratum, 20, 90, 0.6, round(0.6 * kept, 6), kept, kept - 0.001, high, verdict)


def gate(overall, *strata, labelled_by="people"):
    rows = (row("all", overall), *strata)
    return Gate("FP32 engine fp32fp32", "INT8 engine int8int8", "frozen", "0" * 64, rows, 400, labelled_by)


def test_int8_that_keeps_accuracy_and_is_faster_ships():
    """The kit's promise at its edge: exactly 98.5 % is enough, and 95 % of a stratum."""
    decision = choose("auto", [FP32, checked("int8", 0.591, 10.0)], gate=gate(0.985, row("night", 0.95)))
    assert decision.precision == "int8"
    assert "98.5 %" in decision.decision
    assert "2.00 x" in decision.decision


@pytest.mark.parametrize(
    "judged, p50_ms, reason",
    [
        (gate(0.98499), 10.0, "keeps 98.4 % of FP32's mAP50-95, 98.5 % is needed"),
        (gate(0.999), 20.0, "no faster"),
        (None, 10.0, "not measured"),
        (gate(0.99, row("fog", 0.94), row("night", 0.912)), 10.0, "night 91.2 %, fog 94.0 % (95.0 % is needed in"),
    ],
)
def test_int8_stays_behind_for_a_stated_reason(judged, p50_ms, reason):
    """Lost: the sentence that tells a user why the fast engine does not ship, and where it sees worse."""
    decision = choose("auto", [FP32, checked("int8", 0.59, p50_ms)], gate=judged)
    assert decision.precision == "fp32"
    assert decision.decision.startswith("FP32 is enough here: ")
    assert reason in decision.decision


def test_a_refusal_says_what_to_do_about_it():
    """Lost: the way from "refused" to an INT8 that may ship."""
    decision = choose("auto", [FP32, checked("int8", 0.5, 10.0)], gate=gate(0.9))
    assert "edgekit calib inspect" in decision.decision and "edgekit sensitivity" in decision.decision
    assert "edgekit" not in choose("auto", [FP32, checked("int8", 0.6, 30.0)], gate=gate(1.0)).decision


def test_int8_asked_for_outright_still_may_not_lose_too_much():
    """Lost: a detector that went blind, or blind at night, because someone typed --precision int8."""
    int8 = checked("int8", 0.59, 10.0)
    with pytest.raises(VerifyError, match="98.5 % is needed"):
        choose("int8", [FP32, int8], gate=gate(0.8))
    with pytest.raises(VerifyError, match="night 80.0 %"):
        choose("int8", [FP32, int8], gate=gate(0.99, row("night", 0.8)))


def test_what_too_few_pictures_cannot_tell_ships_and_is_told():
    """A stratum of few pictures would refuse good engines by chance; silence about it would hide bad ones."""
    decision = choose("auto", [FP32, checked("int8", 0.6, 10.0)], gate=gate(0.99, row("fog", 0.93, high=1.02)))
    assert decision.precision == "int8"
    assert "too few pictures to tell: fog 93.0 %" in decision.decision


def test_agreement_with_the_model_is_never_called_accuracy():
    """A set that nobody labelled says how much changed, not how good the detector is."""
    decision = choose("auto", [FP32, checked("int8", None, 10.0)], gate=gate(0.99, labelled_by="model"))
    assert decision.precision == "int8" and "agreement with the model" in decision.decision


def test_a_failed_int8_is_told_with_its_reason():
    """Lost: the word that INT8 was tried at all."""
    assert (
        choose("auto", [FP32], "INT8 failed, no scale for node 7").decision == "FP32: INT8 failed, no scale for node 7"
    )
    assert "no calibration set" in choose("auto", [FP32]).decision


def test_int8_asked_for_outright_ships_when_it_is_only_slow():
    """The user's choice counts where accuracy is kept."""
    assert choose("int8", [FP32, checked("int8", 0.6, 30.0)], gate=gate(1.0)).precision == "int8"


def test_a_baseline_that_finds_nothing_never_vouches_for_int8():
    """0 of 0 is not 100 %."""
    nothing = StratumKept("all", 20, 90, 0.0, 0.0, 0.0, 0.0, 0.0, verdict_of("all", 20, 0.0, 0.0, 0.0))
    judged = Gate("FP32 engine a", "INT8 engine b", "frozen", "0" * 64, (nothing,), 400)
    decision = choose("auto", [checked("fp32", 0.0, 20.0), checked("int8", 0.0, 10.0)], gate=judged)
    assert decision.precision == "fp32" and "the baseline finds nothing" in decision.decision


def test_equal_outputs_have_no_distance():
    """Lost: the zero of the scale."""
    outputs = {"output0": np.random.default_rng(1).random((1, 12, 50), np.float32)}
    assert golden_distance(outputs, {name: value.copy() for name, value in outputs.items()}) < 1e-12


@pytest.mark.parametrize("fault", ["nan", "constant", "missing", "shape", "shuffled"])
def test_a_broken_engine_is_far_from_the_model(fault):
    """Each way in which builders are known to fail silently."""
    rng = np.random.default_rng(2)
    expected = {"output0": rng.normal(size=(1, 12, 50)).astype(np.float32)}
    actual = {"output0": expected["output0"].copy()}
    if fault == "nan":
        actual["output0"][0, 3, 4] = np.nan
    elif fault == "constant":
        actual["output0"][:] = 0.5
    elif fault == "missing":
        actual = {}
    elif fault == "shape":
        actual["output0"] = actual["output0"][:, :-1]
    else:
        rng.shuffle(actual["output0"].reshape(-1))
    assert golden_distance(expected, actual) > golden_limit("int8", finished=False)


def test_a_verification_is_a_value():
    """Lost: records that change under the reader."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        FP32.precision = "int8"


def seen(*rows):
    """Detections from (class id, left, top, right, bottom), surest first."""
    boxes = np.array([row[1:] for row in rows], np.float32).reshape(-1, 4)
    return Detections(
        boxes, np.linspace(0.9, 0.5, len(rows), dtype=np.float32), np.array([r[0] for r in rows], np.int32)
    )


CAR, BUS, MAN = (0, 0, 0, 20, 10), (1, 40, 0, 90, 30), (2, 100, 0, 110, 30)


@pytest.mark.parametrize(
    "actual, distance",
    [
        (seen(CAR, BUS, MAN), 0.0),
        (seen(MAN, CAR, BUS), 0.0),
        (seen((0, 1, 0, 21, 10), BUS, MAN), 0.0),
        (seen(CAR, BUS), 1 - 4 / 5),
        (seen(CAR, BUS, MAN, (0, 200, 0, 220, 10)), 1 - 6 / 7),
        (seen((1, 0, 0, 20, 10), BUS, MAN), 1 - 4 / 6),
        (seen(CAR, CAR, BUS, MAN), 1 - 6 / 7),
        (seen(), 1.0),
    ],
    ids=["same", "other order", "a pixel off", "one missed", "one too many", "other class", "twice", "blind"],
)
def test_finished_detections_are_compared_as_objects(actual, distance):
    """Networks with suppression inside sort their rows by score: compared as tensors, INT8 would never pass."""
    assert finished_distance([seen(CAR, BUS, MAN)], [actual]) == pytest.approx(distance)


def test_two_that_find_nothing_agree():
    """An empty street must not fail a build."""
    assert finished_distance([seen()], [seen()]) == 0.0
