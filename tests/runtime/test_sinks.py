"""Sinks: complete files under their final names, and nothing else."""

from __future__ import annotations

import errno
import json

import cv2
import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.events import Event
from edgekit.errors import DeviceError, SourceError, UsageError
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.jsonl_sink import JsonlLog, line_of
from edgekit.runtime.pipeline import DetectedFrame, StageTimes
from edgekit.runtime.sinks import SINK_EXAMPLES, Sinks, open_sinks
from edgekit.runtime.stream_group import StreamGroup

LABELS = ("car", "person")
ONE_CAR = Detections(np.array([[10, 12, 40, 36]], np.float32), np.array([0.9], np.float32), np.array([0], np.int32))


def source_of(*paths, live=False, fps=None):
    source = Source()
    source.paths, source.live, source.fps = tuple(map(str, paths)), live, fps
    return source


def group_of(*names, live=False, fps=None):
    members = [source_of(live=live, fps=fps) for _ in names]
    return StreamGroup(members, names)


def detected(index=0, name=None, path=None, size=(64, 48), grey=90, stream="", track_ids=None, events=()):
    pixels = np.full((size[1], size[0], 3), grey, np.uint8)
    frame = Frame(pixels, index, 0.0, name or f"frame-{index:06d}", path=path, stream=stream)
    return DetectedFrame(frame, ONE_CAR, 12.3456, 0.0, StageTimes(0, 0, 0, 0), (), track_ids, tuple(events))


def event(number):
    return Event("cross", "gate", "", number, "car", 0.9, (1.0, 2.0, 3.0, 4.0), 5.0, 1.8e9, direction="in")


def run(uri, frames, source=None):
    with open_sinks([str(uri)], LABELS, source or source_of()) as sinks:
        for frame in frames:
            sinks.write(frame)
    return sinks.written


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def video_frames(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        came, frame = capture.read()
        if not came:
            return frames
        frames.append(frame)


def test_json_lines_hold_one_frame_each(tmp_path):
    """Whatever reads the file would have to guess."""
    path = tmp_path / "new" / "out.jsonl"
    assert (str(path),) == run(f"jsonl:{path}", [detected(0), detected(1)])
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert first == {
        "index": 0,
        "name": "frame-000000",
        "age_ms": 12.346,
        "detections": [{"box_xyxy": [10.0, 12.0, 40.0, 36.0], "score": 0.9, "class_id": 0, "label": "car"}],
    }
    assert second["index"] == 1


def test_detections_name_their_objects_where_those_are_followed(tmp_path):
    """Nobody could tell one car that waits from ten that pass."""
    frames = [detected(0, track_ids=np.array([17])), detected(1, track_ids=np.array([0])), detected(2)]
    run(f"jsonl:{tmp_path}/out.jsonl", frames)
    lines = [json.loads(line)["detections"][0] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line.get("track_id") for line in lines] == [17, 0, None]
    assert "track_id" not in lines[2]


@pytest.mark.parametrize("live", [True, False])
def test_events_are_a_line_each_added_at_once_and_frames_without_any_are_none(tmp_path, live):
    """What acts on events would have to search every frame for them, or wait for the end of a run that has none."""
    path = tmp_path / "new" / "events.jsonl"
    for numbers in ([1, 2], [3]):
        with open_sinks([f"events:{path}"], LABELS, source_of(live=live, fps=10.0)) as sinks:
            sinks.write(detected(0))
            sinks.write(detected(1, events=map(event, numbers)))
            assert path.read_text().splitlines()[-1] + "\n" == event(numbers[-1]).to_line()
        assert sinks.written == (str(path),)
    assert path.read_text() == "".join(event(number).to_line() for number in (1, 2, 3))


@pytest.mark.parametrize("name", ["out.jsonl", "out.mp4", "out.avi"])
def test_a_file_has_its_name_only_once_it_is_complete(tmp_path, name):
    """A reader would take half a file for the whole."""
    path = tmp_path / name
    path.write_text("the result before")
    kind = "jsonl" if name.endswith("jsonl") else "video"
    with open_sinks([f"{kind}:{path}"], LABELS, source_of()) as sinks:
        sinks.write(detected())
        assert path.read_text() == "the result before"
    assert path.read_bytes() != b"the result before"
    assert [name] == names_in(tmp_path)


@pytest.mark.parametrize("name", ["out.jsonl", "out.avi"])
def test_an_error_leaves_what_was_there_before(tmp_path, name):
    """A failed run would destroy the last good result."""
    path = tmp_path / name
    path.write_text("the result before")
    kind = "jsonl" if name.endswith("jsonl") else "video"
    with pytest.raises(SourceError), open_sinks([f"{kind}:{path}"], LABELS, source_of()) as sinks:
        sinks.write(detected())
        raise SourceError("the cable came loose")
    assert path.read_text() == "the result before"
    assert [name] == names_in(tmp_path)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_keeps_the_frames_written_so_far(tmp_path, interruption):
    """An hour of recording would be lost by ending it the usual way."""
    uris = [f"jsonl:{tmp_path}/o.jsonl", f"video:{tmp_path}/o.avi", f"images:{tmp_path}/pictures"]
    with pytest.raises(interruption), open_sinks(uris, LABELS, source_of()) as sinks:
        for index in range(3):
            sinks.write(detected(index))
        raise interruption
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 3
    assert len(video_frames(tmp_path / "o.avi")) == 3
    assert len(names_in(tmp_path / "pictures")) == 3
    assert len(sinks.written) == 3


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_video_holds_every_frame_with_boxes_at_the_pace_of_its_source(tmp_path, suffix):
    """It would play too fast, or show no boxes."""
    path = tmp_path / f"out{suffix}"
    run(f"video:{path}", [detected(index, size=(320, 240)) for index in range(12)], source_of(fps=25.0))
    frames = video_frames(path)
    assert (len(frames), frames[0].shape) == (12, (240, 320, 3))
    assert pytest.approx(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS)) == 25.0
    assert float(frames[0].std()) > 3


