"""Shall an engine calibrated with field frames take the place of the one that serves? The rule, and the record.

Whoever can put frames before a camera can put them into a calibration set. So what comes from the field never goes into
service for being new: it has to be better where people, or the model itself, say what is right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterator, Optional, Tuple

from edgekit.core.gate import JUDGED_FROM, Gate, StratumKept, share_text

# A clear loss of less than half a percent of mAP50-95 is let go. It cannot add up over refreshes: each candidate is
# also held to what core.gate asks of it against the engine that was never quantised.
LOSS_LET_GO = 0.005

# What a refresh led to.
#   promoted   the candidate serves
#   kept       the candidate is no better, or loses something: what served goes on serving
#   refused    what the device has kept cannot be used: nothing was built
#   unchanged  nothing is new since the last refresh
#   waiting    the candidate is better, and nobody has said yet that it may serve
#   promoting  it was being put in service when this was written; the next refresh goes on from there
#   reverted   the device took it back: the release did not prove itself there
#   failed     something went wrong; `why` says what
OUTCOMES = ("promoted", "kept", "refused", "unchanged", "waiting", "promoting", "reverted", "failed")


@dataclass(frozen=True)
class Evidence:
    """What is known of a candidate. Of serving and holdout the gate's baseline is the engine that serves now.

    unquantised: the frozen set, FP16 or FP32 engine -> candidate; serving: the frozen set, serving -> candidate;
    holdout: field frames that were never calibrated on, serving -> candidate; None where it cannot be judged.
    *_p50_ms: median inference time on the device. must_be_faster: False where INT8 was asked for outright.
    new_strata: those of the field frames that the serving engine's set has next to nothing of.
    """

    unquantised: Optional[Gate]
    serving: Optional[Gate]
    holdout: Optional[Gate]
    serving_precision: str
    unquantised_p50_ms: float
    candidate_p50_ms: float
    must_be_faster: bool = True
    new_strata: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """cause: "better", "as good", "faster", "no better", "loses", "slower" or "not measured". lost: the rows that
    refuse the candidate. why: a sentence for people."""

    promote: bool
    cause: str
    why: str
    lost: Tuple[StratumKept, ...] = ()


@dataclass(frozen=True)
class RefreshStep:
    """One step, in the order in which they were taken. result: a sentence."""

    name: str
    result: str
    seconds: float


@dataclass(frozen=True)
class FrameCounts:
    """Frames of one refresh: what the device has kept, what was let through, what was refused and why.

    calibration, holdout: in the device's two sets now, with those of earlier refreshes. chosen: of the candidate's set.
    """

    kept: int = 0
    accepted: int = 0
    refused: Dict[str, int] = field(default_factory=dict)
    calibration: int = 0
    holdout: int = 0
    chosen: int = 0


@dataclass(frozen=True)
class Refresh:
    """One refresh of one device, as its history keeps it. Names and ids are "" where it did not come so far.

    inputs_sha256: of all that the decision depends on but the serving engine, so that a later refresh can tell that
    nothing is new. set_before: what the entry in devices.yaml named before it was changed, "" for nothing. set_name:
    what the candidate was calibrated with, set_strata: how many of its pictures lie in which stratum. release_id: what
    served at the end. drift: before, as core.collecting.FieldHealth says it; None where the service did not tell.
    serving_set_sha256: digest of what the serving engine was calibrated with, "" for nothing.
    """

    device: str
    service: str
    detector: str
    created_utc: str
    outcome: str
    why: str
    hint: str = ""
    cause: str = ""  # of the decision, see Decision
    steps: Tuple[RefreshStep, ...] = ()
    notes: Tuple[str, ...] = ()  # what is worth knowing, and changed nothing
    frames: FrameCounts = FrameCounts()
    inputs_sha256: str = ""
    base_set: str = ""
    serving_set: str = ""
    set_before: str = ""
    set_name: str = ""
    set_sha256: str = ""
    set_pictures: int = 0
    serving_engine_id: str = ""
    unquantised_engine_id: str = ""
    candidate_engine_id: str = ""
    evidence: Optional[Evidence] = None
    release_id: str = ""
    duration_s: float = 0.0
    drift: Optional[float] = None
    serving_set_sha256: str = ""
    set_strata: Dict[str, int] = field(default_factory=dict)
    schema: int = 1

    @property
    def decided(self) -> bool:
        """True if the same inputs would lead to the same end again."""
        return self.outcome in ("promoted", "kept", "reverted") and bool(self.inputs_sha256)


def decide(evidence: Evidence, *, accept_equal: bool = False) -> Decision:
    """May the candidate serve? accept_equal: also if it is no worse, though it was not proven better.

    It may not if it loses too much against the engine that was never quantised, if it is no faster than that one, or if
    it clearly loses against the serving engine, on the frozen set or on held-out field frames.
    """
    if evidence.unquantised is None:
        return Decision(False, "not measured", "accuracy was not measured: the detector names no labelled frozen set")
    found = evidence.unquantised.lost
    if found:
        return _loses(evidence.unquantised, found, "the frozen set")
    if not evidence.unquantised.passed:
        return Decision(False, "not measured", f"{evidence.unquantised.baseline} finds nothing on the frozen set")
    if evidence.must_be_faster and evidence.candidate_p50_ms >= evidence.unquantised_p50_ms:
        times = f"{evidence.candidate_p50_ms:.1f} ms against {evidence.unquantised_p50_ms:.1f} ms"
        return Decision(False, "slower", f"INT8 is no faster than {evidence.unquantised.baseline} ({times})")
    return _against_serving(evidence, accept_equal=accept_equal)


def _against_serving(evidence: Evidence, *, accept_equal: bool) -> Decision:
    quantised = evidence.serving_precision == "int8"
    for gate, where in ((evidence.serving, "the frozen set"), (evidence.holdout, "held-out field frames")):
        found = _lost(gate, quantised=quantised) if gate else ()
        if gate and found:
            return _loses(gate, found, where)
    if not quantised:
        return Decision(True, "faster", _faster(evidence))
    gains = tuple(_gains(evidence))
    if gains:
        return Decision(True, "better", f"better than the engine that serves: {'; '.join(gains)}")
    if accept_equal:
        return Decision(True, "as good", f"as good as the engine that serves, which is enough here: {_kept(evidence)}")
    return Decision(False, "no better", f"not proven better than the engine that serves: {_kept(evidence)}")


def _lost(gate: Gate, *, quantised: bool) -> Tuple[StratumKept, ...]:
    """quantised: whether the serving engine is. One that is not agrees with the model by itself, so that each harmless
    difference of INT8 would count as a loss: then only labels of people can say what is lost."""
    if quantised:
        return tuple(clear_losses(gate))
    return tuple(row for row in gate.lost if _is_judged(row)) if gate.labelled_by == "people" else ()


def clear_losses(gate: Gate) -> Iterator[StratumKept]:
    """The rows in which the candidate is worse beyond doubt: overall by more than LOSS_LET_GO, in a stratum as the gate
    says. Against a quantised engine no share is asked of the whole: both sides have the same noise."""
    for row in gate.rows:
        worse = row.high < 1.0 and row.kept < 1 - LOSS_LET_GO if row.stratum == "all" else row.verdict == "lost"
        if worse and _is_judged(row):
            yield row


def clear_gains(gate: Gate, new_strata: Tuple[str, ...]) -> Iterator[StratumKept]:
    """The rows in which it is better beyond doubt: overall, or in a stratum that was new. Others do not count, for of
    twenty strata one seems better by chance."""
    for row in gate.rows:
        if _is_judged(row) and row.low > 1.0 and row.stratum in ("all", *new_strata):
            yield row


def change_of(row: StratumKept) -> str:
    """A row against the serving engine in a word: "better", "worse", "same" (no more than chance) or "not judged"."""
    if not _is_judged(row):
        return "not judged"
    return "better" if row.low > 1.0 else "worse" if row.high < 1.0 else "same"


def _gains(evidence: Evidence) -> Iterator[str]:
    for gate, where in ((evidence.holdout, "held-out field frames"), (evidence.serving, "the frozen set")):
        rows = tuple(clear_gains(gate, evidence.new_strata)) if gate else ()
        if rows:
            yield f"on {where}{_by_model(gate)} {', '.join(f'{_named(row)} {_change(row)}' for row in rows)}"


def _loses(gate: Gate, found: Tuple[StratumKept, ...], where: str) -> Decision:
    parts = ", ".join(f"{_named(row)} {share_text(row.kept)}" for row in found)
    return Decision(
        False, "loses", f"it keeps too little of {gate.baseline} on {where}{_by_model(gate)}: {parts}", found
    )


def _faster(evidence: Evidence) -> str:
    assert evidence.unquantised is not None
    speedup = evidence.unquantised_p50_ms / max(evidence.candidate_p50_ms, 1e-9)
    share, baseline = evidence.unquantised.overall.kept, evidence.unquantised.baseline
    return (
        f"INT8 keeps {share_text(share)} of {baseline}, which serves now, and its inference is {speedup:.2f} x as fast"
    )


def _kept(evidence: Evidence) -> str:
    gates = ((evidence.holdout, "held-out field frames"), (evidence.serving, "the frozen set"))
    told = [
        f"{where}{_by_model(gate)} {_change(gate.overall)}"
        for gate, where in gates
        if gate and _is_judged(gate.overall)
    ]
    return ", ".join(told) or "there are too few pictures to tell"


def _is_judged(row: StratumKept) -> bool:
    """True if there are pictures enough; a gate asks that of strata, here it holds for the whole too."""
    return row.verdict != "not judged" and row.pictures >= JUDGED_FROM


def _named(row: StratumKept) -> str:
    return "overall" if row.stratum == "all" else row.stratum


def _change(row: StratumKept) -> str:
    return f"{row.baseline_map:.3f} -> {row.map50_95:.3f} (x {row.kept:.3f}, {row.low:.3f} to {row.high:.3f})"


def _by_model(gate: Optional[Gate]) -> str:
    """What a figure is: agreement with the model is no accuracy."""
    return " (agreement with the model)" if gate and gate.labelled_by == "model" else ""
