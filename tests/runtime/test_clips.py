"""Clips around events: whole videos of the right moments at the right pace, within a quota, at no cost to frames."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.events import Event
from edgekit.errors import DeviceError, UsageError
from edgekit.runtime.clips import sink as clip_sink
from edgekit.runtime.clips import store as clip_store
from edgekit.runtime.clips.recorder import Pace, Recorder
from edgekit.runtime.clips.settings import ClipSettings
from edgekit.runtime.clips.sink import ClipFolder
from edgekit.runtime.clips.store import ClipStore, clips_in
from edgekit.runtime.clips.video import ClipVideo
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.pipeline import DetectedFrame, StageTimes
from edgekit.runtime.sinks import open_sinks
from edgekit.runtime.stream_group import StreamGroup

LABELS = ("car",)
BAR_PX = 8
EIGHT_PM_UNIX_S = 1795206930.0  # 2026-11-20 20:35:30 UTC


def source_of(live=True, fps=None, names=()):
    members = []
    for name in names or ("",):
        source = Source()
        source.live, source.fps = live, fps
        members.append(source)
        source.name = name
    return StreamGroup(members, names) if names else members[0]


def event(time_s=0.0, kind="enter", place="gate", stream="", unix_s=EIGHT_PM_UNIX_S):
    return Event(kind, place, stream, 3, "car", 0.9, (1.0, 2.0, 3.0, 4.0), time_s, unix_s)


def detected(captured_s, index=0, events=(), size=(160, 96), grey=90, stream="", bar_at=None):
    pixels = np.full((size[1], size[0], 3), grey, np.uint8)
    if bar_at is not None:
        left = round(bar_at * (size[0] - BAR_PX))
        pixels[:, left : left + BAR_PX] = 255
    frame = Frame(pixels, index, captured_s, f"frame-{index}", stream=stream)
    return DetectedFrame(frame, Detections.empty(), 1.0, captured_s, StageTimes(0, 0, 0, 0), events=tuple(events))


def record(folder, seconds, event_times_s, options="", camera_fps=10.0, gaps=(), source=None):
    """A camera's frames for so long, a bar going from left to right, with events; the clips and when it began."""
    began_s = time.monotonic()
    with open_sinks([f"clips:{folder}{options}"], LABELS, source or source_of()) as sinks:
        for index in range(int(seconds * camera_fps)):
            at_s = index / camera_fps
            if any(start <= at_s < end for start, end in gaps):
                continue
            now = [event(began_s + at_s) for each in event_times_s if at_s <= each < at_s + 1 / camera_fps]
            sinks.write(detected(began_s + at_s, index, now, grey=20, bar_at=at_s / seconds))
    return clips_in(folder), began_s


def seconds_shown(path, seconds):
    """For each frame of a clip the second of `record` that it shows, by the place of its bar."""
    columns = (np.flatnonzero(frame.mean(axis=(0, 2)) > 128) for frame in frames_of(path))
    return [(found.mean() - BAR_PX / 2 + 0.5) / (160 - BAR_PX) * seconds for found in columns]


