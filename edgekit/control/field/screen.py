"""Frames of a device before they are used: each looked at and compared, and the batch as a whole judged.

A frame of a device is data that somebody else may have chosen. Nothing here changes what an earlier run found, so an
interrupted refresh comes to the same judgement; it becomes final with sets.write_field_sets or `set_aside`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.control.detectors import Detector
from edgekit.control.field.doubts import contradiction, foreign_problem, nothing_to_see
from edgekit.control.field.duplicates import AlreadyShown, Shown
from edgekit.control.field.eyes import look_at_all
from edgekit.control.field.frames import NOT_FETCHED, Fetched, FieldFrame, Refused
from edgekit.control.field.ledger import add_judged, read_judged, read_sides
from edgekit.control.field.look import Look
from edgekit.control.field.shares import Thinned, batch_refusal, too_many_of_one
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import load_set, materialise, set_names
from edgekit.control.sets.scene_facts import measure_set
from edgekit.core.progress import OnProgress
from edgekit.core.strata import strata_of
from edgekit.errors import EdgekitError

__all__ = ["REFUSALS", "FieldPicture", "Refused", "Screened", "screen", "set_aside"]

# Why a frame is not used, the worst first.
REFUSALS = (
    "unreadable",
    "size",
    "digest",
    "foreign",
    "mislabelled",
    "dark",
    "duplicate",
    "near duplicate",
    "flood",
    NOT_FETCHED,
)
OF_BATCH = "batch"  # remembered of a frame that was well itself, in a batch that was refused
_SAFE_TO_SHOW = ("mislabelled", "dark", "duplicate", "near duplicate", "flood", OF_BATCH)


@dataclass(frozen=True)
class FieldPicture:
    """A frame that may be used. hash: its dHash; strata: as measured here, of the picture alone."""

    frame: FieldFrame
    hash: str
    strata: tuple[str, ...]


@dataclass(frozen=True)
class Screened:
    """What became of the frames that were not judged before. batch_refusal: why none is to be used, or "".

    accepted: oldest first. known: frames that were judged before; refused_before: those of them that are not in a set,
    with OF_BATCH as a further reason. notes: sentences to be told.
    """

    device: str
    service: str
    accepted: tuple[FieldPicture, ...]
    refused: tuple[Refused, ...]
    batch_refusal: str
    known: int
    notes: tuple[str, ...] = ()
    refused_before: tuple[Refused, ...] = ()

    @property
    def batch(self) -> int:
        """How many frames were judged."""
        return len(self.accepted) + len(self.refused)

    def counts(self) -> dict[str, int]:
        """Refused frames by reason, the worst reason first."""
        found = Counter(one.why for one in self.refused)
        return {why: found[why] for why in REFUSALS if found[why]}


def screen(project: Project, fetched: Fetched, detector: Detector, on_progress: OnProgress) -> Screened:
    """Judge the frames that are new. Raises ConfigError if what was decided before cannot be read."""
    sides = read_sides(project, fetched.device).frames
    judged = read_judged(fetched.folder)
    known_before = {*sides, *judged}
    fresh = [frame for frame in fetched.frames if frame.kept.sha256 not in known_before]
    memory = project.cache_dir / "field_looks" / f"{fetched.device}-{fetched.service}.json"
    looks = look_at_all(fresh, memory, on_progress)
    notes: list[str] = []
    known = _known_pictures(project, fetched, set(sides), on_progress, notes) if fresh else []
    judge = _Judge(detector, AlreadyShown(known), looks.by_digest)
    verdicts = [judge.of(frame) for frame in fresh]
    good = [one for one in verdicts if isinstance(one, FieldPicture)]
    refused = [*fetched.refused, *(one for one in verdicts if isinstance(one, Refused))]
    several = len({*fetched.streams, *(frame.kept.stream for frame in fetched.frames)}) > 1
    thinned = too_many_of_one([one.frame.kept.stream for one in good], several)
    refusal = looks.given_up or batch_refusal(
        Counter(one.why for one in refused), len(good), _example(refused), thinned
    )
    left_out = [_flooded(good[place], thinned) for place in thinned.left_out]
    notes += thinned.notes
    accepted = tuple(one for place, one in enumerate(good) if place not in thinned.left_out)
    return Screened(
        fetched.device,
        fetched.service,
        accepted,
        (*refused, *left_out),
        refusal,
        len(fetched.frames) - len(fresh),
        tuple(notes),
        _refused_before(fetched, judged),
    )


def _refused_before(fetched: Fetched, judged: Mapping[str, str]) -> tuple[Refused, ...]:
    refused = [(frame, judged[frame.kept.sha256]) for frame in fetched.frames if frame.kept.sha256 in judged]
    return tuple(
        Refused(
            frame.kept.sha256, why, "refused before", frame.kept.stream, frame.path if why in _SAFE_TO_SHOW else None
        )
        for frame, why in refused
    )


def set_aside(project: Project, fetched: Fetched, screened: Screened) -> None:
    """Never judge the frames of a refused batch again: what comes after them is judged for itself.

    For after the refusal is on record.
    """
    of_batch = [(one.frame.kept.sha256, OF_BATCH) for one in screened.accepted]
    add_judged(fetched.folder, [*final_refusals(screened), *of_batch])


def final_refusals(screened: Screened) -> list[tuple[str, str]]:
    """(SHA-256, why) of the refused frames that need not be asked for or looked at again."""
    return [(one.sha256, one.why) for one in screened.refused if one.why != NOT_FETCHED]


class _Judge:
    """The rules for one frame after the other, in the order of REFUSALS."""

    def __init__(self, detector: Detector, shown: AlreadyShown, looks: Mapping[str, Look]) -> None:
        self._spec, self._shown, self._looks = detector.spec, shown, looks

    def of(self, frame: FieldFrame) -> FieldPicture | Refused:
        kept = frame.kept
        look = self._looks[kept.sha256]
        doubt = self._doubt(frame, look)
        if doubt:
            why, detail = doubt
            return Refused(kept.sha256, why, detail, kept.stream, frame.path if why in _SAFE_TO_SHOW else None)
        assert look.described is not None
        self._shown.add(_shown(frame, look.hash))
        return FieldPicture(frame, look.hash, strata_of(look.described))

    def _doubt(self, frame: FieldFrame, look: Look) -> tuple[str, str] | None:
        """(why, detail) of the first rule that refuses it."""
        if look.why or look.described is None:
            return look.why or "unreadable", look.detail
        rules = (
            ("foreign", foreign_problem(frame.kept, self._spec)),
            ("mislabelled", contradiction(frame.kept, look.described)),
            ("dark", nothing_to_see(look)),
        )
        for why, detail in rules:
            if detail:
                return why, detail
        repeat = self._shown.find(_shown(frame, look.hash))
        if repeat is None:
            return None
        return (
            ("duplicate", f"it is {repeat.of}")
            if repeat.exact
            else ("near duplicate", f"it shows what {repeat.of} does")
        )


def _shown(frame: FieldFrame, hash_: str) -> Shown:
    return Shown(f"frame {frame.kept.sha256[:12]}", frame.kept.sha256, hash_, frame.kept.objects)


def _known_pictures(
    project: Project, fetched: Fetched, in_sets: set[str], on_progress: OnProgress, notes: list[str]
) -> list[Shown]:
    """The pictures of the project's sets. Those picked from other sets, and scenes that edgekit draws, are no more."""
    objects = {one.kept.sha256: one.kept.objects for one in fetched.frames if one.kept.sha256 in in_sets}
    found = []
    for name in set_names(project):
        try:
            wanted = load_set(project, name)
            if wanted.pictures is None:
                continue
            made = materialise(project, wanted, on_progress, check_digest=False)
            facts = measure_set(project, made, None, on_progress)
        except EdgekitError as error:
            notes.append(f"set {name} could not be compared with the new frames: {error.what}")
            continue
        found += [Shown(f"{name}/{one.name}", one.sha256, one.hash, objects.get(one.sha256)) for one in facts]
    return found


def _example(refused: Sequence[Refused]) -> Mapping[str, str]:
    """Reason -> the sentence of the first frame refused for it."""
    return {one.why: one.detail for one in reversed(refused)}


def _flooded(picture: FieldPicture, thinned: Thinned) -> Refused:
    frame = picture.frame
    return Refused(frame.kept.sha256, "flood", thinned.detail, frame.kept.stream, frame.path)


def safe_to_show(project: Project, fetched: Fetched, screened: Screened) -> tuple[FieldFrame, ...]:
    """The frames that may be used or are used, oldest first: each was read whole, in a process of its own."""
    usable = {one.frame.kept.sha256 for one in screened.accepted} | set(read_sides(project, fetched.device).frames)
    return tuple(frame for frame in fetched.frames if frame.kept.sha256 in usable)
