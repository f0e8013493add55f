"""Sources of frames, with real pictures and videos."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest

from edgekit.errors import SourceError, UsageError
from edgekit.runtime.sources import open_source


@pytest.fixture()
def picture():
    return np.random.default_rng(7).integers(0, 255, (48, 64, 3), np.uint8)


def write_video(path, frames, codec="MJPG", size=(64, 48), fps=10.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), number * 5 % 256, np.uint8))
    writer.release()
    return path


def frames_of(uri):
    with open_source(str(uri)) as source:
        return list(source), source.notes


def test_one_picture_is_one_frame(tmp_path, picture):
    """The simplest use would fail."""
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), picture)
    (frame,), notes = frames_of(path)
    np.testing.assert_array_equal(picture, frame.pixels)
    assert ("a.png", str(path), 0, ()) == (frame.name, frame.path, frame.index, notes)


@pytest.mark.parametrize("kind", ["grey", "alpha", "16-bit"])
def test_every_kind_of_picture_becomes_bgr_bytes(tmp_path, picture, kind):
    """Preprocessing takes nothing but (H, W, 3) uint8."""
    content = {
        "grey": picture[:, :, 0],
        "alpha": np.dstack([picture, picture[:, :, :1]]),
        "16-bit": picture.astype(np.uint16) * 257,
    }[kind]
    cv2.imwrite(str(tmp_path / "a.png"), content)
    (frame,), _ = frames_of(tmp_path / "a.png")
    assert ((48, 64, 3), np.uint8) == (frame.pixels.shape, frame.pixels.dtype)
    assert abs(float(frame.pixels[..., 0].mean()) - float(picture[..., 0].mean())) < 1.5


def test_a_folder_gives_its_pictures_by_name_and_notes_the_broken_one(tmp_path, picture):
    """One bad file would end a long run, or be lost without a word."""
    for name in ("b.jpg", "a.png", "d.bmp"):
        cv2.imwrite(str(tmp_path / name), picture)
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not a picture at all")
    frames, notes = frames_of(tmp_path)
    assert [frame.name for frame in frames] == ["a.png", "b.jpg", "d.bmp"]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert len(notes) == 1
    assert "c.jpg" in notes[0]


def test_a_glob_finds_pictures_and_a_path_with_brackets_is_a_path_first(tmp_path, picture):
    """A folder named "set[1]" could not be opened."""
    folder = tmp_path / "set[1]"
    folder.mkdir()
    for name in ("x1.png", "x2.png", "y.png"):
        cv2.imwrite(str(folder / name), picture)
    assert len(frames_of(folder)[0]) == 3
    assert [frame.name for frame in frames_of(str(tmp_path / "set*" / "x?.png"))[0]] == ["x1.png", "x2.png"]


def test_a_file_address_is_a_path(tmp_path, picture):
    """Service settings write file:///data/street.mp4."""
    cv2.imwrite(str(tmp_path / "a b.png"), picture)
    assert len(frames_of(f"file://{tmp_path}/a%20b.png")[0]) == 1


def test_a_video_gives_every_frame_in_order(tmp_path):
    """Figures per frame would belong to other frames."""
    path = write_video(tmp_path / "v.avi", 25)
    with open_source(str(path)) as source:
        assert (source.fps, source.size, source.frame_count, source.live) == (10.0, (64, 48), 25, False)
        frames = list(source)
    assert [round(number * 5, -1) for number in range(25)] == pytest.approx(
        [round(float(frame.pixels.mean()), -1) for frame in frames], abs=10
    )
    assert [frames[0].name, frames[-1].name] == ["v-000000", "v-000024"]


