"""The set of a refresh: from which pictures it is chosen, what it is called, and what is new in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.detectors import Detector
from edgekit.control.field.sets import set_names_of
from edgekit.control.inventory import Device
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import MaterialisedSet, load_set, materialise, set_names
from edgekit.control.sets.choosing import Chosen, select
from edgekit.control.sets.document import PICTURE_LIST
from edgekit.control.sets.picture_lists import read_picture_list
from edgekit.control.sets.scene_facts import measure_set
from edgekit.core.progress import OnProgress
from edgekit.errors import CalibrationError

_SEED = 0
_MARKED_SHARE = 0.05  # of the field frames
_SEEN_SHARE = 0.01  # of the serving engine's set: less is next to nothing
_SCENE_AXES = ("light", "weather", "glare", "blur", "noise")  # what a camera sees, not what a detector finds in it


@dataclass(frozen=True)
class Bases:
    """serving: the set that devices.yaml or the detector names for INT8 now. base: what that was chosen from."""

    serving: str
    base: str


@dataclass(frozen=True)
class Candidate:
    """The set that was chosen. field_pictures: how many of it come from the field. reused: it was there already.
    strata: how many of its pictures lie in which."""

    name: str
    sha256: str
    pictures: int
    field_pictures: int
    reused: bool
    strata: dict[str, int]


def bases_of(project: Project, device: Device, detector: Detector) -> Bases:
    """Which set a refresh begins from. A set that an earlier refresh chose is not chosen from again: its base is.

    Raises CalibrationError if there is none.
    """
    serving = device.calibration or detector.calibration
    if not serving:
        raise CalibrationError(
            f"{detector.name} names no calibration set, so there is nothing to add field frames to",
            hint=f"add `calibration: NAME` to {detector.folder / 'detector.yaml'}; see edgekit calib",
        )
    pick = load_set(project, serving).pick
    field = set_names_of(device.name)[0]
    others = [name for name in pick.from_sets if name != field] if pick and field in pick.from_sets else []
    return Bases(serving, others[0] if others else serving)


def choose_set(
    project: Project, device: Device, detector: Detector, base: str, size: int | None, on_progress: OnProgress
) -> Candidate:
    """Choose `size` pictures from the base and the device's field set into BASE-DEVICE-N; None: as many as the base
    has, or all there are without near duplicates.

    N is the next one, or the one that holds just these pictures already: a set that an engine was built from
    is never written over. Raises CalibrationError if there are too few pictures.
    """
    field = set_names_of(device.name)[0]
    name = _free_name(project, f"{base}-{device.name}")

    def chosen(count: int, *, write: bool) -> Chosen:
        return select(project, [base, field], name, count, "coverage", _SEED, detector, on_progress, write=write)

    count = size or min(count_pictures(project, base, on_progress), chosen(1, write=False).pool)
    wanted = chosen(count, write=False)
    there = _with_digest(project, f"{base}-{device.name}", wanted.sha256)
    if there is None:
        chosen(count, write=True)
    made = project.calib_sets_dir / (there or name)
    strata = {one.stratum: one.chosen for one in wanted.strata}
    from_field = _count_from(made / PICTURE_LIST, field)
    return Candidate(made.name, wanted.sha256, wanted.pictures, from_field, bool(there), strata)


def count_pictures(project: Project, name: str, on_progress: OnProgress) -> int:
    """How many pictures a set has."""
    return len(materialise(project, load_set(project, name), on_progress).paths)


def _count_from(listed: Path, part: str) -> int:
    return sum(entry.startswith(f"{part}/") for entry in read_picture_list(listed))


def _numbered(project: Project, stem: str) -> dict[int, str]:
    """The sets called STEM-N, by N."""
    found = {}
    for name in set_names(project):
        start, _, number = name.rpartition("-")
        if start == stem and number.isdecimal() and not number.startswith("0"):
            found[int(number)] = name
    return found


def _free_name(project: Project, stem: str) -> str:
    return f"{stem}-{max(_numbered(project, stem), default=0) + 1}"


def _with_digest(project: Project, stem: str, sha256: str) -> str | None:
    """The newest set of a stem that has these pictures, None if none has."""
    names = [name for _, name in sorted(_numbered(project, stem).items(), reverse=True)]
    return next((name for name in names if load_set(project, name).digest == sha256), None)


def materialised(project: Project, name: str, on_progress: OnProgress, labels: Sequence[str]) -> MaterialisedSet:
    """A set by its name, its truth in terms of these labels."""
    return materialise(project, load_set(project, name), on_progress, labels=labels)


def new_strata(
    project: Project, serving: MaterialisedSet, field: Sequence[MaterialisedSet], on_progress: OnProgress
) -> tuple[str, ...]:
    """Strata of light, weather, glare, blur and noise that make up a marked share of the field frames and next to
    nothing of the serving set, by name."""
    seen = _shares(project, [serving], on_progress)
    met = _shares(project, field, on_progress)
    return tuple(
        sorted(name for name, share in met.items() if share >= _MARKED_SHARE and seen.get(name, 0.0) < _SEEN_SHARE)
    )


def _shares(project: Project, sets: Sequence[MaterialisedSet], on_progress: OnProgress) -> dict[str, float]:
    facts = [one for made in sets for one in measure_set(project, made, None, on_progress)]
    counts = Counter(name for one in facts for name in one.strata if name.partition(":")[0] in _SCENE_AXES)
    return {name: count / len(facts) for name, count in counts.items()}
