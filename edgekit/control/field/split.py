"""Which side each new frame goes to: calibration, or held out for measuring. Frames of one moment stay on one side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgekit.control.field.ledger import CALIB, HOLDOUT, OUT, Side
from edgekit.control.sets.splitting import split_groups

# How long a stretch of a camera's time stays together [s]: the longest that still gives enough stretches to part.
STRETCHES_S = (900.0, 180.0, 30.0, 5.0)
_ENOUGH_STRETCHES = 10


@dataclass(frozen=True)
class NewFrame:
    """A frame without a side yet."""

    sha256: str
    stream: str
    time_unix_s: float
    strata: tuple[str, ...]


@dataclass(frozen=True)
class NewSides:
    """The side of each new frame, by SHA-256. stretch_s: how long the stretches are that stay together; 0 if all frames
    fell into stretches that had a side already."""

    sides: Mapping[str, Side]
    stretch_s: float


def assign_sides(frames: Sequence[NewFrame], before: Mapping[str, Side], share: float, seed: int) -> NewSides:
    """Part new frames so that about `share` of all is held out, with its share of every stratum.

    before: all that have a side, which they keep; a new frame of the same stretch of time joins them. The same frames
    and seed give the same sides.
    """
    stretches = _stretches(before.values())
    joined = {frame.sha256: near for frame in frames if (near := _stretch_of(frame, stretches)) is not None}
    found = {
        frame.sha256: Side(joined[frame.sha256].side, frame.stream, frame.time_unix_s, *_span(joined[frame.sha256]))
        for frame in frames
        if frame.sha256 in joined
    }
    free = sorted(
        (frame for frame in frames if frame.sha256 not in found), key=lambda one: (one.time_unix_s, one.sha256)
    )
    if not free:
        return NewSides(found, 0.0)
    length_s = _stretch_length_s(free)
    all_sides = [*before.values(), *found.values()]
    held = _held_out(free, length_s, _wanted_share(all_sides, len(free), share), seed)
    for place, frame in enumerate(free):
        from_s = _stretch_start_s(frame, length_s)
        side = HOLDOUT if place in held else CALIB
        found[frame.sha256] = Side(side, frame.stream, frame.time_unix_s, from_s, from_s + length_s)
    return NewSides(found, length_s)


def _stretches(before: Iterable[Side]) -> Mapping[str, list[Side]]:
    """Stream -> one Side for each stretch of it, shortest first: where they overlap the nearest moment decides."""
    found: dict[tuple[str, float, float], Side] = {}
    for side in before:
        if side.side != OUT:
            found.setdefault((side.stream, side.from_s, side.to_s), side)
    by_stream: dict[str, list[Side]] = {}
    for side in sorted(found.values(), key=lambda one: (one.to_s - one.from_s, one.from_s)):
        by_stream.setdefault(side.stream, []).append(side)
    return by_stream


def _stretch_of(frame: NewFrame, stretches: Mapping[str, list[Side]]) -> Side | None:
    own = stretches.get(frame.stream, [])
    return next((side for side in own if side.from_s <= frame.time_unix_s < side.to_s), None)


def _span(side: Side) -> tuple[float, float]:
    return side.from_s, side.to_s


def _stretch_start_s(frame: NewFrame, length_s: float) -> float:
    return frame.time_unix_s // length_s * length_s


def _groups(frames: Sequence[NewFrame], length_s: float) -> list[str]:
    return [f"{frame.stream} {_stretch_start_s(frame, length_s):.0f}" for frame in frames]


def _stretch_length_s(frames: Sequence[NewFrame]) -> float:
    enough = (length_s for length_s in STRETCHES_S if len(set(_groups(frames, length_s))) >= _ENOUGH_STRETCHES)
    return next(enough, STRETCHES_S[-1])


def _wanted_share(sides: Sequence[Side], new: int, share: float) -> float:
    """Of the new frames, so that of all together `share` is held out."""
    used = [side.side for side in sides if side.side != OUT]
    missing = share * (len(used) + new) - used.count(HOLDOUT)
    return min(1.0, max(0.0, missing / new))


def _held_out(frames: Sequence[NewFrame], length_s: float, share: float, seed: int) -> frozenset[int]:
    groups = _groups(frames, length_s)
    if share in (0.0, 1.0) or len(set(groups)) < 2:
        return frozenset(range(len(frames)) if share > 0.5 else ())
    return frozenset(split_groups([one.strata for one in frames], groups, (), share, seed).frozen)
