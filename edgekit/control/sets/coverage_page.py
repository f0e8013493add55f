"""What the page of `calib inspect` shows beside the figures: examples of each stratum, twins, and a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.control.sets.coverage import Inspection
from edgekit.control.sets.scene_facts import PictureFacts
from edgekit.control.sets.selection import picture_points
from edgekit.core.coverage import CoveragePictures, MapPoint
from edgekit.core.scene_descriptor import descriptor_vector

EXAMPLES = 4
_TWINS = 6
_MOST_POINTS = 1500  # of the map, so that the page stays small


def page_pictures(inspection: Inspection) -> CoveragePictures:
    """Examples spread over the pictures of each stratum; of a stratum that the set lacks, the reference's."""
    rows = [row.stratum for row in inspection.coverage.strata]
    own = {stratum: _examples(inspection.facts, stratum) for stratum in rows}
    borrowed = {stratum: _examples(inspection.reference, stratum) for stratum in rows if not own[stratum]}
    paths = {one.name: str(one.path) for one in inspection.facts}
    return CoveragePictures(
        examples={stratum: own[stratum] or borrowed[stratum] for stratum in rows},
        borrowed=tuple(stratum for stratum, pictures in borrowed.items() if pictures),
        twins=tuple((paths[one], paths[other]) for one, other in inspection.coverage.near_duplicates[:_TWINS]),
        points=_map(inspection),
    )


def _examples(facts: Sequence[PictureFacts], stratum: str) -> tuple[str, ...]:
    found = [one for one in facts if stratum in one.strata]
    return tuple(str(one.path) for one in _spread(found, EXAMPLES))


def _spread(facts: Sequence[PictureFacts], most: int) -> list[PictureFacts]:
    if len(facts) <= most:
        return list(facts)
    return [facts[int(index)] for index in np.linspace(0, len(facts) - 1, most).round()]


def _map(inspection: Inspection) -> tuple[MapPoint, ...]:
    """The two main directions in which the pictures differ (principal components), each stretched to 0..1."""
    shown = [
        *((one, False) for one in _spread(inspection.facts, _MOST_POINTS)),
        *((one, True) for one in _spread(inspection.reference, _MOST_POINTS)),
    ]
    if len(shown) < 3:
        return ()
    facts = [one for one, _ in shown]
    points = picture_points([one.embedding for one in facts], [descriptor_vector(one.described) for one in facts])
    centred = points - points.mean(0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    plane = centred @ directions.T
    if plane.shape[1] < 2:
        return ()
    low, high = plane.min(0), plane.max(0)
    plane = (plane - low) / np.maximum(high - low, 1e-6)
    return tuple(
        MapPoint(round(float(x), 4), round(float(y), 4), _light(one), of_reference)
        for (x, y), (one, of_reference) in zip(plane, shown, strict=True)
    )


def _light(facts: PictureFacts) -> str:
    return next((name.split(":", 1)[1] for name in facts.strata if name.startswith("light:")), "")
