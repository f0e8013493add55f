"""How objects are followed: settings, apart from the tracker, since boards read them before they have numpy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackingSettings:
    """How objects are followed. Scores are the detector's, 0-1; what it leaves out cannot be followed either."""

    sure_score: float = 0.4  # from here on a detection is sure, and may begin an object
    unsure_score: float = 0.1  # between this and sure it may only continue one
    min_iou: float = 0.2  # of a predicted box and a sure detection, to be the same object
    min_iou_unsure: float = 0.3  # the same for an unsure one
    confirm_frames: int = 2  # an object is reported once it was seen in so many frames
    confirm_s: float = 1.0  # with no more than this between two of them
    lost_s: float = 3.0  # an object that was not seen for longer has ended; a new number from then on
    max_objects: int = 512  # followed at once; memory and time stay bounded

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected a number from 0 to 1, got {getattr(self, name):g}"
            for name in ("sure_score", "unsure_score", "min_iou", "min_iou_unsure")
            if not 0 <= getattr(self, name) <= 1
        ]
        problems += [
            f"{name}: expected a number above 0 and up to {most:g}, got {getattr(self, name):g}"
            for name, most in (("confirm_s", 60), ("lost_s", 3600))
            if not 0 < getattr(self, name) <= most
        ]
        problems += [
            f"{name}: expected a whole number from 1 to {most}, got {getattr(self, name)}"
            for name, most in (("confirm_frames", 100), ("max_objects", 4096))
            if not 1 <= getattr(self, name) <= most
        ]
        if self.unsure_score > self.sure_score:
            problems.append(f"unsure_score: expected at most sure_score, {self.sure_score:g}")
        if problems:
            raise ValueError("; ".join(problems))