def test_frames_of_other_sizes_are_fitted_into_the_video(tmp_path):
    """The encoder drops frames of another size without a word."""
    path = tmp_path / "out.avi"
    run(f"video:{path}", [detected(0, size=(65, 49)), detected(1, size=(65, 49)), detected(2, size=(20, 90))])
    frames = video_frames(path)
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 3
    assert frames[2][:, :10].mean() < 20


def test_a_live_video_keeps_its_pace_over_dropped_frames(tmp_path):
    """Ten seconds of street would play in three."""
    path = tmp_path / "out.avi"
    run(f"video:{path}", [detected(0), detected(4), detected(5)], source_of(live=True, fps=10.0))
    assert len(video_frames(path)) == 6


def test_a_video_of_nothing_is_no_file(tmp_path):
    """An empty video cannot be opened."""
    assert run(f"video:{tmp_path}/out.mp4", []) == ()
    assert names_in(tmp_path) == []


def test_pictures_keep_their_names_and_collisions_get_numbers(tmp_path):
    """Pictures of two folders with one name would overwrite each other."""
    frames = [
        detected(0, "a.jpg", "/x/a.jpg"),
        detected(1, "a.jpg", "/y/a.jpg"),
        detected(2, "a.png", "/x/a.png"),
        detected(3, "v.1-000003"),
    ]
    run(f"images:{tmp_path}/out", frames)
    assert names_in(tmp_path / "out") == ["a-2.jpg", "a.jpg", "a.png", "v.1-000003.jpg"]
    assert cv2.imread(str(tmp_path / "out" / "a.png")).shape == (48, 64, 3)


def test_no_picture_of_the_source_is_ever_overwritten(tmp_path):
    """Boxes would be burnt into the only copy, also through a link to its folder."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"original")
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    source = source_of(tmp_path / "a.jpg", tmp_path / "b.jpg")
    for folder in (tmp_path, link):
        with pytest.raises(UsageError, match="picture of the source"):
            run(f"images:{folder}", [detected(0, "b.jpg", str(tmp_path / "b.jpg"))], source)
    assert (tmp_path / "b.jpg").read_bytes() == b"original"


def test_a_video_is_not_written_over_its_source(tmp_path):
    """The source would be destroyed at the end of the run."""
    path = tmp_path / "v.avi"
    path.write_bytes(b"original")
    with pytest.raises(UsageError, match="source reads"):
        open_sinks([f"video:{path}"], LABELS, source_of(path))


@pytest.mark.parametrize(
    "uris",
    [
        ["video:{0}/out.gif"],
        ["jsonl:{0}"],
        ["jsonl:{0}/file/out.jsonl"],
        ["images:{0}/file"],
        ["jsonl:{0}/x.jsonl", "video:{0}/out.gif"],
        ["jsonl:{0}/x.jsonl", "jsonl:{0}/x.jsonl"],
    ],
)
def test_a_sink_that_cannot_be_opened_is_a_usage_error_and_leaves_nothing(tmp_path, uris):
    """A mistake would show after the run, or leave empty files behind."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError):
        open_sinks([uri.format(tmp_path) for uri in uris], LABELS, source_of())
    assert names_in(tmp_path) == ["file"]


def test_a_full_disk_is_said():
    """It would be a stack trace."""
    source = source_of(live=True, fps=10.0)
    sinks = open_sinks(["jsonl:/dev/full"], LABELS, source)
    with pytest.raises(DeviceError, match="cannot be written") as caught, sinks:
        sinks.write(detected())
    assert "No space left" in caught.value.why