def frames_of(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        came, frame = capture.read()
        if not came:
            capture.release()
            return frames
        frames.append(frame)


def beside(path):
    return json.loads(path.with_suffix(".json").read_text())


@pytest.mark.timed
@pytest.mark.parametrize("camera_fps", [5.0, 10.0, 15.0, 30.0])
def test_a_clip_shows_the_time_around_an_event_at_its_real_pace(tmp_path, camera_fps):
    """A thief would run through the picture in half a second, or have left it before the clip begins."""
    (clip,), began_s = record(tmp_path, 14, [6.0], "?before_s=3&after_s=4", camera_fps)
    assert clip.name == "20261120T203530Z-enter-gate.mp4"
    shown = seconds_shown(clip, 14)
    assert 68 <= len(shown) <= 71
    assert cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    for row, second in enumerate(shown):
        assert second == pytest.approx(3.0 + row / 10, abs=0.1 + 1 / camera_fps)
    told = beside(clip)
    assert (told["frames"], told["fps"], told["duration_s"]) == (len(shown), 10, len(shown) / 10)
    assert told["events"][0]["at_s"] == pytest.approx(3.0, abs=0.11)
    assert told["events"][0]["time_s"] == pytest.approx(began_s + 6)


@pytest.mark.timed
def test_events_close_together_share_a_clip_and_others_do_not(tmp_path):
    """One visit would be ten files, or the second visit would be missing."""
    record(tmp_path, 24, [3.0, 5.0, 15.0], "?before_s=1&after_s=3")
    first, second = clips_in(tmp_path)
    assert [len(beside(clip)["events"]) for clip in (first, second)] == [2, 1]
    assert second.name == "20261120T203530Z-enter-gate_2.mp4"
    assert beside(first)["duration_s"] == pytest.approx(1 + 2 + 3, abs=0.3)
    assert seconds_shown(second, 24)[0] == pytest.approx(14, abs=0.4)


def test_a_clip_ends_after_a_minute_however_much_happens(tmp_path):
    """A busy street would be one clip that fills the disk and never ends."""
    clips, _ = record(tmp_path, 70, [float(second) for second in range(2, 68, 2)], "?before_s=1&after_s=3&fps=2", 2.0)
    lengths = [beside(clip)["duration_s"] for clip in clips]
    assert len(clips) == 2
    assert 59 <= lengths[0] <= 60.6
    assert sum(len(beside(clip)["events"]) for clip in clips) == 33


def test_dropped_frames_and_a_camera_that_is_away_do_not_change_the_pace(tmp_path):
    """What came late would seem to have happened at once."""
    (clip,), _ = record(tmp_path, 14, [4.0], "?before_s=2&after_s=6", gaps=[(5.0, 7.0)])
    shown = seconds_shown(clip, 14)
    assert 78 <= len(shown) <= 81
    assert shown[40] == pytest.approx(4.9, abs=0.3)  # of the gap: the picture before it
    assert shown[60] == pytest.approx(8.0, abs=0.3)


def test_a_clip_is_complete_soon_after_its_camera_died(tmp_path):
    """The clip of the moment in which someone cut the cable would never be finished."""
    with open_sinks([f"clips:{tmp_path}?before_s=1&after_s=0.5"], LABELS, source_of()) as sinks:
        sinks.write(detected(time.monotonic(), 0, [event()]))
        until_s = time.monotonic() + 6
        while not clips_in(tmp_path) and time.monotonic() < until_s:
            time.sleep(0.05)
        assert len(clips_in(tmp_path)) == 1


def test_without_events_nothing_is_written(tmp_path):
    """The disk would fill with empty streets."""
    assert record(tmp_path, 10, [])[0] == []
    assert list(tmp_path.iterdir()) == []


def test_each_camera_has_clips_of_its_own(tmp_path):
    """Two cameras would alternate in one video."""
    source = source_of(names=("yard", "door"))
    now_s = time.monotonic()
    with open_sinks([f"clips:{tmp_path}?before_s=1&after_s=1"], LABELS, source) as sinks:
        for index in range(40):
            for stream, grey in (("yard", 40), ("door", 200)):
                events = [event(stream=stream)] if index == 20 else []
                sinks.write(detected(now_s + index / 10, index, events, grey=grey, stream=stream))
    door, yard = clips_in(tmp_path)
    assert [clip.name for clip in (door, yard)] == [
        "20261120T203530Z-door-enter-gate.mp4",
        "20261120T203530Z-yard-enter-gate.mp4",
    ]
    assert {round(frame.mean() / 40) for frame in frames_of(door)} == {5}
    assert {round(frame.mean() / 40) for frame in frames_of(yard)} == {1}


def test_a_file_loses_no_frame_and_keeps_its_own_time_at_any_speed(tmp_path, monkeypatch):
    """`edgekit detect video.mp4` reads faster than it plays; clips would show a tenth of it."""
    monkeypatch.setattr(clip_sink, "_WAITING_BYTES", 300_000)
    source = source_of(live=False, fps=20.0)
    with open_sinks([f"clips:{tmp_path}?before_s=2&after_s=2"], LABELS, source) as sinks:
        for index in range(200):
            sinks.write(detected(0.0, index, [event(5.0)] if index == 100 else [], grey=index))
    (clip,) = clips_in(tmp_path)
    greys = [frame.mean() for frame in frames_of(clip)]
    assert 39 <= len(greys) <= 41
    for row, grey in enumerate(greys):
        assert grey == pytest.approx(60 + 2 * row, abs=5)


def test_a_stream_that_changes_its_size_stays_in_one_clip(tmp_path):
    """The encoder drops frames of another size without a word."""
    now_s = time.monotonic()
    with open_sinks([f"clips:{tmp_path}?before_s=1&after_s=1&width=320"], LABELS, source_of()) as sinks:
        for index in range(30):
            size = (640, 360) if index < 12 else (300, 300)
            sinks.write(detected(now_s + index / 10, index, [event()] if index == 10 else [], size))
    frames = frames_of(*clips_in(tmp_path))
    assert {frame.shape for frame in frames} == {(180, 320, 3)}
    assert len(frames) >= 19


@pytest.mark.timed
def test_a_worker_that_is_too_slow_drops_frames_of_clips_and_says_so(tmp_path, monkeypatch):
    """A slow card would slow the detector, or fill the memory."""
    going_on = threading.Event()
    annotate = clip_sink.annotate_scaled
    monkeypatch.setattr(clip_sink, "annotate_scaled", lambda *args: (going_on.wait(20), annotate(*args))[1])
    monkeypatch.setattr(clip_sink, "_WAITING_BYTES", 10 * 160 * 96 * 3)
    began_s = time.monotonic()
    with open_sinks([f"clips:{tmp_path}?before_s=1&after_s=1"], LABELS, source_of()) as sinks:
        for index in range(100):
            sinks.write(detected(began_s + index / 10, index, [event()] if index == 60 else []))
        assert time.monotonic() - began_s < 1.0
        (problem,) = sinks.problems
        assert problem.startswith("clips lack ")
        assert 88 <= int(problem.split()[2]) <= 90
        going_on.set()
        wait_until(lambda: not sinks._sinks[0]._queue)
        for index in range(60, 90):
            sinks.write(detected(began_s + index / 10, index, [event()] if index == 70 else []))
            time.sleep(0.01)
    assert len(clips_in(tmp_path)) == 1


def test_memory_before_an_event_is_bounded(tmp_path):
    """A quiet night would fill the memory with pictures that nobody wants."""
    settings = ClipSettings(before_s=2.0, fps=10.0)
    store = ClipStore(tmp_path, 64 << 20)
    recorder = Recorder("", settings, store)
    for index in range(500):
        recorder.shoot(index / 10, np.zeros((48, 64, 3), np.uint8))
        assert len(recorder._ring) <= settings.ring_frames
    recorder.note(50.0, event(50.0))
    for index in range(500, 900):
        recorder.shoot(index / 10, np.zeros((48, 64, 3), np.uint8))
        recorder.note(index / 10, event(index / 10))
        assert sum(len(clip.waiting) for clip in recorder._clips) <= settings.ring_frames + 64
    recorder.finish()
    while recorder.busy:
        recorder.encode()
    store.close()
    assert len(clips_in(tmp_path)) == 1


@pytest.mark.parametrize(("camera_fps", "expected"), [(5, 5), (10, 10), (12, 10), (15, 10), (29.97, 10), (60, 10)])
def test_frames_are_taken_evenly_and_no_more_of_them_than_asked_for(camera_fps, expected):
    """A camera that trembles around its rate would lose every other frame."""
    chance = np.random.default_rng(7)
    pace, taken = Pace(10.0), []
    for index in range(int(60 * camera_fps)):
        time_s = index / camera_fps + chance.uniform(-0.01, 0.01)
        if pace.takes(time_s):
            taken.append(time_s)
    assert len(taken) == pytest.approx(60 * expected, rel=0.03)
    assert max(np.diff(taken)) < 2.1 / expected


def clip_file(folder, number, mib=1.0):
    stem = f"2026112{number // 10}T00000{number % 10}Z-enter-gate"
    (folder / f"{stem}.json").write_text("{}")
    path = folder / f"{stem}.mp4"
    path.write_bytes(bytes(int(mib * (1 << 20))))
    return path


def test_the_oldest_clips_make_room_and_nothing_else_does(tmp_path):
    """A disk would fill; or a quota would eat someone's other files."""
    clips = [clip_file(tmp_path, number) for number in range(8)]
    others = [tmp_path / name for name in ("holiday.mp4", "20261120T000000Z-notes.mp4", "enter-gate.json")]
    for path in others:
        path.write_bytes(bytes(3 << 20))
    store = ClipStore(tmp_path, 5 << 20)
    assert not store.lacks_room()
    store.close()
    assert [path.exists() for path in clips] == [False] * 5 + [True] * 3
    assert not clips[0].with_suffix(".json").exists()
    assert all(path.exists() for path in others)


def test_the_quota_holds_while_clips_are_made(tmp_path):
    """Clips are deleted when the next one begins: until then a long one could fill the disk."""
    for number in range(18):
        clip_file(tmp_path, number)
    chance = np.random.default_rng(3)
    noise = [chance.integers(0, 255, (540, 960, 3), dtype=np.uint8) for _ in range(4)]
    now_s, most = time.monotonic(), 0
    folder = ClipFolder(tmp_path, ClipSettings(1.0, 3.0, 10.0, 960, 16), LABELS, source_of(live=False))
    for index in range(60):
        frame = Frame(noise[index % 4], index, now_s + index / 10, "noise")
        events = (event(unix_s=1.9e9 + index),) if index % 20 == 10 else ()
        folder.write(DetectedFrame(frame, Detections.empty(), 1, 0, StageTimes(0, 0, 0, 0), events=events))
        most = max(most, sum(path.stat().st_size for path in tmp_path.iterdir()))
    folder.finish()
    assert most <= 16 << 20
    assert any(path.name.startswith("2030") for path in clips_in(tmp_path))


RECORDS_FOR_EVER = """
import sys, time; sys.path[:0] = sys.argv[2:]
import test_clips as t
with t.open_sinks([f"clips:{sys.argv[1]}?before_s=1&after_s=1"], t.LABELS, t.source_of()) as sinks:
    for index in range(100000):
        events = [t.event(unix_s=1.8e9 + index)] if index % 4 == 0 else []
        sinks.write(t.detected(time.monotonic() + index / 10, index, events))
        time.sleep(0.002)
"""


def test_a_kill_leaves_no_broken_clip_after_the_next_start(tmp_path):
    """Half a clip plays nowhere, and its space would be lost for ever."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", RECORDS_FOR_EVER, str(tmp_path), str(Path(__file__).parent), str(root)]
    unfinished = 0
    for wait_s in (0.4, 0.05, 0.3):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
            until_s = time.monotonic() + 20
            while not list(tmp_path.glob(".*.part.mp4")) and time.monotonic() < until_s:
                time.sleep(0.01)
            time.sleep(wait_s)
            child.send_signal(signal.SIGKILL)
        unfinished += len(list(tmp_path.glob(".*.part.*")))
        (tmp_path / "20261120T000000Z-enter-gate.json").write_text("a kill between two renames")
        with open_sinks([f"clips:{tmp_path}"], LABELS, source_of()):
            pass
        assert not list(tmp_path.glob(".*"))
        assert {path.stem for path in tmp_path.glob("*.json")} == {path.stem for path in tmp_path.glob("*.mp4")}
        for clip in clips_in(tmp_path):
            assert len(frames_of(clip)) == beside(clip)["frames"]
    assert unfinished > 0, "no kill came while a clip was made"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 40 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_nearly_full_records_nothing_and_is_told_until_there_is_room(small_disk, monkeypatch):
    """The last free bytes belong to the system; and nobody would know why there are no clips."""
    monkeypatch.setattr(clip_sink, "_LOOK_EVERY_S", 0.1)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(39 << 20))
    with open_sinks([f"clips:{small_disk}?before_s=1&after_s=1"], LABELS, source_of()) as sinks:
        now_s = time.monotonic()
        for index in range(30):
            sinks.write(detected(now_s + index / 10, index, [event()] if index == 10 else []))
        wait_until(lambda: not sinks._sinks[0]._queue)
        time.sleep(0.2)
        assert sinks.problems[0].startswith(f"no clips are recorded into {small_disk}: its disk has 2.5 % free")
        assert clips_in(small_disk) == []
        ballast.unlink()
        wait_until(lambda: not sinks.problems)
        for index in range(30, 60):
            sinks.write(detected(now_s + index / 10, index, [event()] if index == 40 else []))
    assert len(clips_in(small_disk)) == 1


@pytest.mark.parametrize("least_free", [clip_store.LEAST_FREE_SHARE, -1.0], ids=["seen coming", "at once"])
def test_a_disk_that_fills_while_a_clip_is_made_leaves_whole_clips_only(small_disk, monkeypatch, least_free):
    """A video without its end plays nowhere."""
    monkeypatch.setattr(clip_store, "LEAST_FREE_SHARE", least_free)
    chance = np.random.default_rng(3)
    noise = [chance.integers(0, 255, (540, 960, 3), dtype=np.uint8) for _ in range(4)]
    (small_disk / "ballast").write_bytes(bytes(34 << 20))
    source = source_of(live=False)
    problems = set()
    with open_sinks([f"clips:{small_disk}?before_s=0&after_s=20"], LABELS, source) as sinks:
        for index in range(200):
            frame = Frame(noise[index % 4], index, 1000 + index / 10, "noise")
            events = (event(1000.0),) if index == 0 else ()
            sinks.write(DetectedFrame(frame, Detections.empty(), 1, 0, StageTimes(0, 0, 0, 0), events=events))
            problems |= set(sinks.problems)
        folder = sinks._sinks[0]
    problems |= set(folder.problems)
    assert any("free" in problem or "could not be recorded" in problem for problem in problems), problems
    assert not list(small_disk.glob(".*"))
    for clip in clips_in(small_disk):
        assert len(frames_of(clip)) == beside(clip)["frames"]


def test_a_video_that_the_disk_has_cut_is_not_taken_for_whole(small_disk):
    """The encoder does not say that it could not write."""
    chance = np.random.default_rng(3)
    (small_disk / "ballast").write_bytes(bytes(39 << 20))
    video = ClipVideo(small_disk / "clip.mp4", 10.0)
    for index in range(30):
        video.add(index / 10, chance.integers(0, 255, (540, 960, 3), dtype=np.uint8))
    with pytest.raises(DeviceError, match=r"holds \d+ of 30 frames"):
        video.finish()


def wait_until(holds, timeout_s=10.0):
    until_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until_s, "it never came to that"
        time.sleep(0.02)


def test_a_folder_is_one_process_s_own(tmp_path):
    """One service would remove what the other is about to finish."""
    with open_sinks([f"clips:{tmp_path}"], LABELS, source_of()):
        with pytest.raises(UsageError, match="another process records clips into"):
            open_sinks([f"clips:{tmp_path}/../{tmp_path.name}"], LABELS, source_of())
    open_sinks([f"clips:{tmp_path}"], LABELS, source_of()).abort()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("?quota_mib=1", "quota_mib: expected a whole number from 16"),
        ("?before_s=-1", "before_s: expected a number from 0.0 to 30.0, got '-1'"),
        ("?befor_s=1", "known are quota_mib, before_s, after_s, fps, width"),
    ],
)
def test_wrong_options_are_named_with_an_example(tmp_path, options, part):
    """A typo would be a clip without the moment that matters."""
    with pytest.raises(UsageError, match="is not a valid sink") as caught:
        open_sinks([f"clips:{tmp_path}/c{options}"], LABELS, source_of())
    assert part in caught.value.why
    assert f"clips:{tmp_path}/c?quota_mib=1024&before_s=3.0" in caught.value.hint
    assert not (tmp_path / "c").exists()


def test_a_folder_that_cannot_be_written_to_is_known_at_the_start(tmp_path):
    """It would show with the first event, weeks later."""
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "clips", Path("/proc/clips")):
        with pytest.raises(UsageError, match="cannot be written"):
            open_sinks([f"clips:{folder}"], LABELS, source_of())


def test_clips_are_not_kept_where_the_source_reads(tmp_path):
    """`edgekit detect` over old clips would delete what it reads."""
    source = source_of(live=False)
    source.paths = (str(clip_file(tmp_path, 1)),)
    with pytest.raises(UsageError, match="holds what the source reads"):
        open_sinks([f"clips:{tmp_path}"], LABELS, source)


def test_a_source_that_begins_again_ends_its_clip_and_a_clock_that_trembles_does_not(tmp_path):
    """A looped video would be one endless clip; a camera that reconnects would cut the clip of why it was away."""
    store = ClipStore(tmp_path, 64 << 20)
    recorder = Recorder("", ClipSettings(before_s=1.0, after_s=2.0), store)
    for times_s in ([10.0, 10.1, 9.9, 10.3], [0.0, 0.1, 0.2]):
        for number, time_s in enumerate(times_s):
            recorder.shoot(time_s, np.zeros((48, 64, 3), np.uint8))
            if number == 0:
                recorder.note(time_s, event(time_s))
    recorder.finish()
    while recorder.busy:
        recorder.encode()
    store.close()
    assert [beside(clip)["frames"] for clip in clips_in(tmp_path)] == [4, 3]


def test_names_of_places_cannot_leave_the_folder(tmp_path):
    """A zone may be called anything."""
    store = ClipStore(tmp_path, 16 << 20)
    assert store.begin(event(place="../Tor süd?", kind="leave")) == "20261120T203530Z-leave-Tor_süd"
    assert store.begin(event(place="//")) == "20261120T203530Z-enter-_"
    assert len(f".{store.begin(event(place='門' * 200, stream='s' * 60))}.part.json".encode()) < 255
    store.close()
