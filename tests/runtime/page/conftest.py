"""A feed with frames as the pipeline makes them, and what a service says of itself."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.machine import MachineReadings
from edgekit.core.service import Health
from edgekit.runtime.frames import Frame
from edgekit.runtime.page.feed import Feed
from edgekit.runtime.pipeline_batch import DetectedFrame, StageTimes

HEALTH = Health(
    service="street",
    release="0123456789abcdef",
    pid=1,
    frames=7,
    detections=9,
    fps=10.0,
    frame_age_ms=40.0,
    dropped=2,
    engine_id="e" * 16,
    precision="int8",
    started_unix_s=1.7e9,
    updated_unix_s=1.7e9,
)


def detected(stream="", index=0, size=(160, 90), grey=80, events=(), boxes=((20, 30, 60, 70),)):
    """A frame of one colour with objects in it."""
    pixels = np.full((size[1], size[0], 3), grey, np.uint8)
    frame = Frame(pixels, index, time.monotonic(), f"{index}", stream=stream)
    count = len(boxes)
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(count, 0.5, np.float32), np.zeros(count, np.int32)
    )
    return DetectedFrame(frame, found, 20.0, time.monotonic(), StageTimes(1, 1, 1, 1), events=tuple(events))


@pytest.fixture
def feed():
    return Feed(("car",), ("yard", "gate"))


def say(feed, machine=None, **changes):
    feed.say(replace(HEALTH, **changes), machine or MachineReadings())
