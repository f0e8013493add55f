"""Sets chosen from other sets: a list says which pictures, and each must still be the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgekit.control.evaluation.truth import Truth, make_truth
from edgekit.control.sets.picture_lists import read_picture_list
from edgekit.control.sets.picture_sets import link_folder
from edgekit.errors import CalibrationError, ConfigError


@dataclass(frozen=True)
class Pick:
    """What pick: of a set.yaml says: the sets, and the file that lists "sha256  set/picture"."""

    from_sets: tuple[str, ...]
    list_path: Path


class Made(Protocol):
    """What is needed of a set that pictures are picked from."""

    @property
    def folder(self) -> Path: ...
    @property
    def digests(self) -> Mapping[str, str]: ...
    @property
    def conditions(self) -> Mapping[str, str]: ...
    @property
    def tags(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def groups(self) -> Mapping[str, str]: ...
    @property
    def truth(self) -> Truth | None: ...


@dataclass(frozen=True)
class PickedPictures:
    """Links to the chosen pictures; the mappings are by their new names.

    truth is None unless every part has one, and names only pictures that somebody labelled.
    """

    folder: Path
    digests: Mapping[str, str]
    conditions: Mapping[str, str]
    tags: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, str]
    truth: Truth | None


def picked_name(set_name: str, picture: str, sets: int) -> str:
    """What a picture is called in the new set: its old name if it is picked from one set only."""
    return picture if sets == 1 else f"{set_name}__{picture}"


def gather(name: str, pick: Pick, parts: Mapping[str, Made], cache: Path) -> PickedPictures:
    """The chosen pictures. Raises CalibrationError naming those that are gone or have changed."""
    listed = read_picture_list(pick.list_path)
    places = {entry: _place(entry, parts, pick.list_path) for entry in listed}
    _check(name, listed, places, parts)
    new = {entry: picked_name(*place, len(parts)) for entry, place in places.items()}
    if not new:
        raise CalibrationError(f"set {name} picks no picture", why=f"{pick.list_path} is empty")
    digests = {new[entry]: sha256 for entry, sha256 in listed.items()}
    targets = {new[entry]: parts[part].folder / picture for entry, (part, picture) in places.items()}
    of = {new[entry]: (parts[part], picture) for entry, (part, picture) in places.items()}
    truths = {
        key: part.truth.pictures[picture]
        for key, (part, picture) in of.items()
        if part.truth and picture in part.truth.pictures
    }
    return PickedPictures(
        folder=link_folder(name, targets, digests, cache),
        digests=digests,
        conditions={key: part.conditions[picture] for key, (part, picture) in of.items()},
        tags={key: part.tags[picture] for key, (part, picture) in of.items()},
        groups={key: part.groups[picture] for key, (part, picture) in of.items()},
        truth=make_truth(name, truths) if truths and all(part.truth for part, _ in of.values()) else None,
    )


def _place(entry: str, parts: Mapping[str, Made], path: Path) -> tuple[str, str]:
    part, _, picture = entry.partition("/")
    if part not in parts or not picture:
        raise ConfigError(f"{path}: {entry} names no set of pick.from", hint=f"known: {', '.join(parts)}")
    return part, picture


def _check(
    name: str, listed: Mapping[str, str], places: Mapping[str, tuple[str, str]], parts: Mapping[str, Made]
) -> None:
    gone = [entry for entry, (part, picture) in places.items() if picture not in parts[part].digests]
    changed = [
        entry
        for entry, (part, picture) in places.items()
        if parts[part].digests.get(picture, listed[entry]) != listed[entry]
    ]
    if gone or changed:
        kinds = [("missing", gone), ("changed", changed)]
        raise CalibrationError(
            f"pictures that set {name} picked are no longer there as they were",
            why="\n".join(f"{len(found)} {kind}: {', '.join(found[:5])}" for kind, found in kinds if found),
            hint=f"bring them back, or choose again: edgekit calib select {name}",
        )
