"""The verdict on each stratum, and the words in which it is told."""

from __future__ import annotations

import pytest

from edgekit.core.gate import (
    Gate,
    StratumKept,
    kept_text,
    lost_text,
    refusal_text,
    share_text,
    stratum_order,
    verdict_of,
)


@pytest.mark.parametrize(
    "stratum, pictures, baseline_map, kept, high, verdict",
    [
        ("all", 3, 0.7, 0.985, 0.990, "kept"),
        ("all", 220, 0.7, 0.9849, 1.2, "lost"),  # the whole is held to its limit, whatever the interval says
        ("night", 20, 0.7, 0.95, 0.96, "kept"),
        ("night", 20, 0.7, 0.949, 0.999, "lost"),
        ("night", 20, 0.7, 0.949, 1.0, "unsure"),
        ("night", 9, 0.7, 0.5, 0.6, "not judged"),
        ("night", 20, 0.0, 0.0, 0.0, "not judged"),
    ],
)
def test_the_verdict_at_its_edges(stratum, pictures, baseline_map, kept, high, verdict):
    """An engine ships or not by these comparisons."""
    assert verdict_of(stratum, pictures, baseline_map, kept, high) == verdict


def made(*rows, labelled_by="people"):
    kept = tuple(
        StratumKept(name, 20, 50, 0.7, 0.7 * share, share, share, share, verdict) for name, share, verdict in rows
    )
    return Gate("FP16 engine a1", "INT8 engine b2", "frozen", "0" * 64, kept, 400, labelled_by)


def test_one_lost_stratum_refuses_what_the_whole_would_let_pass():
    """The mean over all scenes hides that a detector went blind at night."""
    gate = made(("all", 0.99, "kept"), ("day", 1.0, "kept"), ("night", 0.7, "lost"))
    assert not gate.passed
    assert lost_text(gate) == "night 70.0 %"
    assert refusal_text(gate) == "too little is left in night 70.0 % (95.0 % is needed in each)"


def test_what_is_unsure_or_not_judged_refuses_nothing():
    """Chance in a few pictures would refuse good engines."""
    gate = made(("all", 0.99, "kept"), ("fog", 0.9, "unsure"), ("snow", 0.0, "not judged"))
    assert gate.passed and refusal_text(gate) == ""


def test_a_whole_that_could_not_be_judged_does_not_pass():
    """A baseline that finds nothing vouches for no engine."""
    gate = made(("all", 0.0, "not judged"))
    assert not gate.passed
    assert refusal_text(gate).startswith("the baseline finds nothing")


@pytest.mark.parametrize(
    "share, text", [(0.985, "98.5 %"), (0.98499, "98.4 %"), (0.9499999, "94.9 %"), (1.002, "100.2 %")]
)
def test_a_share_below_a_limit_never_reads_as_if_it_met_it(share, text):
    """ "98.5 % of 98.5 % needed: refused" would be read as a fault."""
    assert share_text(share) == text


def test_agreement_with_the_model_is_called_so():
    """Lost: the difference between a labelled set and a guess."""
    people, model = made(("all", 0.99, "kept")), made(("all", 0.99, "kept"), labelled_by="model")
    assert kept_text(people) == "keeps 99.0 % of FP16's mAP50-95"
    assert "agreement with the model" in kept_text(model) and "nobody labelled" in kept_text(model)


def test_conditions_come_first_then_axes_then_tags():
    """Rows in a fixed order can be compared from run to run."""
    names = ["tag:yard", "size:tiny", "night", "weather:fog", "light:night", "fog"]
    expected = ["fog", "night", "light:night", "weather:fog", "size:tiny", "tag:yard"]
    assert sorted(names, key=stratum_order) == expected
