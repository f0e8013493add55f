"""What engines are judged by on a set: its truth, and the strata in which none of its accuracy may be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.control.detectors import Detector
from edgekit.control.evaluation.model_truth import truth_from_model
from edgekit.control.evaluation.truth import PictureTruth, Truth
from edgekit.control.once import Once
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.control.sets.scene_facts import measure_set
from edgekit.core.detector import DetectorSpec
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.progress import OnProgress
from edgekit.core.scene_descriptor import SceneDescriptor, with_objects
from edgekit.core.strata import strata_of, usual_strata
from edgekit.core.wire import digest, to_wire

_SHARED = Once()


@dataclass(frozen=True)
class Judged:
    """truth: labels of people, or the model's own answers; labelled_by "people" or "model" says which.

    strata: picture name -> its condition, what was measured of it, and its other tags.
    """

    truth: Truth
    strata: Mapping[str, tuple[str, ...]]
    labelled_by: str


def judged_by(project: Project, detector: Detector, made: MaterialisedSet, on_progress: OnProgress) -> Judged:
    """What a set, made ready with the detector's labels, judges engines by. Without labels the model speaks for it.

    Raises VerifyError for a picture that cannot be read.
    """
    truth = made.truth or truth_from_model(project, detector, made, on_progress)
    key = (str(project.root), made.sha256, truth.sha256, digest([sorted(made.tags.items()), to_wire(detector.spec)]))
    # All devices of a fleet are judged by the same pictures: they are looked at once, not by every thread.
    strata = _SHARED.get(key, lambda: _strata(project, detector, made, truth, on_progress))
    return Judged(truth, strata, "people" if made.truth else "model")


def _strata(
    project: Project, detector: Detector, made: MaterialisedSet, truth: Truth, on_progress: OnProgress
) -> dict[str, tuple[str, ...]]:
    # Objects are those of the truth, so no network is asked what it sees.
    facts = measure_set(project, made, None, on_progress)
    return {
        one.name: judged_strata(one.described, made.tags.get(one.name, ()), truth.pictures[one.name], detector.spec)
        for one in facts
        if one.name in truth.pictures
    }


def judged_strata(
    described: SceneDescriptor, tags: Sequence[str], picture: PictureTruth, spec: DetectorSpec
) -> tuple[str, ...]:
    """The condition of a picture and its strata, without those of classes, which are judged one by one elsewhere, and
    without the usual ones of each axis but light: "no glare" is not a kind of scene."""
    best = spec.profile.optimum
    fit = GEOMETRIES[spec.input.geometry](picture.width_px, picture.height_px, best.width, best.height)
    seen = with_objects(described, picture.objects, max(fit.scale_x, fit.scale_y))
    passed_over = {name for name in usual_strata() if not name.startswith("light:")}
    names = [name for name in strata_of(seen, tags) if name not in passed_over and not name.startswith("class:")]
    return tuple(name for name in (picture.condition, *names) if name)
