"""How a set of pictures covers the strata of what a detector meets, against a reference that shows what that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from edgekit.core.strata import AXES

ENOUGH = 10  # pictures of a stratum, before its share says anything and its extremes are likely met
_THIN_SHARE = 0.5  # of the reference's share


@dataclass(frozen=True)
class StratumCoverage:
    """One stratum: how many pictures of the set lie in it, and of the reference. Shares are 0 to 1.

    verdict: "missing" (none in the set though there is reason to have it), "thin" (fewer than ENOUGH, or less than half
    the reference's share), "well" or "absent" (none here, and the reference has none either or is not given).
    """

    stratum: str
    pictures: int
    share: float
    reference_pictures: Optional[int]
    reference_share: Optional[float]
    verdict: str


@dataclass(frozen=True)
class Coverage:
    """What `calib inspect` found of a set. near_duplicates: pairs of names. skipped: left out, with the reason.

    detector: whose eyes objects, classes and embeddings are seen with, "" for none.
    """

    name: str
    sha256: str
    pictures: int
    strata: Tuple[StratumCoverage, ...]
    near_duplicates: Tuple[Tuple[str, str], ...] = ()
    skipped: Tuple[str, ...] = ()
    detector: str = ""
    reference: str = ""
    reference_pictures: int = 0
    origin: str = ""
    licence: str = ""
    schema: int = 1

    @property
    def missing(self) -> Tuple[str, ...]:
        """Strata without a single picture that the set should have."""
        return tuple(row.stratum for row in self.strata if row.verdict == "missing")

    @property
    def thin(self) -> Tuple[str, ...]:
        """Strata with too few."""
        return tuple(row.stratum for row in self.strata if row.verdict == "thin")


@dataclass(frozen=True)
class MapPoint:
    """One picture on a plane where alike ones lie close; x and y are 0 to 1. light: its stratum of light."""

    x: float
    y: float
    light: str
    of_reference: bool


@dataclass(frozen=True)
class CoveragePictures:
    """What a page shows beside the figures. Paths of pictures on this machine, as text.

    examples: stratum -> pictures of the set, and of the reference where the set has none; twins: near duplicates;
    points: the map, empty where pictures cannot be compared.
    """

    examples: Dict[str, Tuple[str, ...]]
    borrowed: Tuple[str, ...]  # strata whose examples are the reference's
    twins: Tuple[Tuple[str, str], ...]
    points: Tuple[MapPoint, ...]


def cover(
    strata: Sequence[Sequence[str]],
    reference: Optional[Sequence[Sequence[str]]] = None,
    classes: Sequence[str] = (),
) -> Tuple[StratumCoverage, ...]:
    """One row for each stratum, in the order of AXES, then classes, then tags.

    strata: of each picture of the set; reference: of each picture of what it should resemble, None without one.
    classes: labels of the detector, each of which the set should show. Without a reference every stratum of an axis
    that the pictures were judged by is expected; with one, those that occur in it are.
    """
    here, there = _counts(strata), None if reference is None else _counts(reference)
    return tuple(
        _row(name, here.get(name, 0), len(strata), there, len(reference or ()))
        for name in _expected(here, there, classes)
    )


def _counts(strata: Sequence[Sequence[str]]) -> Dict[str, int]:
    found: Dict[str, int] = {}
    for names in strata:
        for name in names:
            found[name] = found.get(name, 0) + 1
    return found


def _expected(here: Dict[str, int], there: Optional[Dict[str, int]], classes: Sequence[str]) -> List[str]:
    occurring = {*here, *(there or {})}
    judged = {name.split(":", 1)[0] for name in occurring}
    axes = [f"{axis}:{name}" for axis, names in AXES.items() if axis in judged for name in names]
    shown = [f"class:{label}" for label in classes]
    others = sorted(name for name in occurring if name not in axes and name not in shown)
    return [*axes, *shown, *others]


def _row(
    name: str, pictures: int, total: int, there: Optional[Dict[str, int]], reference_total: int
) -> StratumCoverage:
    share = pictures / total if total else 0.0
    if there is None:
        verdict = "missing" if not pictures else "thin" if pictures < ENOUGH else "well"
        return StratumCoverage(name, pictures, round(share, 4), None, None, verdict)
    wanted = there.get(name, 0)
    wanted_share = wanted / reference_total if reference_total else 0.0
    if not pictures:
        verdict = "missing" if wanted else "absent"
    else:
        rare = wanted and (pictures < ENOUGH or share < _THIN_SHARE * wanted_share)
        verdict = "thin" if rare else "well"
    return StratumCoverage(name, pictures, round(share, 4), wanted, round(wanted_share, 4), verdict)
