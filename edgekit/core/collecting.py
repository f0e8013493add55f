"""How a service keeps hard frames, and what it tells of that: part of its settings and of its health.

Without numpy, which a device that is not provisioned yet lacks; the frames themselves are in core.field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

FIELD_FOLDER = "field"  # below a service's state folder
SCENES_NAME = "scenes.json"  # in a release: the ScenesSeen of the set that its engine was calibrated with

# Why a frame was kept, in the order in which a person would care.
REASONS = ("far", "flicker", "uncertain", "rare", "random")


@dataclass(frozen=True)
class CollectSettings:
    """`collect:` of a device. Nothing is kept without it.

    per_hour: frames kept in an hour, at most, of all streams. stream_share, stratum_share: of the quota that one
    stream, or one stratum, may fill. uncertain_band: an object whose score is less than this above the detector's
    confidence is uncertain. random_share: of per_hour, kept for no reason, so that what is kept also tells what is
    usual. blur: classes whose boxes are made unrecognisable before anything is written.
    """

    quota_mib: int = 512
    per_hour: int = 60
    stream_share: float = 0.5
    stratum_share: float = 0.34
    uncertain_band: float = 0.15
    random_share: float = 0.1
    blur: Tuple[str, ...] = ()
    schema: int = 1

    def __post_init__(self) -> None:
        problems = []
        if not 8 <= self.quota_mib <= 1 << 20:
            problems.append(f"quota_mib: expected 8 to 1048576, got {self.quota_mib}")
        if not 1 <= self.per_hour <= 36_000:
            problems.append(f"per_hour: expected 1 to 36000, got {self.per_hour}")
        for name in ("stream_share", "stratum_share"):
            if not 0 < getattr(self, name) <= 1:
                problems.append(f"{name}: expected more than 0, at most 1, got {getattr(self, name):g}")
        for name in ("uncertain_band", "random_share"):
            if not 0 <= getattr(self, name) <= 1:
                problems.append(f"{name}: expected 0 to 1, got {getattr(self, name):g}")
        if problems:
            raise ValueError("; ".join(problems))


@dataclass(frozen=True)
class FieldHealth:
    """What a service tells of its collecting; part of Health.

    kept: frames that lie on the disk now, kept_mib what they take. added, removed: since the service started; removed
    made room. drift: share of the scenes looked at lately that lie farther from the calibration set than nearly all of
    its own pictures do from each other; about 0.05 where nothing changed; None before enough were looked at, or without
    the set. unseen: strata that make up a marked share of these scenes and of which the set has next to nothing, the
    commonest first. looked_at: how many scenes that says it of.
    """

    kept: int
    kept_mib: float
    added: int
    removed: int
    drift: Optional[float] = None
    unseen: Tuple[str, ...] = ()
    looked_at: int = 0
    reasons: Optional[Dict[str, int]] = None  # of those added
    schema: int = 1
