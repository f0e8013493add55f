"""The moving street: repeatable, coherent from frame to frame, and quick to start."""

from __future__ import annotations

import threading
import time
from typing import Dict, List

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.scenes import CONDITIONS, SceneStream, render_scene
from edgekit.scenes.glow import GlowSprites, add_glow

WIDTH, HEIGHT = 640, 360


def _best_ious(one: Detections, other: Detections) -> List[float]:
    """For each box of one the largest IoU with a box of the same class in other."""
    best = []
    for box, class_id in zip(one.boxes_xyxy, one.class_ids):
        boxes = other.boxes_xyxy[other.class_ids == class_id]
        low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
        best.append(float((shared / (areas - shared)).max()) if len(boxes) else 0.0)
    return best


def test_two_streams_of_one_seed_show_the_same_video() -> None:
    """A bench scenario that repeats must meet the same street, though a thread paints the backgrounds."""
    one, other = (SceneStream(3, 320, 180, 10.0, ("day", "night", "rain"), condition_s=0.3) for _ in range(2))
    for _ in range(10):
        (frame, truth, condition), (frame2, truth2, condition2) = one.read(), other.read()
        assert condition == condition2
        assert np.array_equal(frame, frame2) and np.array_equal(truth.boxes_xyxy, truth2.boxes_xyxy)


def test_conditions_follow_each_other_and_begin_again() -> None:
    """A viewer of the demo shall see every condition; a condition may be shown for a single frame."""
    stream = SceneStream(3, 320, 180, 10.0, ("day", "fog", "day"), condition_s=0.2)
    assert [stream.read()[2] for _ in range(12)] == ["day", "day", "fog", "fog", "day", "day"] * 2
    stream = SceneStream(3, 320, 180, 1.0, ("day", "fog"), condition_s=0.2)
    assert [stream.read()[2] for _ in range(3)] == ["day", "fog", "day"]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_streams_pictures_with_objects(condition: str) -> None:
    """A condition that broke only in video would stop a deployed demo after some seconds."""
    stream = SceneStream(2, WIDTH, HEIGHT, 15.0, (condition,))
    reads = [stream.read() for _ in range(4)]
    assert all(frame.shape == (HEIGHT, WIDTH, 3) and frame.dtype == np.uint8 for frame, _, _ in reads)
    assert all(len(truth) >= 1 for _, truth, _ in reads)
    boxes = np.concatenate([truth.boxes_xyxy for _, truth, _ in reads])
    assert (boxes >= 0).all() and (boxes <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()


def test_objects_move_a_little_from_frame_to_frame() -> None:
    """Tracking and smoothing on top of detections need a street in which things do not jump."""
    stream = SceneStream(5, WIDTH, HEIGHT, 30.0, ("day",))
    truths = [stream.read()[1] for _ in range(30)]
    step = [iou for index in range(29) for iou in _best_ious(truths[index], truths[index + 1])]
    assert np.mean(np.array(step) > 0.5) > 0.97
    assert min(_best_ious(truths[0], truths[-1])) < 0.5  # and yet somebody got somewhere


def test_counts_of_objects_change_slowly() -> None:
    """Objects that pop in or out by the dozen would be seen as flicker."""
    stream = SceneStream(6, WIDTH, HEIGHT, 15.0, ("day",))
    counts = [len(stream.read()[1]) for _ in range(60)]
    assert np.abs(np.diff(counts)).max() <= 3


def test_video_looks_as_bright_as_the_pictures_a_detector_learns_from() -> None:
    """The stream takes shortcuts (sprites, shared noise); they must not change what a condition looks like."""
    for condition in ("day", "night", "rain", "low-sun"):
        pictures = [render_scene(seed, condition, 320, 180).frame.mean() for seed in range(8)]
        video = [SceneStream(seed, 320, 180, 15.0, (condition,)).read()[0].mean() for seed in range(8)]
        assert np.mean(video) == pytest.approx(np.mean(pictures), rel=0.3), condition


def test_a_frame_belongs_to_its_reader() -> None:
    """The pipeline draws into frames and keeps them: the next read must not write into an earlier one."""
    stream = SceneStream(2, 320, 180, 15.0, ("day",))
    first = stream.read()[0]
    kept = first.copy()
    first_again = stream.read()[0]
    assert np.array_equal(kept, first) and first_again is not first


def test_the_first_1080p_frame_comes_at_once() -> None:
    """`edgekit run` on this source must not look hung; painting every condition first took seconds."""
    started = time.process_time()
    SceneStream(1, 1920, 1080, 15.0).read()
    assert time.process_time() - started < 1.5  # about 0.1 s on a free core


def test_no_thread_is_left_running_after_a_stretch_is_painted() -> None:
    """A source that is closed and opened again for days must not gather threads."""
    stream = SceneStream(2, 320, 180, 10.0, ("day", "snow"), condition_s=0.3)
    for _ in range(7):
        stream.read()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _painters():
        time.sleep(0.01)
    assert _painters() == []


def _painters() -> List[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "scene-background"]


@pytest.mark.parametrize(
    "wrong", [{"conditions": ()}, {"conditions": ("day", "hail")}, {"fps": 0.0}], ids=["none", "unknown", "no fps"]
)
def test_a_stream_that_cannot_be_drawn_is_refused_when_it_is_made(wrong: Dict[str, object]) -> None:
    """Not minutes later, when the unknown condition's turn comes."""
    arguments: Dict[str, object] = {"seed": 1, "width": 320, "height": 180, "fps": 10.0, **wrong}
    with pytest.raises(ValueError):
        SceneStream(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("radius_px", [5.0, 40.0, 150.0])
def test_a_glow_sprite_is_close_to_the_exact_glow(radius_px: float) -> None:
    """Sizes and colours are rounded for the cache; lamps in video must still look like those in training."""
    exact, sprite = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    add_glow(exact, 300.0, 150.0, radius_px, (120.0, 172.0, 204.0))
    glows = GlowSprites(most_bytes=1 << 20)
    for _ in range(2):  # made, then found
        sprite[:] = 0
        glows.add(sprite, 300.0, 150.0, radius_px, (120.0, 172.0, 204.0))
        difference = np.abs(exact.astype(int) - sprite)
        assert difference.mean() < 1.0 and difference.max() <= 24
