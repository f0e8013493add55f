"""Hard frames that a service keeps on its device: which ones, for how long, and what is known of each.

A frame is kept as <sha256>.jpg with <sha256>.json (KeptFrame) beside it. The JSON comes second, after both files were
forced to the disk: a frame counts as kept from then on, and only then. When the quota is full the JSON goes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from edgekit.core.scene_descriptor import SceneDescriptor


@dataclass(frozen=True)
class KeptObject:
    """What the serving engine saw. box_xyxy: left, top, right, bottom in pixels of the picture."""

    label: str
    score: float
    box_xyxy: Tuple[float, float, float, float]


@dataclass(frozen=True)
class KeptFrame:
    """<sha256>.json: one frame and why it was kept. sha256 and bytes are those of the JPEG file.

    drift: distance from the calibration set, see core.scenes_seen; None where the release does not carry the set.
    strata are the device's opinion; who takes the frame measures again. blurred: how many boxes were.
    """

    sha256: str
    bytes: int
    width_px: int
    height_px: int
    stream: str  # "" for a single camera
    reasons: Tuple[str, ...]
    strata: Tuple[str, ...]
    described: SceneDescriptor
    objects: Tuple[KeptObject, ...]
    drift: Optional[float]
    time_unix_s: float
    service: str
    engine_id: str
    blurred: int = 0
    schema: int = 1


@dataclass(frozen=True)
class FieldRequest:
    """What a service has kept: verb `field`."""

    root: str
    service: str
    schema: int = 1


@dataclass(frozen=True)
class FieldAnswer:
    """frames: kept ones, oldest first. folder: where their files lie. damaged: files that are not what they claim."""

    folder: str
    frames: Tuple[KeptFrame, ...]
    damaged: Tuple[str, ...] = ()
