"""Sources that are read again and again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgekit.core.camera_condition import Condition
from edgekit.runtime.bench.replayed import Replayed
from edgekit.runtime.sources import open_source
from tests.fakes import Greys


@pytest.fixture(name="picture")
def _picture(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    return str(tmp_path)


def test_it_begins_again_and_stops_when_asked(picture):
    """It would be the one source that Ctrl-C does not end."""
    with Replayed(lambda: open_source(picture)) as source:
        assert [next(source).name for _ in range(3)] == ["a.png"] * 3
        source.stop()
        assert list(source) == []


def test_its_frames_are_of_the_stream_that_it_is(picture):
    """A group names its members after they were opened, and shares are counted by these names."""
    with Replayed(lambda: open_source(picture)) as source:
        source.name = "front"
        assert [next(source).stream for _ in range(3)] == ["front"] * 3


class Camera(Greys):
    """A camera that is away before each frame."""

    condition = Condition("stalled", 0.0, "no packets")
    notes = ("read by OpenCV",)

    def __next__(self):
        self.on_away("it is stalled")
        return super().__next__()


def test_a_camera_behind_it_tells_how_it_fares():
    """A measurement would wait for a camera without saying for what."""
    said = []
    with Replayed(lambda: Camera(None, live=True, fps=1000.0)) as source:
        source.on_away = said.append
        next(source)
        assert (source.live, source.fps, source.condition.state, source.notes) == (
            True,
            1000.0,
            "stalled",
            ("read by OpenCV",),
        )
    assert said == ["it is stalled"]
