"""Accepted frames of a device as two sets: field-<device> for calibrating, field-<device>-holdout for measuring.

A frame keeps its side for good. Pictures lie below the state folder, out of git; the sets' digests pin them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from edgekit import files
from edgekit.control.detectors import Detector
from edgekit.control.field.frames import field_folder
from edgekit.control.field.ledger import CALIB, HOLDOUT, Side, add_judged, read_sides, set_names_of, write_sides
from edgekit.control.field.screen import FieldPicture, Screened, final_refusals
from edgekit.control.field.split import NewFrame, assign_sides
from edgekit.control.inventory import Device
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import load_set, materialise, set_names
from edgekit.control.sets.checking import check_set
from edgekit.control.sets.writing import check_new_name, portable, write_set
from edgekit.core.progress import OnProgress
from edgekit.errors import UsageError

__all__ = ["FieldSets", "set_names_of", "write_field_sets"]

_SHORT_STRETCH_S = 180.0


@dataclass(frozen=True)
class FieldSets:
    """The two sets as they are now; "" and 0 for one that has no picture yet.

    The digests are those of MaterialisedSet: what they pin is new if they are. new_calib, new_holdout: came just now.
    """

    calib: str
    holdout: str
    calib_pictures: int
    holdout_pictures: int
    calib_sha256: str
    holdout_sha256: str
    new_calib: int
    new_holdout: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Written:
    """One set. name is "" if it has no picture."""

    name: str = ""
    pictures: int = 0
    sha256: str = ""


def write_field_sets(
    project: Project,
    device: Device,
    detector: Detector,
    screened: Screened,
    on_progress: OnProgress,
    *,
    holdout_share: float = 0.2,
    seed: int = 0,
) -> FieldSets:
    """Add accepted frames to the device's sets, and remember which were refused; what is there stays.

    With nothing accepted it finishes what an interruption left half done. Raises UsageError for a refused batch or a
    place that cannot be written, ConfigError for a damaged sides.json, and what `materialise` raises.
    """
    if screened.batch_refusal:
        raise UsageError(f"the frames of {device.name} were refused", why=screened.batch_refusal)
    project.ensure_state()
    before = read_sides(project, device.name)
    new = assign_sides(_new_frames(screened.accepted), before.frames, holdout_share, seed)
    sides = replace(before, frames={**before.frames, **new.sides})
    # Sides come first: an interruption after this line leaves frames that are known and only have to be put in place.
    if new.sides:
        write_sides(project, sides)
    notes = [*_stretch_note(new.stretch_s)]
    calib, holdout = (
        _write_set(project, device, detector, side, sides.frames, on_progress, notes) for side in (CALIB, HOLDOUT)
    )
    folder = field_folder(project, screened.device, screened.service)
    add_judged(folder, final_refusals(screened))
    added = [side.side for side in new.sides.values()]
    return FieldSets(
        calib.name,
        holdout.name,
        calib.pictures,
        holdout.pictures,
        calib.sha256,
        holdout.sha256,
        added.count(CALIB),
        added.count(HOLDOUT),
        tuple(notes),
    )


def _new_frames(accepted: Iterable[FieldPicture]) -> list[NewFrame]:
    return [
        NewFrame(one.frame.kept.sha256, one.frame.kept.stream, one.frame.kept.time_unix_s, one.strata)
        for one in accepted
    ]


def _stretch_note(stretch_s: float) -> Iterator[str]:
    if 0 < stretch_s < _SHORT_STRETCH_S:
        yield (
            f"the new frames span little time: only those of the same {stretch_s:g} s stay together, so that hold-out "
            "and calibration frames show much the same scenes"
        )


def _write_set(
    project: Project,
    device: Device,
    detector: Detector,
    side: str,
    sides: dict[str, Side],
    on_progress: OnProgress,
    notes: list[str],
) -> _Written:
    """Put every picture of a side in place and pin the set."""
    name = set_names_of(device.name)[0 if side == CALIB else 1]
    folder = project.state_dir / "field_sets" / name
    wanted = {_place(device.name, sha256, one): sha256 for sha256, one in sides.items() if one.side == side}
    for sha256, one in sides.items():
        if one.side != side:  # a person may have changed it in sides.json
            (folder / _place(device.name, sha256, one)).unlink(missing_ok=True)
    lacking = [place for place, sha256 in wanted.items() if not _put(project, device.name, sha256, folder / place)]
    if lacking:
        notes.append(f"{len(lacking)} pictures of {name} are neither on this machine nor on the device any more")
    if len(lacking) == len(wanted):
        return _Written()
    if name not in set_names(project):
        _write_document(project, device, detector, name, folder)
    return _pinned(project, name, on_progress, notes)


def _place(device: str, sha256: str, side: Side) -> str:
    """A picture below the folder of its set. The first sub-folder is a tag: which camera it is of."""
    taken = datetime.fromtimestamp(side.time_unix_s, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return f"camera-{side.stream or device}/{taken}-{sha256[:12]}.jpg"


def _put(project: Project, device: str, sha256: str, place: Path) -> bool:
    """Make a fetched picture appear there; False if it is not on this machine."""
    if place.is_file():
        return True
    known = (project.state_dir / "field" / device).glob(f"*/{sha256}.jpg")
    source = next(known, None)
    if source is None:
        return False
    with files.replacing(place) as temporary:
        shutil.copyfile(source, temporary)
    return True


def _write_document(project: Project, device: Device, detector: Detector, name: str, folder: Path) -> None:
    home = check_new_name(project, name)
    comment = (
        f"Frames that device {device.name} kept because {detector.name} found them hard; written by edgekit refresh.\n"
        "Each frame keeps its side for good: sides.json of the calibration set. docs/field-frames.md"
    )
    document = {
        "images": {"folder": portable(Path(os.path.abspath(folder)), home, project)},  # noqa: PTH100
        "origin": f"cameras of device {device.name}, service {device.service}",
    }
    write_set(home, document, comment)


def _pinned(project: Project, name: str, on_progress: OnProgress, notes: list[str]) -> _Written:
    """The set with its digest: brought up to date."""
    wanted = load_set(project, name)
    made = materialise(project, wanted, on_progress, check_digest=False)
    if wanted.digest != made.sha256:
        notes += [f"{name}: {problem}" for problem in check_set(project, name, on_progress, pin=True).problems]
    notes += [f"{name}: left out: {line}" for line in made.skipped]
    return _Written(name, len(made.paths), made.sha256)
