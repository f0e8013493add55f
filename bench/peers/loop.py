"""What contenders share: the frames, a tutorial's loop with its letterbox and decoding, and being asked for turns.

Each is used as its own guide says, at its defaults but for what would make it answer another question: frames come one
by one as from a camera, boxes are suppressed by class, and all have the machine's cores. Python 3.8.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    # One turn: (seconds) -> (frames, seconds taken, objects found)
    Turn = Callable[[float], tuple[int, float, int]]
    # A BGR frame in memory -> how many objects were found
    Detect = Callable[[np.ndarray], int]

HEIGHT, WIDTH = 384, 640
CONFIDENCE, IOU, MOST = 0.25, 0.45, 300
SOURCE = "memory://?width=1920&height=1080&frames=32"
WARM_UP_FRAMES = 20


def frames_in_memory() -> list[np.ndarray]:
    """The frames that all get: (1080, 1920, 3) uint8 BGR in ordinary memory."""
    from edgekit.runtime.sources import open_source

    with open_source(SOURCE) as source:
        return [next(source).pixels.copy() for _ in range(32)]


def frame_by_frame(detect: Detect) -> Turn:
    """A loop that detects in one frame after the other."""
    frames = frames_in_memory()

    def turn(seconds: float) -> tuple[int, float, int]:
        for number in range(WARM_UP_FRAMES):
            detect(frames[number % len(frames)])
        started_s, done, objects = time.perf_counter(), 0, 0
        while time.perf_counter() - started_s < seconds:
            objects += detect(frames[(WARM_UP_FRAMES + done) % len(frames)])
            done += 1
        return done, time.perf_counter() - started_s, objects

    return turn


def by_opencv(
    frame: np.ndarray, run: Callable[[np.ndarray], np.ndarray], size: tuple[int, int] = (HEIGHT, WIDTH)
) -> int:
    """Objects in a frame by OpenCV's letterbox and NMS. run: (1, 3, *size) float32 -> YOLOv8's raw output."""
    ratio = min(size[0] / frame.shape[0], size[1] / frame.shape[1])
    width, height = round(frame.shape[1] * ratio), round(frame.shape[0] * ratio)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    borders = top, size[0] - height - top, left, size[1] - width - left
    small = cv2.copyMakeBorder(cv2.resize(frame, (width, height)), *borders, cv2.BORDER_CONSTANT, value=(114,) * 3)
    return count_boxes(run(cv2.dnn.blobFromImage(small, 1 / 255, swapRB=True)), ratio, (left, top))


def count_boxes(output: np.ndarray, ratio: float, padding: Sequence[float]) -> int:
    """Boxes in frame pixels of YOLOv8's raw output (1, 4 + classes, places), suppressed by class, counted."""
    rows = output[0].T
    scores = rows[:, 4:].max(axis=1)
    rows, scores = rows[scores > CONFIDENCE], scores[scores > CONFIDENCE]
    corners = rows[:, :2] - rows[:, 2:4] / 2 - padding
    boxes = np.hstack([corners, rows[:, 2:4]]) / ratio
    kept = cv2.dnn.NMSBoxesBatched(
        boxes.tolist(), scores.tolist(), rows[:, 4:].argmax(axis=1).tolist(), CONFIDENCE, IOU
    )
    return min(len(kept), MOST)


def pipeline_turn(stages: Any, open_frames: Callable[[], Any], seconds: float) -> tuple[int, float, int]:
    """A turn of this kit's pipeline on the source that open_frames opens."""
    from edgekit.runtime.pipeline import Pipeline

    frames = objects = 0
    with open_frames() as source, Pipeline(source, stages) as pipeline:
        started_s = 0.0
        for count, detected in enumerate(pipeline):
            if count < WARM_UP_FRAMES:
                started_s = detected.finished_s
                continue
            frames, objects = frames + 1, objects + len(detected.detections)
            if detected.finished_s - started_s >= seconds:
                break
        return frames, detected.finished_s - started_s, objects


def serve(contenders: dict[str, Callable[[Path, Path], Any]]) -> None:
    """Be the contender that the command line names: NAME PATH PATH SECONDS, as turns.py starts it.

    Says when it is ready, then takes a turn for every line on standard input and answers in JSON.
    """
    name, seconds = sys.argv[1], float(sys.argv[4])
    with contenders[name](Path(sys.argv[2]), Path(sys.argv[3])) as turn:
        print(json.dumps({"ready": name}), flush=True)
        for _ in sys.stdin:
            frames, took_s, objects = turn(seconds)
            print(json.dumps({"frames": frames, "seconds": took_s, "objects": objects}), flush=True)
