"""`calib check`: may this set be calibrated with, or measured on?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edgekit import files
from edgekit.control.detectors import list_detectors
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import (
    SET_FILE,
    CalibrationSet,
    MaterialisedSet,
    load_set,
    materialise,
)
from edgekit.control.sets.document import PICTURE_LIST
from edgekit.control.sets.picture_lists import write_picture_list
from edgekit.control.sets.tags import is_named_like
from edgekit.core.progress import OnProgress
from edgekit.errors import EdgekitError

ENOUGH_PICTURES = 300  # below it INT8 ranges are a guess, as the device says too


@dataclass(frozen=True)
class Checked:
    """What was found. problems make a set unfit, notes are to be known; both are sentences."""

    name: str
    pictures: int
    sha256: str
    pinned: bool
    labelled: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: tuple[str, ...]


def check_set(project: Project, name: str, on_progress: OnProgress, *, pin: bool = False) -> Checked:
    """Read a set as a build would and look for what would spoil it. pin: write the digest it has now.

    Raises what `load_set` and `materialise` do, among it the error for pictures that are not those pinned.
    """
    wanted = load_set(project, name)
    made = materialise(project, wanted, on_progress, check_digest=not pin)
    if pin:
        _pin(wanted, made)
    return Checked(
        name=name,
        pictures=len(made.paths),
        sha256=made.sha256,
        pinned=pin or wanted.digest is not None,
        labelled=made.truth is not None,
        problems=tuple(_problems(project, wanted, made, on_progress)),
        notes=tuple(_notes(wanted, made, pin)),
        skipped=made.skipped,
    )


def _pin(wanted: CalibrationSet, made: MaterialisedSet) -> None:
    """Put digest: into set.yaml, whose other lines stay as they are, and the list beside it unless it has its own."""
    path = wanted.folder / SET_FILE
    line = f"digest: {made.sha256}"
    text, replaced = re.subn(r"^digest:.*$", line, path.read_text("utf-8"), flags=re.MULTILINE)
    if wanted.pick is None:
        write_picture_list(wanted.folder / PICTURE_LIST, made.digests)
    files.write_bytes(path, (text if replaced else text.rstrip("\n") + f"\n{line}\n").encode("utf-8"))


def _problems(
    project: Project, wanted: CalibrationSet, made: MaterialisedSet, on_progress: OnProgress
) -> Iterator[str]:
    for pattern in wanted.tags:
        if not any(is_named_like(name, pattern) for name in made.digests):
            yield f"tags: no picture is named like {pattern!r}"
    yardsticks = list(_frozen_sets(project))
    is_yardstick = wanted.name in {frozen for _, frozen in yardsticks}
    for detector, frozen in yardsticks:
        if frozen == wanted.name:
            if made.truth is None:
                yield f"detector {detector} measures accuracy on it, and it has no labels"
        elif not is_yardstick:
            yield from _shared(project, made, detector, frozen, on_progress)


def _shared(
    project: Project, made: MaterialisedSet, detector: str, frozen: str, on_progress: OnProgress
) -> Iterator[str]:
    try:
        other = materialise(project, load_set(project, frozen), on_progress)
    except EdgekitError as error:
        yield f"the frozen set {frozen} of detector {detector} cannot be compared with it: {error.what}"
        return
    both = set(made.digests.values()) & set(other.digests.values())
    if both:
        yield (
            f"{len(both)} of its pictures are in {frozen} too, on which accuracy of {detector} is measured: "
            "whatever is calibrated with this set cannot be measured there"
        )


def _frozen_sets(project: Project) -> Iterator[tuple[str, str]]:
    for state in list_detectors(project):
        if state.detector is not None and state.detector.frozen:
            yield state.detector.name, state.detector.frozen


def _notes(wanted: CalibrationSet, made: MaterialisedSet, pinned: bool) -> Iterator[str]:
    if len(made.paths) < ENOUGH_PICTURES:
        yield f"{len(made.paths)} pictures: below {ENOUGH_PICTURES} the ranges of INT8 are a guess"
    labelled = len(made.truth.pictures) if made.truth else 0
    if 0 < labelled < len(made.paths):
        yield f"{labelled} of its {len(made.paths)} pictures have labels; accuracy is measured on those"
    if wanted.digest is None and not pinned and wanted.scenes is None:
        yield f"nothing pins its pictures: edgekit calib check {wanted.name} --pin"
    if wanted.scenes is None and wanted.pick is None:
        missing = [key for key in ("origin", "licence") if getattr(wanted, key) is None]
        if missing:
            yield f"set.yaml does not say its {' and '.join(missing)}"
    if made.skipped:
        yield f"{len(made.skipped)} pictures are left out"
