"""May an engine take the place of another? How much of its accuracy it keeps, overall and in each stratum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

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
        """True if nothing is lost; what is unsure passes, and is told."""
        return not self.lost

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
