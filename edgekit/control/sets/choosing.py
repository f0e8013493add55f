"""`calib select` and `calib split`: new sets that pick pictures of others, and why these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.control.detectors import Detector
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import MaterialisedSet, load_set, materialise
from edgekit.control.sets.document import PICTURE_LIST
from edgekit.control.sets.duplicates import first_of_each, near_pairs
from edgekit.control.sets.picked_sets import picked_name
from edgekit.control.sets.scene_facts import PictureFacts, measure_set
from edgekit.control.sets.selection import Selection, StratumChoice, picture_points, select_coverage, select_random
from edgekit.control.sets.splitting import split_groups
from edgekit.control.sets.writing import check_new_name, write_set
from edgekit.core.progress import OnProgress
from edgekit.core.scene_descriptor import descriptor_vector
from edgekit.core.wire import digest
from edgekit.errors import CalibrationError


@dataclass(frozen=True)
class Chosen:
    """A set that was made, or would be. strata: which floor took how many; farthest, random: what filled the rest."""

    name: str
    folder: str
    pool: int
    near_duplicates: int  # of the pool, left out
    pictures: int
    sha256: str
    method: str
    seed: int
    detector: str
    strata: tuple[StratumChoice, ...]
    farthest: int
    random: int
    written: bool


@dataclass(frozen=True)
class Parted:
    """The two sets of a split. groups: what stays together; joined: groups of several pictures."""

    calib: str
    frozen: str
    calib_pictures: int
    frozen_pictures: int
    groups: int
    joined: int
    seed: int
    written: bool


@dataclass(frozen=True)
class _Pool:
    """The pictures of several sets as one. entries: "set/picture"."""

    sets: tuple[str, ...]
    entries: tuple[str, ...]
    facts: tuple[PictureFacts, ...]

    def named(self, positions: Sequence[int]) -> dict[str, str]:
        """Entry -> SHA-256, what the list of a picked set holds."""
        return {self.entries[index]: self.facts[index].sha256 for index in positions}

    def sha256(self, positions: Sequence[int]) -> str:
        """The digest that the new set will have."""
        names = {
            picked_name(self.entries[index].split("/", 1)[0], self.facts[index].name, len(self.sets)): self.facts[
                index
            ].sha256
            for index in positions
        }
        return digest([[name, names[name]] for name in sorted(names)])


def select(
    project: Project,
    sets: Sequence[str],
    name: str,
    size: int,
    method: str,
    seed: int,
    detector: Detector | None,
    on_progress: OnProgress,
    *,
    force: bool = False,
    write: bool,
) -> Chosen:
    """Choose pictures of sets into a new one. method: "coverage" or "random". Of near duplicates the first counts.

    Raises CalibrationError if the pool is smaller than the size, UsageError for a name that is taken.
    """
    folder = check_new_name(project, name, force=force)
    pool, repeated = _without_duplicates(_pool(project, sets, detector, on_progress))
    if size > len(pool.entries):
        raise CalibrationError(
            f"{size} pictures cannot be chosen from {len(pool.entries)}",
            why=f"{repeated} more are near duplicates of these" if repeated else "",
            hint=f"add pictures, or: edgekit calib select ... --size {len(pool.entries)}",
        )
    found = _select(pool, size, method, seed)
    sha256 = pool.sha256(found.chosen)
    if write:
        how = f"edgekit calib select, {method}, {size} of {len(pool.entries)} pictures, seed {seed}"
        write_set(folder, _picked(project, pool.sets, sha256), f"Chosen by {how}.", pool.named(found.chosen))
    return Chosen(
        name,
        str(folder),
        len(pool.entries),
        repeated,
        size,
        sha256,
        method,
        seed,
        detector.name if detector else "",
        found.strata,
        found.farthest,
        found.random,
        write,
    )


def _select(pool: _Pool, size: int, method: str, seed: int) -> Selection:
    strata = [one.strata for one in pool.facts]
    if method == "random":
        return select_random(strata, size, seed)
    vectors = [descriptor_vector(one.described) for one in pool.facts]
    return select_coverage(picture_points([one.embedding for one in pool.facts], vectors), strata, size, seed)


def split(
    project: Project,
    name: str,
    frozen_share: float,
    seed: int,
    detector: Detector | None,
    on_progress: OnProgress,
    *,
    force: bool = False,
    write: bool,
) -> Parted:
    """Part a set into NAME-calib and NAME-frozen. Near duplicates and pictures of one video or camera stay together.

    Raises CalibrationError if everything belongs together, UsageError for names that are taken.
    """
    names = (f"{name}-calib", f"{name}-frozen")
    folders = [check_new_name(project, one, force=force) for one in names]
    pool = _pool(project, [name], detector, on_progress)
    near = list(near_pairs([one.hash for one in pool.facts]))
    strata, groups = [one.strata for one in pool.facts], [one.group for one in pool.facts]
    try:
        found = split_groups(strata, groups, near, frozen_share, seed)
    except ValueError:
        raise CalibrationError(
            f"set {name} cannot be split: all its pictures belong together",
            why="they are of one video or one camera, or nearly the same",
            hint="add pictures of another video or camera",
        ) from None
    frozen = set(found.frozen)
    sides = ([index for index in range(len(pool.entries)) if index not in frozen], list(found.frozen))
    if write:
        for one, folder, side in zip(names, folders, sides, strict=True):
            part = one.rsplit("-", 1)[1]
            comment = f"The part of {name} for {_PURPOSE[part]}; by edgekit calib split, seed {seed}."
            write_set(folder, _picked(project, pool.sets, pool.sha256(side)), comment, pool.named(side))
    return Parted(*names, len(sides[0]), len(sides[1]), found.groups, found.joined, seed, write)


_PURPOSE = {"calib": "calibrating", "frozen": "measuring, never calibrated on"}


def _picked(project: Project, sets: Sequence[str], sha256: str) -> dict[str, Any]:
    parts = [load_set(project, name) for name in sets]
    document: dict[str, Any] = {"pick": {"from": list(sets), "list": PICTURE_LIST}}
    for key in ("origin", "licence"):
        known = sorted({text for part in parts if (text := getattr(part, key))})
        if known:
            document[key] = "; ".join(known)[:400]
    return document | {"digest": sha256}


def _pool(project: Project, sets: Sequence[str], detector: Detector | None, on_progress: OnProgress) -> _Pool:
    entries: list[str] = []
    facts: list[PictureFacts] = []
    for name in dict.fromkeys(sets):
        made: MaterialisedSet = materialise(project, load_set(project, name), on_progress)
        for one in measure_set(project, made, detector, on_progress):
            entries.append(f"{name}/{one.name}")
            facts.append(one)
    return _Pool(tuple(dict.fromkeys(sets)), tuple(entries), tuple(facts))


def _without_duplicates(pool: _Pool) -> tuple[_Pool, int]:
    by_entry = dict(zip(pool.entries, pool.facts, strict=True))
    sha256s = {entry: one.sha256 for entry, one in by_entry.items()}
    hashes = {entry: one.hash for entry, one in by_entry.items()}
    shown = first_of_each(pool.entries, sha256s, hashes)
    kept = tuple(entry for entry in pool.entries if entry not in shown)
    return _Pool(pool.sets, kept, tuple(by_entry[entry] for entry in kept)), len(shown)
