"""Frames to keep in tests: small, each different, all valid."""

from __future__ import annotations

import hashlib
from typing import Sequence, Tuple

from edgekit.core.field import KeptFrame, KeptObject
from edgekit.core.scene_descriptor import SceneDescriptor

DESCRIBED = SceneDescriptor(120.0, 40.0, 1.0, 1.8, 0.5, 20.0, 0.0, 0.0, 0.1)
KIB = 1024


def frame_of(
    number: int, stream: str = "gate", strata: Sequence[str] = ("light:day",), size_kib: int = 4, blurred: int = 0
) -> Tuple[bytes, KeptFrame]:
    """What stands for a JPEG, as large as is asked, and what tells of it."""
    jpeg = (b"%d " % number * (size_kib * KIB))[: size_kib * KIB]
    return jpeg, KeptFrame(
        sha256=hashlib.sha256(jpeg).hexdigest(),
        bytes=len(jpeg),
        width_px=64,
        height_px=48,
        stream=stream,
        reasons=("random",),
        strata=tuple(strata),
        described=DESCRIBED,
        objects=(KeptObject("person", 0.5, (1.0, 2.0, 3.0, 4.0)),),
        drift=None,
        time_unix_s=1000.0 + number,
        service="street",
        engine_id="e",
        blurred=blurred,
    )
