"""Shares of a batch of frames: how much of it is bad, and how much of the rest one camera gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

BAD_MOST = 0.5  # of the frames that came and repeat nothing
MISLABELLED_MOST = 0.2
ONE_CAMERA_MOST = 0.8  # of what is left, where there are several
ONE_CAMERA_KEPT = 0.6  # beyond it, its frames are thinned
_JUDGED_FROM = 20  # frames: shares of fewer say nothing of a camera
_LEAST_BAD = 3

_NO_FAULT = ("duplicate", "near duplicate", "not fetched")
_WORDS = {
    "unreadable": "cannot be read",
    "size": "have another size than said",
    "digest": "have another content than said",
    "foreign": "are not of this service and detector",
    "mislabelled": "contradict what the device calls them",
    "dark": "show nothing",
}


@dataclass(frozen=True)
class Thinned:
    """Frames of a camera that gives too many. left_out: their positions; camera, share: whose, and how much it gave."""

    left_out: frozenset[int] = frozenset()
    camera: str = ""
    share: float = 0.0
    total: int = 0
    notes: tuple[str, ...] = ()

    @property
    def detail(self) -> str:
        """Why a frame was left out."""
        return f"its camera {self.camera or '(unnamed)'} gave {_percent(self.share)} of {self.total} frames"


def too_many_of_one(streams: Sequence[str], several: bool) -> Thinned:
    """Which frames of a camera to leave out so that it gives no more than ONE_CAMERA_KEPT of what stays.

    streams: the camera of each good frame, oldest first; those that stay are spread over time. several: the device has
    more than one camera.
    """
    total = len(streams)
    if not several or total < _JUDGED_FROM:
        return Thinned()
    camera, count = Counter(streams).most_common(1)[0]
    share = count / total
    if share <= ONE_CAMERA_KEPT:
        return Thinned()
    if share > ONE_CAMERA_MOST:  # the batch is refused, so nothing has to be left out of it
        return Thinned(camera=camera, share=share, total=total)
    own = [place for place, name in enumerate(streams) if name == camera]
    most = max(1, round((total - count) * ONE_CAMERA_KEPT / (1 - ONE_CAMERA_KEPT)))
    staying = {own[int(at)] for at in np.linspace(0, count - 1, most).round()}
    left_out = frozenset(own) - staying
    note = f"{len(left_out)} of {count} frames of camera {camera} are left out: it gave {_percent(share)} of all"
    return Thinned(left_out, camera, share, total, (note,))


def batch_refusal(refused: Mapping[str, int], good: int, examples: Mapping[str, str], thinned: Thinned) -> str:
    """Why a whole batch is refused, a sentence; "" if it is not. examples: a sentence for each reason that occurs."""
    bad = {why: count for why, count in refused.items() if why not in _NO_FAULT and count}
    total = good + sum(bad.values())
    mislabelled = bad.get("mislabelled", 0)
    if mislabelled >= _LEAST_BAD and mislabelled > MISLABELLED_MOST * total:
        return (
            f"{mislabelled} of {total} new frames contradict what the device calls them, more than "
            f"{_percent(MISLABELLED_MOST)}: {examples['mislabelled']}"
        )
    if sum(bad.values()) >= _LEAST_BAD and sum(bad.values()) > BAD_MOST * total:
        each = ", ".join(f"{count} {_WORDS[why]}" for why, count in sorted(bad.items(), key=lambda item: -item[1]))
        return f"{sum(bad.values())} of {total} new frames cannot be used, more than {_percent(BAD_MOST)}: {each}"
    if thinned.share > ONE_CAMERA_MOST:
        return (
            f"{_percent(thinned.share)} of {thinned.total} good new frames are of camera {thinned.camera}, though the "
            f"device has several; more than {_percent(ONE_CAMERA_MOST)} of one would calibrate for that camera alone"
        )
    return ""


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
