"""`calib inspect`: the coverage of a set, with what was measured of each picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.control.detectors import Detector, list_detectors, load_detector
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.control.sets.duplicates import near_pairs
from edgekit.control.sets.scene_facts import PictureFacts, measure_set
from edgekit.core.coverage import Coverage, cover
from edgekit.core.progress import OnProgress

MOST_PAIRS = 200


@dataclass(frozen=True)
class Inspection:
    """A set's coverage and the facts of its pictures, and of the reference's if there is one."""

    coverage: Coverage
    facts: tuple[PictureFacts, ...]
    reference: tuple[PictureFacts, ...] = ()


def choose_detector(project: Project, set_name: str, wanted: str | None) -> Detector | None:
    """Whose eyes pictures are seen with: the one named ("none" for nobody), else one that uses the set, else any.

    Raises NotFoundError for an unknown name; None if no detector of the project is ready.
    """
    if wanted == "none":
        return None
    if wanted is not None:
        return load_detector(project, wanted)
    ready = [state.detector for state in list_detectors(project) if state.detector is not None]
    using = [one for one in ready if set_name in (one.calibration, one.frozen)]
    return next(iter([*using, *ready]), None)


def inspect_set(
    project: Project, name: str, detector: Detector | None, against: str | None, on_progress: OnProgress
) -> Inspection:
    """The coverage of a set, against a reference set if one is named. Raises as `load_set` and `materialise` do."""
    wanted = load_set(project, name)
    made = materialise(project, wanted, on_progress)
    facts = measure_set(project, made, detector, on_progress)
    reference = _reference(project, against, detector, on_progress)
    coverage = Coverage(
        name=name,
        sha256=made.sha256,
        pictures=len(facts),
        strata=cover(_strata(facts), _strata(reference) if against else None, detector.spec.labels if detector else ()),
        near_duplicates=_near_duplicates(facts),
        skipped=made.skipped,
        detector=detector.name if detector else "",
        reference=against or "",
        reference_pictures=len(reference),
        origin=wanted.origin or "",
        licence=wanted.licence or "",
    )
    return Inspection(coverage, tuple(facts), tuple(reference))


def _reference(
    project: Project, name: str | None, detector: Detector | None, on_progress: OnProgress
) -> list[PictureFacts]:
    if name is None:
        return []
    return measure_set(project, materialise(project, load_set(project, name), on_progress), detector, on_progress)


def _strata(facts: Sequence[PictureFacts]) -> list[tuple[str, ...]]:
    return [one.strata for one in facts]


def _near_duplicates(facts: Sequence[PictureFacts]) -> tuple[tuple[str, str], ...]:
    pairs = near_pairs([one.hash for one in facts])
    return tuple((facts[i].name, facts[j].name) for (i, j), _ in zip(pairs, range(MOST_PAIRS), strict=False))
