"""What a release tells its device of the pictures that its engine was calibrated with: scenes.json."""

from __future__ import annotations

from pathlib import Path

from edgekit.control.detectors import Detector
from edgekit.control.project import Project
from edgekit.control.records import read_record
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.control.sets.scene_facts import measure_set
from edgekit.core.progress import OnProgress
from edgekit.core.scene_descriptor import descriptor_vector
from edgekit.core.scenes_seen import ScenesSeen, summarise
from edgekit.core.wire import digest, to_wire
from edgekit.files import write_json

_RULE = 1  # of what is summarised, and how: another one makes other summaries of the same pictures


def scenes_seen(project: Project, detector: Detector, made: MaterialisedSet, on_progress: OnProgress) -> ScenesSeen:
    """The summary of a set as a detector sees it; measured once for each set, its tags and the detector.

    The detector looks at every picture on this machine, since what a device compares counts objects too. Raises
    VerifyError for a picture that vanished, ModelError for a model without a feature map.
    """
    path = _cached_path(project, detector, made)
    known = read_record(ScenesSeen, path)
    if known is not None:
        return known
    facts = measure_set(project, made, detector, on_progress)
    seen = summarise(
        made.name, made.sha256, [descriptor_vector(one.described) for one in facts], [one.strata for one in facts]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, to_wire(seen))
    return seen


def _cached_path(project: Project, detector: Detector, made: MaterialisedSet) -> Path:
    tags = {name: list(words) for name, words in made.tags.items()}
    key = digest([_RULE, made.name, made.sha256, tags, to_wire(detector.spec)])
    return project.cache_dir / "scenes_seen" / f"{key[:32]}.json"
