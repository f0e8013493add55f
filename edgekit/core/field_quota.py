"""Which kept frames make room for a new one, so that no camera and no kind of scene crowds out the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from edgekit.core.collecting import CollectSettings

_MIB = 1 << 20
_BLOCK_BYTES = 4096  # what a file system hands out; small files take more room than they have bytes


@dataclass(frozen=True)
class Held:
    """A kept frame as the quota sees it. bytes: on the disk, both files. stratum: the one it counts for."""

    sha256: str
    bytes: int
    stream: str
    stratum: str


def disk_bytes(*sizes: int) -> int:
    """What files of these sizes take on a disk."""
    return sum(-(-size // _BLOCK_BYTES) * _BLOCK_BYTES for size in sizes)


def counts_for(strata: Sequence[str], is_unseen: Callable[[str], bool], held: Mapping[str, int]) -> str:
    """The least usual of a frame's strata; "" if it has none.

    That is the first of which the calibration set has next to nothing, else the one that the fewest kept frames lie in.
    held: stratum -> kept frames.
    """
    unseen = [name for name in strata if is_unseen(name)]
    return unseen[0] if unseen else min(strata, key=lambda name: held.get(name, 0), default="")


def frames_to_remove(new: Held, held: Sequence[Held], settings: CollectSettings) -> Optional[List[Held]]:
    """What has to go for a new frame; None if it is larger than the whole quota. held: oldest first.

    A stream or stratum that has its share makes room from its own, else all do: each time the oldest of the fullest
    (stream, stratum) goes. A stream's share counts once there are several.
    """
    quota = settings.quota_mib * _MIB
    if new.bytes > quota:
        return None
    left, removed = list(held), []
    for is_same, limit in _shares(new, held, settings):
        sharing = [frame for frame in left if is_same(frame)]
        # One that has more than its share, as after a change of settings, keeps what it has.
        allowed = max(limit, sum(frame.bytes for frame in sharing))
        gone = frames_over(sharing, allowed - new.bytes)
        left = [frame for frame in left if frame not in gone]
        removed += gone
    return removed + frames_over(left, quota - new.bytes)


def frames_over(held: Sequence[Held], limit_bytes: float) -> List[Held]:
    """The frames without which the others fit, each time the oldest of what takes the most. held: oldest first."""
    groups: Dict[Tuple[str, str], List[Held]] = {}
    for frame in held:
        groups.setdefault((frame.stream, frame.stratum), []).append(frame)
    taken = {key: sum(frame.bytes for frame in frames) for key, frames in groups.items()}
    removed: List[Held] = []
    while sum(taken.values()) > limit_bytes and any(groups.values()):
        fullest = max(taken, key=lambda key: taken[key])
        removed.append(groups[fullest].pop(0))
        taken[fullest] -= removed[-1].bytes
    return removed


def _shares(new: Held, held: Sequence[Held], settings: CollectSettings) -> List[Tuple[Callable[[Held], bool], float]]:
    """(whether a frame shares the room, how much there is [bytes]) of the new frame's stratum and stream."""
    quota = settings.quota_mib * _MIB
    shares: List[Tuple[Callable[[Held], bool], float]] = [
        (lambda frame: frame.stratum == new.stratum, settings.stratum_share * quota)
    ]
    if any(frame.stream != new.stream for frame in held):
        shares.append((lambda frame: frame.stream == new.stream, settings.stream_share * quota))
    return shares
