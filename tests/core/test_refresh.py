"""The rule by which a refreshed engine takes the place of the one that serves, or does not."""

from __future__ import annotations

import dataclasses
import json

import pytest

from edgekit.core.gate import Gate, StratumKept, share_text
from edgekit.core.refresh import Decision, Evidence, FrameCounts, Refresh, RefreshStep, decide
from edgekit.core.wire import from_wire, to_wire


def row(stratum="all", kept=1.0, low=None, high=None, verdict="kept", pictures=100):
    low, high = kept - 0.02 if low is None else low, kept + 0.02 if high is None else high
    return StratumKept(stratum, pictures, 5 * pictures, 0.5, 0.5 * kept, kept, low, high, verdict)


def gate(*rows, labelled_by="people", baseline="FP32 engine 00"):
    return Gate(baseline, "INT8 engine 11", "frozen", "ab" * 32, rows or (row(),), 400, labelled_by)


def evidence(**changes):
    given = {
        "unquantised": gate(row(kept=0.99)),
        "serving": gate(),
        "holdout": gate(row(kept=1.10), labelled_by="model"),
        "serving_precision": "int8",
        "unquantised_p50_ms": 20.0,
        "candidate_p50_ms": 10.0,
        **changes,
    }
    return Evidence(**given)


def test_an_engine_that_is_better_on_held_out_frames_and_loses_nothing_is_promoted():
    """Without it a refresh would never do anything."""
    decision = decide(evidence())
    assert (decision.promote, decision.cause) == (True, "better")
    assert "0.500 -> 0.550 (x 1.100, 1.080 to 1.120)" in decision.why
    assert "agreement with the model" in decision.why, "agreement must not be told as accuracy"


@pytest.mark.parametrize(
    "lost",
    [row(kept=0.97, verdict="lost"), row("night", kept=0.9, high=0.95, verdict="lost")],
    ids=["overall", "one stratum"],
)
def test_a_gain_in_the_field_does_not_pay_for_a_loss_against_the_unquantised_engine(lost):
    """Poisoned frames could buy their way in with a gain where the attacker chose the pictures."""
    rows = (lost,) if lost.stratum == "all" else (row(kept=0.99), lost)
    decision = decide(evidence(unquantised=gate(*rows)))
    assert (decision.promote, decision.cause) == (False, "loses")
    assert decision.lost == (lost,)
    assert share_text(lost.kept) in decision.why


@pytest.mark.parametrize("where", ["serving", "holdout"])
def test_a_stratum_lost_against_the_serving_engine_refuses_it(where):
    """The cameras of one gate would get worse so that those of another get better."""
    lost = row("tag:camera-gate", kept=0.9, high=0.97, verdict="lost")
    decision = decide(evidence(**{where: gate(row(kept=1.1), lost)}))
    assert (decision.promote, decision.cause, decision.lost) == (False, "loses", (lost,))
    assert "tag:camera-gate 90.0 %" in decision.why


def test_a_loss_within_noise_is_no_loss_against_the_serving_engine():
    """Two quantised engines differ by chance; 98.5 % asked of that would refuse every other refresh."""
    noisy = gate(row(kept=0.98, low=0.95, high=1.01, verdict="lost"))
    assert decide(evidence(serving=noisy)).promote
    clear = gate(row(kept=0.98, low=0.97, high=0.99, verdict="lost"))
    assert decide(evidence(serving=clear)).cause == "loses"


def test_a_clear_loss_too_small_to_matter_is_let_go():
    """With thousands of pictures a loss of a thousandth is clear, and nobody would notice it."""
    assert decide(evidence(serving=gate(row(kept=0.997, low=0.996, high=0.998)))).promote


def test_an_engine_that_is_no_better_leaves_the_one_that_serves():
    """A running service would be changed every week for nothing."""
    decision = decide(evidence(holdout=gate(row(kept=1.01, low=0.98, high=1.03))))
    assert (decision.promote, decision.cause) == (False, "no better")
    assert decide(evidence(holdout=gate(row(kept=1.01, low=0.98, high=1.03))), accept_equal=True).cause == "as good"


def test_a_gain_counts_in_a_stratum_that_was_new_and_in_no_other():
    """Of twenty strata one is better by chance: each refresh would be promoted."""
    rows = gate(row(kept=1.01, low=0.99), row("light:night", kept=1.2, low=1.1, high=1.3))
    assert decide(evidence(holdout=rows)).cause == "no better"
    assert decide(evidence(holdout=rows, new_strata=("light:night",))).cause == "better"


def test_too_few_held_out_frames_prove_nothing():
    """Three frames would decide what serves."""
    few = gate(row(kept=2.0, low=1.5, high=2.5, pictures=3))
    assert decide(evidence(holdout=few)).cause == "no better"
    bad = gate(row(kept=0.5, low=0.4, high=0.6, verdict="lost", pictures=3))
    assert decide(evidence(holdout=bad)).cause == "no better"
    assert decide(evidence(holdout=bad, serving_precision="fp32")).cause == "faster"
    assert decide(evidence(holdout=None)).cause == "no better"


def test_int8_that_is_no_faster_is_not_taken_unless_asked_for_outright():
    """INT8 has no other purpose."""
    slow = evidence(candidate_p50_ms=20.0)
    assert decide(slow) == Decision(False, "slower", "INT8 is no faster than FP32 engine 00 (20.0 ms against 20.0 ms)")
    assert decide(dataclasses.replace(slow, must_be_faster=False)).promote


def test_where_the_unquantised_engine_serves_the_gate_and_the_speed_decide():
    """INT8 that a better set rescued would be asked to beat FP32's accuracy."""
    good = evidence(serving_precision="fp32", holdout=gate(row(kept=0.99)))
    assert (decide(good).promote, decide(good).cause) == (True, "faster")
    assert "2.00 x as fast" in decide(good).why
    worse = evidence(serving_precision="fp32", holdout=gate(row(kept=0.9, verdict="lost")))
    assert decide(worse).cause == "loses"


def test_agreement_with_the_model_does_not_speak_against_int8_where_the_model_itself_serves():
    """FP32 agrees with itself by 100 %: INT8 would be refused for ever by any unlabelled frame."""
    unlabelled = gate(row(kept=0.95, high=0.96, verdict="lost"), labelled_by="model")
    assert decide(evidence(serving_precision="fp32", holdout=unlabelled)).cause == "faster"
    assert decide(evidence(holdout=unlabelled)).cause == "loses"


def test_without_a_frozen_set_nothing_is_promoted():
    """Field frames alone, which strangers can stage, would decide."""
    assert decide(evidence(unquantised=None, serving=None)).cause == "not measured"


def test_an_unquantised_engine_that_finds_nothing_vouches_for_nobody():
    """Of nothing everything is kept: a broken baseline would let any candidate pass."""
    decision = decide(evidence(unquantised=gate(row(kept=0.0, verdict="not judged"))))
    assert (decision.promote, decision.cause) == (False, "not measured")


def test_a_record_survives_its_file():
    """The history is what a decision is looked up in years later."""
    record = Refresh(
        device="local",
        service="street",
        detector="roadscene",
        created_utc="2026-11-20T10:00:00.000Z",
        outcome="kept",
        why="not better",
        steps=(RefreshStep("fetch", "3 new frames", 1.5),),
        frames=FrameCounts(10, 3, {"dark": 7}),
        evidence=evidence(),
        inputs_sha256="00",
    )
    assert from_wire(Refresh, json.loads(json.dumps(to_wire(record)))) == record
    assert record.decided
    assert not dataclasses.replace(record, outcome="refused").decided
