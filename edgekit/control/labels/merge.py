"""What a labelling tool gave back, joined with what a set has: which pictures were settled, and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edgekit.control.labels.boxes import HandedPicture, LabelBox
from edgekit.control.labels.changes import Changes, compare


@dataclass(frozen=True)
class CamePicture:
    """A picture that came back, its boxes in pixels. looked_at: as of ReadPicture."""

    boxes: tuple[LabelBox, ...]
    looked_at: bool | None


@dataclass(frozen=True)
class ClassChanges:
    """What became of the boxes of one class, against what the tool was given."""

    label: str
    given: int
    back: int
    moved: int
    added: int
    removed: int


@dataclass
class Merged:
    """The labels that the set has then, and how they came about; lists are names of pictures.

    labelled: newly labelled; changed: had labels, which are others now; same: came back as the set has them; unseen:
    stay without labels, because nothing shows that somebody looked at them; skipped: because the tool says so;
    overruled: labels of the set that the tool was not given and that what came back replaces.
    """

    pictures: dict[str, HandedPicture] = field(default_factory=dict)
    labelled: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    overruled: list[str] = field(default_factory=list)
    classes: tuple[ClassChanges, ...] = ()
    renamed: dict[str, int] = field(default_factory=dict)
    crowd_changed: int = 0

    @property
    def any(self) -> bool:
        """True if the set's labels are others than before."""
        return bool(self.labelled or self.changed)


def merge(
    now: Mapping[str, HandedPicture],
    given: Mapping[str, HandedPicture],
    came: Mapping[str, tuple[CamePicture, Changes]],
    *,
    reviewed: bool,
) -> Merged:
    """Join what came back with what the set has now.

    given: what the tool was given; a picture that is not in it was given as the set has it now. reviewed: somebody
    vouches for it that every picture was looked at, so that those that came back unchanged count too.
    """
    merged = Merged(dict(now))
    settled: dict[str, Changes] = {}
    for name, (picture, changes) in came.items():
        base = given.get(name, now[name])
        if _is_settled(base, picture, changes, reviewed):
            settled[name] = changes
            _settle(merged, now[name], base, changes)
        elif not now[name].labelled:
            (merged.skipped if picture.looked_at is False else merged.unseen).append(name)
    _count(merged, settled, given, now)
    return merged


def _is_settled(base: HandedPicture, picture: CamePicture, changes: Changes, reviewed: bool) -> bool:
    if picture.looked_at is not None:
        return picture.looked_at
    return base.labelled or changes.any or reviewed


def _settle(merged: Merged, now: HandedPicture, base: HandedPicture, changes: Changes) -> None:
    name = now.name
    kept = base.labelled and not changes.any
    if now.labelled and (kept or not compare(now.boxes, changes.after).any):
        merged.same.append(name)
        return
    boxes = tuple(replace(box, score=1.0) for box in changes.after)
    merged.pictures[name] = replace(now, origin="labels", boxes=boxes)
    (merged.changed if now.labelled else merged.labelled).append(name)
    if now.labelled and compare(base.boxes, now.boxes).any:
        merged.overruled.append(name)


def _count(
    merged: Merged,
    settled: Mapping[str, Changes],
    given: Mapping[str, HandedPicture],
    now: Mapping[str, HandedPicture],
) -> None:
    counts: dict[str, Counter[str]] = {}
    renamed: Counter[str] = Counter()

    def add(kind: str, boxes: tuple[LabelBox, ...]) -> None:
        for box in boxes:
            counts.setdefault(box.label, Counter())[kind] += 1

    for name, changes in settled.items():
        add("given", given.get(name, now[name]).boxes)
        add("back", changes.after)
        add("moved", changes.moved)
        add("added", changes.added)
        add("removed", changes.removed)
        renamed.update(f"{old} -> {new}" for old, new in changes.renamed)
        merged.crowd_changed += changes.crowd_changed
    kinds = ("given", "back", "moved", "added", "removed")
    merged.classes = tuple(ClassChanges(label, *(counts[label][kind] for kind in kinds)) for label in sorted(counts))
    merged.renamed = dict(sorted(renamed.items()))
