"""Golden frames, and the rule by which INT8 ships or does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.results import Accuracy
from edgekit.core.stats import summarise_latency
from edgekit.core.verification import (
    Verification,
    choose,
    finished_distance,
    golden_distance,
    golden_limit,
    int8_refusal,
)
from edgekit.errors import VerifyError


def checked(precision, map50_95, p50_ms):
    accuracy = None if map50_95 is None else Accuracy("frozen", "0" * 64, 10, map50_95, 0.9, {}, {})
    return Verification(precision * 2, precision, 8, 0.0, accuracy, summarise_latency([p50_ms] * 5))


FP32 = checked("fp32", 0.600, 20.0)


def test_int8_that_keeps_accuracy_and_is_faster_ships():
    """The kit's promise at its edge: exactly 98.5 % is enough."""
    decision = choose("auto", [FP32, checked("int8", 0.591, 10.0)])
    assert decision.precision == "int8"
    assert "98.5%" in decision.decision
    assert "2.00 x" in decision.decision


@pytest.mark.parametrize(
    "int8, reason",
    [
        (checked("int8", 0.5909, 10.0), "98.5% is needed"),
        (checked("int8", 0.600, 20.0), "no faster"),
        (checked("int8", None, 10.0), "not measured"),
        (checked("int8", 0.0, 10.0), "0.0%"),
    ],
)
def test_int8_stays_behind_for_a_stated_reason(int8, reason):
    """Lost: the sentence that tells a user why the fast engine does not ship."""
    decision = choose("auto", [FP32, int8])
    assert decision.precision == "fp32"
    assert decision.decision.startswith("FP32 is enough here: ")
    assert reason in decision.decision


def test_int8_asked_for_outright_still_may_not_lose_too_much():
    """Lost: a detector that went blind because someone typed --precision int8."""
    with pytest.raises(VerifyError, match="98.5% is needed"):
        choose("int8", [FP32, checked("int8", 0.5, 10.0)])


def test_a_failed_int8_is_told_with_its_reason():
    """Lost: the word that INT8 was tried at all."""
    assert (
        choose("auto", [FP32], "INT8 failed, no scale for node 7").decision == "FP32: INT8 failed, no scale for node 7"
    )
    assert "no calibration set" in choose("auto", [FP32]).decision


def test_int8_asked_for_outright_ships_when_it_is_only_slow():
    """The user's choice counts where accuracy is kept."""
    assert choose("int8", [FP32, checked("int8", 0.6, 30.0)]).precision == "int8"


def test_a_baseline_that_finds_nothing_never_vouches_for_int8():
    """0 of 0 is not 100 %."""
    blind = checked("fp32", 0.0, 20.0)
    assert "0.0%" in int8_refusal(blind, checked("int8", 0.0, 10.0))


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
