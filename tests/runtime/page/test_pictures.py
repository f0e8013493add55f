"""Pictures for viewers: drawn for whoever looks, once for all of them."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest

from edgekit.core.events import EventSettings
from edgekit.core.zones import Zone
from edgekit.runtime.page import pictures as module
from edgekit.runtime.page.pictures import Pictures
from tests.runtime.page.conftest import detected


def decoded(picture):
    return cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
def drawn(monkeypatch):
    """The frames that were drawn, by number."""
    frames = []
    real = module.annotate_scaled

    def counted(pixels, *more):
        frames.append(pixels)
        return real(pixels, *more)

    monkeypatch.setattr(module, "annotate_scaled", counted)
    return frames


def test_nothing_is_drawn_while_nobody_looks(feed, drawn):
    """A page that nobody has open must cost a device nothing."""
    pictures = Pictures(feed)
    for index in range(20):
        feed.show(detected("yard", index))
    assert drawn == []
    assert pictures.latest("gate") is None
    assert decoded(pictures.latest("yard")).shape == (90, 160, 3)
    assert len(drawn) == 1


@pytest.mark.parametrize(
    ("size", "expected"), [((1920, 1080), (960, 540)), ((3840, 400), (960, 100)), ((640, 360), (640, 360))]
)
def test_large_frames_are_sent_small_with_their_boxes_where_the_objects_are(feed, size, expected):
    """4K over a tunnel is seconds a picture; a box that was not scaled along marks the wrong thing."""
    width, height = size
    box = (width * 0.25, height * 0.5, width * 0.75, height * 0.9)
    feed.show(detected("yard", size=size, grey=0, boxes=(box,)))
    picture = decoded(Pictures(feed).latest("yard"))
    assert (picture.shape[1], picture.shape[0]) == expected
    bright = picture.max(axis=2) > 100
    rows, columns = np.nonzero(bright)
    assert abs(columns.min() - expected[0] * 0.25) <= 3 and abs(columns.max() - expected[0] * 0.75) <= 3
    assert abs(rows.max() - expected[1] * 0.9) <= 3


def test_the_frame_itself_stays_as_it_was(feed):
    """Sinks and sources have the same array."""
    frame = detected("yard")
    feed.show(frame)
    feed.reload(EventSettings(zones=(Zone("gate", ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))),)))
    assert (decoded(Pictures(feed).latest("yard")) != 80).any()
    assert (frame.frame.pixels == 80).all()


def test_viewers_of_one_stream_share_each_picture(feed, drawn):
    """Four people who look must not cost four times as much."""
    pictures, seen = Pictures(feed), []

    def look():
        number = 0
        while True:
            picture = pictures.newer("yard", number, 1.0)
            if picture is None:
                return
            number = picture.number
            seen.append(picture)
            time.sleep(0.1)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    started_s = time.monotonic()
    for index in range(60):
        feed.show(detected("yard", index))
        time.sleep(0.015)
    lasted_s = time.monotonic() - started_s
    for thread in threads:
        thread.join()
    assert len(seen) >= 4 * 4
    assert len(drawn) <= lasted_s * module.MOST_A_SECOND + 3
    assert len({picture.number for picture in seen}) == len(drawn)


def test_each_viewer_gets_newer_pictures_only(feed):
    """Pictures that go back in time look like a fault of the camera."""
    pictures = Pictures(feed)
    feed.show(detected("yard", 0, grey=20, boxes=()))
    first = pictures.newer("yard", 0, 1.0)
    assert pictures.newer("yard", first.number, 0.05) is None
    feed.show(detected("yard", 1, grey=200, boxes=()))
    second = pictures.newer("yard", first.number, 1.0)
    assert second.number > first.number and decoded(second).mean() > 150


def test_a_picture_of_long_ago_is_not_shown_to_the_next_viewer(feed):
    """The last viewer left an hour ago; so did what was seen then."""
    pictures = Pictures(feed)
    feed.show(detected("yard", 0, grey=20, boxes=()))
    pictures.latest("yard")
    time.sleep(0.12)
    feed.show(detected("yard", 1, grey=200, boxes=()))
    assert decoded(pictures.latest("yard")).mean() > 150
