"""What the page may show of a running pipeline."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from edgekit.core.events import Event
from edgekit.runtime.page.feed import MOST_EVENTS
from tests.runtime.page.conftest import detected


def event(number):
    return Event("enter", "gate", "yard", number, "car", 0.9, (0.0, 0.0, 1.0, 1.0), 1.0, 1.7e9)


def test_only_the_latest_frame_of_each_stream_is_kept(feed):
    """Every frame that stays is megabytes of a device that has few."""
    first = detected("yard")
    gone = weakref.ref(first.frame)
    feed.show(first)
    del first
    feed.show(detected("yard", 1))
    feed.show(detected("gate", 5))
    gc.collect()
    assert gone() is None
    assert feed.latest("yard").detected.frame.index == 1 and feed.latest("gate").detected.frame.index == 5
    assert feed.latest("nowhere") is None


def test_the_last_events_are_kept_newest_first(feed):
    """A page that is opened later must tell what happened before; not since the device was switched on."""
    for number in range(1, 151):
        feed.show(detected("yard", number, events=[event(number)]))
    assert [one.track_id for one in feed.events] == list(range(150, 150 - MOST_EVENTS, -1))


def test_who_waits_is_woken_by_a_frame_of_its_stream_only(feed):
    """A picture of the other camera, or of none, would be sent as this one's."""
    feed.show(detected("yard", 9))
    seen = feed.latest("yard").number
    threading.Timer(0.05, feed.show, [detected("gate", 1)]).start()
    threading.Timer(0.15, feed.show, [detected("yard", 0)]).start()  # the source began again: its count did too
    newer = feed.wait_newer("yard", seen, 5.0)
    assert newer is not None and newer.number > seen and newer.detected.frame.index == 0


@pytest.mark.timed
def test_waiting_ends_when_no_frame_comes(feed):
    """A dead camera would hold its viewers' threads for ever."""
    started_s = time.monotonic()
    assert feed.wait_newer("yard", 0, 0.1) is None
    assert 0.1 <= time.monotonic() - started_s < 2


@pytest.mark.timed
def test_a_stream_tells_how_long_it_is_silent_and_what_was_in_its_last_picture(feed):
    """Health may say "ok" for seconds after the last frame; the page goes by this."""
    assert feed.view("yard").silent_s is None and feed.view("yard").objects is None
    feed.show(detected("yard", boxes=((1, 2, 30, 40), (5, 6, 70, 80))))
    time.sleep(0.05)
    view = feed.view("yard")
    assert view.objects == 2 and 0.05 <= view.silent_s < 2


def test_showing_a_frame_costs_next_to_nothing(feed):
    """It is in the way of every frame, whether anybody looks or not."""
    frame = detected("yard", size=(1920, 1080))
    costs_s = []
    for _ in range(200):
        started_s = time.perf_counter()
        feed.show(frame)
        costs_s.append(time.perf_counter() - started_s)
    assert sorted(costs_s)[100] < 1e-4
