"""May an engine take the place of another? How much of its accuracy it keeps, overall and in each stratum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from edgekit.core.strata import AXES

KEPT_MIN = 0.985  # of the baseline's mAP50-95, over all pictures
STRATUM_KEPT_MIN = 0.95  # in each stratum that is judged
JUDGED_FROM = 10  # pictures with objects: a stratum with fewer says nothing

VERDICTS = ("kept", "lost", "unsure", "not judged")


@dataclass(frozen=True)
class StratumKept:
    """One row. stratum: as of core.strata, a condition of the set, or "all".

    baseline_map, map50_95: of the same pictures, 0 to 1. kept: the second over the first; low, high: its 95 % interval,
    paired over the pictures. verdict: "kept"; "lost" (below the limit, and the interval leaves no doubt that something
    is lost); "unsure" (below the limit, but the pictures are too few to tell it from chance); "not judged" (fewer than
    JUDGED_FROM pictures, or the baseline finds nothing).
    """

    stratum: str
    pictures: int
    objects: int
    baseline_map: float
    map50_95: float
    kept: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class Gate:
    """An engine against a baseline on one labelled set. rows: "all" first. Labels may come from people, or from the
    model itself at full precision (labelled_by "model"): then accuracy is agreement with it, and texts must say so."""

    baseline: str  # "FP16 engine 0123456789abcdef"
    candidate: str
    dataset: str
    dataset_sha256: str
    rows: Tuple[StratumKept, ...]
    resamples: int
    labelled_by: str = "people"
    schema: int = 1

    @property
    def passed(self) -> bool:
        """True if the whole is kept and no stratum is lost; what is unsure passes, and is told.

        A baseline that finds nothing at all vouches for nobody.
        """
        return self.overall.verdict == "kept" and not self.lost

    @property
    def lost(self) -> Tuple[StratumKept, ...]:
        """The rows that refuse the candidate."""
        return tuple(row for row in self.rows if row.verdict == "lost")

    @property
    def unsure(self) -> Tuple[StratumKept, ...]:
        """The rows that more pictures would settle."""
        return tuple(row for row in self.rows if row.verdict == "unsure")

    @property
    def overall(self) -> StratumKept:
        """The row of all pictures."""
        return self.rows[0]


def verdict_of(stratum: str, pictures: int, baseline_map: float, kept: float, high: float) -> str:
    """The verdict of a row. high: the upper end of the interval of `kept`. "all" is held to KEPT_MIN outright."""
    if baseline_map <= 0 or (stratum != "all" and pictures < JUDGED_FROM):
        return "not judged"
    if stratum == "all":
        return "kept" if kept >= KEPT_MIN else "lost"
    if kept >= STRATUM_KEPT_MIN:
        return "kept"
    return "lost" if high < 1.0 else "unsure"


def stratum_order(stratum: str) -> Tuple[int, str]:
    """Sorts conditions first, then the axes in their own order, then tags; each by name."""
    axis = stratum.split(":", 1)[0] if ":" in stratum else ""
    known = ("", *AXES)
    return (known.index(axis) if axis in known else len(known), stratum)


def kept_text(gate: Gate) -> str:
    """What is kept, for a sentence: "keeps 99.1 % of FP16's mAP50-95", or of its agreement with the model."""
    if gate.overall.verdict == "not judged":
        return "the baseline finds nothing, so nothing can be compared with it"
    return f"keeps {share_text(gate.overall.kept)} of {short_name(gate.baseline)}'s {measure_name(gate)}"


def lost_text(gate: Gate) -> str:
    """The strata that refuse the candidate, worst first: "night 91.2 %, fog 93.0 %"; "" if none does.

    The whole, if it is lost, is not among them.
    """
    rows = sorted((row for row in gate.lost if row.stratum != "all"), key=lambda row: row.kept)
    return ", ".join(f"{row.stratum} {share_text(row.kept)}" for row in rows)


def refusal_text(gate: Gate) -> str:
    """Why the candidate is refused, with the limits; "" if it passed."""
    if gate.passed:
        return ""
    overall, strata = gate.overall, lost_text(gate)
    reasons = []
    if overall.verdict != "kept":
        needed = f", {share_text(KEPT_MIN)} is needed" if overall.verdict == "lost" else ""
        reasons.append(f"it {kept_text(gate)}{needed}" if needed else kept_text(gate))
    if strata:
        reasons.append(f"too little is left in {strata} ({share_text(STRATUM_KEPT_MIN)} is needed in each)")
    return "; ".join(reasons)


def unsure_text(gate: Gate) -> str:
    """What more pictures would settle, to end a sentence with: " (too few pictures to tell: fog 93.0 %)"; or ""."""
    rows = [f"{row.stratum} {share_text(row.kept)}" for row in gate.unsure]
    return f" (too few pictures to tell: {', '.join(rows)})" if rows else ""


def caveat_text(gate: Gate) -> str:
    """What has to be said beside agreement with the model, "" beside accuracy or between two quantised engines."""
    if gate.labelled_by == "people" or short_name(gate.baseline) == "INT8":
        return ""
    return (
        "the baseline is as good as the model itself, so every difference counts as a loss, harmless ones too: "
        "only labels can say what accuracy was lost"
    )


def share_text(share: float) -> str:
    """0.9849 -> "98.4 %": rounded down, so that what misses a limit never reads as if it met it."""
    return f"{int(share * 1000 + 1e-6) / 10:.1f} %"


def short_name(engine: str) -> str:
    """ "FP16 engine 0123456789abcdef" -> "FP16"."""
    return engine.split(" ", 1)[0]


def measure_name(gate: Gate) -> str:
    """What the figures of a gate are: accuracy only where people said what is in the pictures."""
    return (
        "mAP50-95" if gate.labelled_by == "people" else "agreement with the model (mAP50-95; nobody labelled the set)"
    )
