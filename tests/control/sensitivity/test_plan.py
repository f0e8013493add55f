"""How many layers are tried next, and what is made of the outcome: rules without a device."""

from __future__ import annotations

import dataclasses

import pytest

from edgekit.control.sensitivity.plan import advise, next_count
from edgekit.control.sensitivity.rank import LayerHarm
from edgekit.control.sensitivity.record import Attempt, Search, Speed
from edgekit.core.gate import Gate, StratumKept


def tried_in_all(enough: int, layers: int) -> "list[int]":
    """The counts that are built where `enough` layers in float suffice; more than there are: never."""
    passed = {0: False}
    while (count := next_count(passed, layers)) is not None:
        assert count not in passed
        passed[count] = count >= enough
    return list(passed)


@pytest.mark.parametrize("enough", range(1, 29))
def test_the_least_count_that_is_enough_is_found_in_few_builds(enough):
    """A build takes minutes on a Jetson, and a layer too many in float costs speed for good."""
    tried = tried_in_all(enough, 57)
    assert enough in tried
    assert len(tried) <= 10


def test_no_more_than_half_of_the_layers_is_tried():
    """Beyond that INT8 has nothing left to win, and the search ends."""
    assert tried_in_all(99, 57) == [0, 2, 4, 8, 16, 28]
    assert tried_in_all(99, 1) == [0, 1]


def test_nothing_is_tried_where_int8_is_good():
    """With nothing to mend, nothing is built."""
    assert next_count({0: True}, 57) is None


def row(stratum: str, kept: float, verdict: str) -> StratumKept:
    return StratumKept(stratum, 20, 50, 0.5, 0.5 * kept, kept, kept - 0.01, kept + 0.01, verdict)


def attempt(keep_float: "tuple[str, ...]", kept: float, *, by: str = "people") -> Attempt:
    verdict = "kept" if kept >= 0.985 else "lost"
    gate = Gate("FP16 engine a", "INT8 engine b", "frozen", "0" * 64, (row("all", kept, verdict),), 400, by)
    return Attempt(keep_float, f"engine{len(keep_float)}", 57 - len(keep_float), 64, gate)


SEARCH = Search(
    device="xavier-nx",
    detector="roadscene",
    calibration="day",
    dataset="frozen",
    baseline_precision="fp16",
    baseline_engine_id="base",
    start=(),
    harms=(LayerHarm("a", 0.2), LayerHarm("b", 0.1), LayerHarm("c", 0.0)),
    attempts=(attempt((), 0.9), attempt(("a", "b"), 0.99), attempt(("a",), 0.986)),
    speed=Speed("engine1", 4.0, 2.0, 2.5),
)


def test_the_engine_with_the_fewest_layers_in_float_is_recommended():
    """Its cost in speed stands beside what it mends."""
    advice = advise(SEARCH)
    assert advice.keep_float == ("a",)
    assert "1 layer more in float" in advice.sentence
    assert "keeps 98.6 % of the baseline's mAP50-95" in advice.sentence
    assert "inference p50 2.5 ms, 2 ms before, 4 ms at FP16" in advice.sentence


def test_int8_that_is_no_faster_any_more_is_not_recommended():
    """FP16 is then as fast, and as accurate as can be."""
    advice = advise(dataclasses.replace(SEARCH, speed=Speed("engine1", 4.0, 2.0, 4.1)))
    assert advice.keep_float is None
    assert "no faster than FP16" in advice.sentence


def test_nothing_to_mend_is_said():
    """Most searches should end like this."""
    advice = advise(dataclasses.replace(SEARCH, harms=(), speed=None, attempts=(attempt((), 0.991),)))
    assert (advice.keep_float, advice.sentence) == (
        None,
        "nothing to mend: INT8 keeps 99.1 % of the baseline's mAP50-95",
    )


def test_what_could_not_be_mended_leads_to_the_calibration_set():
    """Layers in float are no cure for pictures that were never shown."""
    failed = dataclasses.replace(SEARCH, speed=None, attempts=(attempt((), 0.9), attempt(("a",), 0.91)))
    advice = advise(failed)
    assert advice.keep_float is None
    assert "1 of its 3 layers" in advice.sentence and "edgekit calib inspect day --against frozen" in advice.sentence


def test_agreement_with_the_model_is_never_called_accuracy():
    """Without labels nobody knows how accurate either engine is."""
    found = dataclasses.replace(SEARCH, harms=(), speed=None, attempts=(attempt((), 0.991, by="model"),))
    sentence = advise(found).sentence
    assert "agreement with the model" in sentence and "mAP" not in sentence


def test_an_engine_that_did_not_come_about_does_not_pass():
    """It has no accuracy, and no speed either."""
    broken = Attempt((), "x", 0, 0, None, "the INT8 engine does not answer as the model does")
    assert not broken.passed
    mended = dataclasses.replace(
        SEARCH, attempts=(broken, attempt(("a",), 0.99)), speed=Speed("engine1", 4.0, 0.0, 2.5)
    )
    assert "before" not in advise(mended).sentence
