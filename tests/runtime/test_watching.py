"""From detected frames to numbered objects and events."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.events import EventSettings
from edgekit.core.zones import Line, Zone
from edgekit.errors import ConfigError
from edgekit.runtime.frames import Frame
from edgekit.runtime.pipeline import DetectedFrame, StageTimes
from edgekit.runtime.stream_group import StreamGroup
from edgekit.runtime.watching import Watching
from tests.fakes import Greys

LABELS = ("car", "person")
YARD = Zone("yard", ((0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0)))
SETTINGS = EventSettings((YARD,))


def detected(index, x, stream="", captured_s=None, bad=()):
    """A frame 1000 x 500 with one car whose box ends at the point (x, 300)."""
    box = np.array([[x - 20, 260, x + 20, 300]], np.float32)
    found = Detections(box, np.array([0.9], np.float32), np.array([0], np.int32))
    at_s = index / 10 if captured_s is None else captured_s
    frame = Frame(np.zeros((500, 1000, 3), np.uint8), index, at_s, f"{index}", stream=stream)
    return DetectedFrame(frame, found, 5.0, at_s, StageTimes(0, 0, 0, 0), bad)


def drive(watching, xs, start=0, **more):
    """A car at x = xs[0], xs[1] ...; the frames as they come back."""
    return [watching.follow(detected(index, x, **more)) for index, x in enumerate(xs, start)]


def told(frames):
    return [(event.kind, event.place, event.stream, event.track_id) for frame in frames for event in frame.events]


def watching(settings=SETTINGS, source=None, streams=("",)):
    found = Watching(settings, LABELS, streams)
    found.begin(source or Greys(100, fps=10.0))
    return found


def test_frames_come_back_with_their_objects_and_events():
    """Sinks and page tell of nothing else."""
    frames = drive(watching(), range(300, 760, 20))
    assert [frame.track_ids.tolist() for frame in frames[:3]] == [[0], [1], [1]]
    assert told(frames) == [("enter", "yard", "", 1), ("leave", "yard", "", 1)]


def test_without_settings_a_frame_passes_as_it_is():
    """Following costs time and memory, so that who asks for nothing pays for nothing."""
    frame = detected(0, 500)
    plain = watching(None)
    assert plain.follow(frame) is frame and frame.track_ids is None
    assert plain.objects is None and plain.counts().zones == ()


def test_a_frame_without_numbers_makes_nobody_leave():
    """An engine that gives NaN for a moment sees an empty street; everyone would leave and enter again."""
    yard = watching()
    inside = drive(yard, [500] * 5)
    nothing = dataclasses.replace(detected(5, 500, bad=("output0",)), detections=Detections.empty())
    assert yard.follow(nothing) is nothing
    assert told(inside + drive(yard, [500] * 5, start=6)) == [("enter", "yard", "", 1)]


def test_each_stream_has_objects_of_its_own():
    """A car in the yard would enter by driving past the gate's camera."""
    names = ("gate", "yard")
    both = watching(source=StreamGroup([Greys(9, fps=10.0), Greys(9, fps=10.0)], names), streams=names)
    frames = drive(both, [500] * 3, stream="gate") + drive(both, [900] * 3, stream="yard")
    assert told(frames) == [("enter", "yard", "gate", 1)]
    assert both.objects == 2


def test_a_file_has_times_of_its_own_and_a_camera_those_of_its_frames():
    """A video that is read at ten times its speed would have everyone stay a tenth as long."""
    stay = EventSettings((dataclasses.replace(YARD, stay_s=2.0),))
    read_fast = [detected(index, 500, captured_s=index / 1000) for index in range(30)]
    video, camera = watching(stay), watching(stay, Greys(None, live=True, fps=10.0))
    assert [event.kind for frame in map(video.follow, read_fast) for event in frame.events] == ["enter", "stay"]
    assert [event.kind for frame in map(camera.follow, read_fast) for event in frame.events] == ["enter"]


def test_a_source_that_begins_again_ends_its_objects():
    """The car at the end of a looped video would be the one at its beginning, and times would run backwards."""
    looped = watching()
    first = drive(looped, [500] * 5)
    looped.begin(Greys(100, fps=10.0))
    second = drive(looped, [500] * 5)
    assert told(first) == [("enter", "yard", "", 1)]
    assert told(second)[:1] == [("leave", "yard", "", 1)] and ("enter", "yard", "", 2) in told(second)


def test_zones_change_between_two_frames_and_objects_keep_their_numbers():
    """A reload must not count everybody again."""
    yard = watching()
    drive(yard, [500] * 5)
    yard.reload(EventSettings((dataclasses.replace(YARD, name="court"),)))
    assert told(drive(yard, [500] * 3, start=5)) == [("enter", "court", "", 1)]
    yard.reload(None)
    assert yard.follow(detected(9, 500)).track_ids is None
    yard.reload(SETTINGS)
    assert [frame.track_ids.tolist() for frame in drive(yard, [500] * 2, start=10)] == [[0], [1]]


def test_zones_that_do_not_fit_are_refused_and_change_nothing():
    """A zone for "cars" would wait for ever, and look as if nothing came."""
    wrong = EventSettings(
        (dataclasses.replace(YARD, classes=("cars",)),), (Line("door", (0, 0), (1, 1), stream="back"),)
    )
    with pytest.raises(ConfigError) as caught:
        Watching(wrong, LABELS, ("",))
    assert len(caught.value.problems) == 2 and "no class 'cars'" in caught.value.problems[0]
    yard = watching()
    with pytest.raises(ConfigError):
        yard.reload(wrong)
    assert told(drive(yard, [500] * 3)) == [("enter", "yard", "", 1)]