def test_a_video_cut_short_says_how_many_frames_came(tmp_path):
    """Half a video would pass for the whole."""
    path = write_video(tmp_path / "v.avi", 200)
    content = path.read_bytes()
    index = content.rfind(b"idx1")
    assert index > 0
    path.write_bytes(content[: index // 2])
    frames, notes = frames_of(path)
    assert 50 < len(frames) < 150
    assert len(notes) == 1
    assert f"{len(frames)} of 200 frames" in notes[0]


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.jpg", b"\xff\xd8\xff damaged", "a.jpg"),
        ("a.jpg", b"", "a.jpg"),
        ("a.mp4", b"no video", "cannot be opened as a video"),
        ("a.mp4", b"", "cannot be opened as a video"),
        ("a.xyz", b"what is this", "neither a picture nor a video"),
    ],
)
def test_a_damaged_file_is_a_source_error_that_names_it(tmp_path, name, content, part):
    """People would meet an OpenCV assertion instead of their file's name."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        frames_of(tmp_path / name)
    assert part in str(caught.value)


def test_a_folder_of_damaged_pictures_is_an_error(tmp_path):
    """Nothing detected in nothing read would look like success."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(SourceError, match="none of the 2 pictures"):
        frames_of(tmp_path)


@pytest.mark.parametrize("uri", ["missing.mp4", "no/such/folder", "*.jpg", "", "file://"])
def test_what_does_not_exist_is_a_source_error(tmp_path, monkeypatch, uri):
    """A typing mistake would be a stack trace."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        frames_of(uri)
    assert caught.value.hint


def test_an_empty_folder_is_a_source_error(tmp_path):
    """It would run and say nothing."""
    with pytest.raises(SourceError, match="no pictures"):
        frames_of(tmp_path)


def test_an_unknown_scheme_lists_what_there_is():
    """People would have to read the code to learn the known ones."""
    with pytest.raises(UsageError) as caught:
        open_source("quantum://x")
    for known in ("scenes://", "memory://", "a video file"):
        assert known in caught.value.why


def test_scenes_end_after_the_frames_asked_for_and_repeat_exactly():
    """A test on scenes would not be repeatable."""
    uri = "scenes://?seed=3&width=160&height=96&frames=4&live=0"
    first, second = frames_of(uri)[0], frames_of(uri)[0]
    assert len(first) == 4
    assert first[0].pixels.shape == (96, 160, 3)
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.timed
def test_live_scenes_keep_the_pace_of_a_camera():
    """A service fed faster than a camera would show a load that no camera makes."""
    with open_source("scenes://?width=160&height=96&fps=50&frames=16") as source:
        assert source.live
        times_s = [frame.captured_s for frame in source]
    steps_s = np.diff(times_s)
    assert times_s[-1] - times_s[0] > 15 / 50 * 0.95
    assert float(np.median(steps_s)) == pytest.approx(1 / 50, rel=0.25)


def test_a_live_source_that_was_held_up_does_not_rush_to_catch_up():
    """After a pause a burst of frames would come that no camera sends."""
    with open_source("scenes://?width=160&height=96&fps=50") as source:
        next(source)
        time.sleep(0.3)
        times_s = [next(source).captured_s for _ in range(5)]
    assert times_s[-1] - times_s[0] > 3 / 50


@pytest.mark.timed
def test_stopping_ends_a_source_that_waits_for_its_next_frame():
    """Ctrl-C would wait for a slow camera."""
    with open_source("scenes://?width=160&height=96&fps=1") as source:
        next(source)
        threading.Timer(0.05, source.stop).start()
        started_s = time.monotonic()
        with pytest.raises(StopIteration):
            next(source)
    assert time.monotonic() - started_s < 0.6


def test_memory_pictures_cycle_without_copies():
    """Capture would cost time in a measurement that says it costs none."""
    with open_source("memory://?width=160&height=96&frames=3") as source:
        frames = [next(source) for _ in range(7)]
    assert frames[0].pixels is frames[3].pixels is frames[6].pixels
    assert not np.array_equal(frames[0].pixels, frames[1].pixels)
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 5, 6]


def test_pictures_that_would_fill_the_memory_are_refused():
    """A board would be killed by the kernel in the middle of a benchmark."""
    with pytest.raises(UsageError, match="MiB of memory") as caught:
        open_source("memory://?width=3840&height=2160&frames=500")
    assert "frames=" in caught.value.hint


def test_drawn_scenes_show_the_conditions_that_are_asked_for():
    """A service that is to be tried at night would be shown the day."""
    with open_source("scenes://?width=160&height=96&frames=9&fps=1&live=0&conditions=night,fog") as source:
        names = [frame.name for frame in source]
    assert {name.split("-")[2] for name in names} == {"night", "fog"}