class Failing:
    """A sink that cannot write while its disk is full."""

    def __init__(self, target):
        self.target, self.full, self.taken = target, False, 0

    def write(self, detected):
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.taken += 1

    def finish(self):
        return []


def test_a_full_disk_does_not_end_a_service_nor_keep_frames_from_other_sinks():
    """A camera would be dead for a log file; and after someone made room nobody would know that it is well again."""
    first, second = Failing("/var/first"), Failing("/var/second")
    with Sinks([first, second], steady=True) as sinks:
        first.full = True
        sinks.write(detected(0))
        assert sinks.problems == ("/var/first cannot be written: No space left on device",)
        first.full = False
        sinks.write(detected(1))
        assert sinks.problems == () and (first.taken, second.taken) == (1, 2)


def test_lines_of_a_live_source_can_be_read_at_once_and_are_added_to_the_file(tmp_path):
    """A service that restarts would erase its log; one that never ends would never show it."""
    path = tmp_path / "out.jsonl"
    for start in (0, 2):
        with open_sinks([f"jsonl:{path}"], LABELS, source_of(live=True, fps=10.0)) as sinks:
            for index in (start, start + 1):
                sinks.write(detected(index))
                assert index == json.loads(path.read_text().splitlines()[-1])["index"]
    assert len(path.read_text().splitlines()) == 4


def test_a_live_log_is_bounded(tmp_path):
    """It would fill the board's disk within weeks."""
    log = JsonlLog(tmp_path / "out.jsonl", lambda frame: line_of(frame, LABELS), limit_bytes=2000)
    for index in range(100):
        log.write(detected(index))
    log.finish()
    assert {"out.jsonl", "out.jsonl.1"} == set(names_in(tmp_path))
    lines = (tmp_path / "out.jsonl.1").read_text() + (tmp_path / "out.jsonl").read_text()
    kept = [json.loads(line)["index"] for line in lines.splitlines()]
    assert list(range(100 - len(kept), 100)) == kept
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * 2300


def test_sinks_tell_what_is_wrong_with_any_of_them(tmp_path):
    """Files would be missing, and health would say that all is well."""

    class Ailing:
        target = "somewhere"
        problems = ("the disk is slow", "the broker is away")

        def abort(self):
            """Nothing to remove."""

    log = JsonlLog(tmp_path / "out.jsonl", lambda frame: line_of(frame, LABELS))
    sinks = Sinks([log, Ailing()])
    assert sinks.problems == Ailing.problems
    sinks.abort()
    assert sinks.problems == ()


def test_every_kind_of_sink_has_an_example_and_a_mistyped_one_names_them_all(tmp_path):
    """The command line would hide what it can do."""
    with pytest.raises(UsageError) as caught:
        open_sinks(["clip:x"], LABELS, source_of())
    for kind, example in SINK_EXAMPLES.items():
        assert example.startswith(f"{kind}:")
        assert example in caught.value.why


def test_each_stream_has_its_own_video_and_its_own_picture_names(tmp_path):
    """Two cameras' pictures would alternate in one video, or overwrite each other."""
    frames = [detected(index, stream=stream) for index in range(3) for stream in ("front", "back")]
    written = run(f"video:{tmp_path}/o.avi", frames, group_of("front", "back"))
    assert written == (f"{tmp_path}/o-front.avi", f"{tmp_path}/o-back.avi")
    assert [len(video_frames(path)) for path in written] == [3, 3]
    run(f"images:{tmp_path}/drawn", frames, group_of("front", "back"))
    assert names_in(tmp_path / "drawn")[::3] == ["back-frame-000000.jpg", "front-frame-000000.jpg"]


def test_the_video_of_a_stream_without_frames_is_not_written(tmp_path):
    """An empty file would look like a failure of the encoder."""
    written = run(f"video:{tmp_path}/o.avi", [detected(stream="front")], group_of("front", "back"))
    assert written == (f"{tmp_path}/o-front.avi",)
    assert names_in(tmp_path) == ["o-front.avi"]


def test_a_failure_leaves_none_of_the_streams_videos(tmp_path):
    """Half a result would pass for the whole."""
    with pytest.raises(SourceError), open_sinks([f"video:{tmp_path}/o.avi"], LABELS, group_of("a", "b")) as sinks:
        sinks.write(detected(stream="a"))
        raise SourceError("cut")
    assert names_in(tmp_path) == []


def test_a_stream_s_video_never_overwrites_a_source(tmp_path):
    """`detect o-a.mp4 b.mp4 --video o.mp4` would destroy its own input."""
    group = group_of("o-a", "b")
    group.paths = (str(tmp_path / "x-b.mp4"),)
    with pytest.raises(UsageError, match="what the source reads"):
        open_sinks([f"video:{tmp_path}/x.mp4"], LABELS, group)
    assert names_in(tmp_path) == []
