"""Ways from a BGR frame in memory to boxes in frame pixels, all with one ONNX file, one confidence and one IoU.

    python bench/peers/contenders.py NAME MODEL LABELS SECONDS    (started by bench/peers/cpu.py)

Each is used as its own guide says, at its defaults but for what would make it answer another question: frames come one
by one as from a camera, boxes are suppressed by class, and all have the machine's cores. Every line "go" on standard
input runs one turn; the answer is a JSON line with frames, seconds and objects found.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

HEIGHT, WIDTH = 384, 640
CONFIDENCE, IOU, MOST = 0.25, 0.45, 300
SOURCE = "memory://?width=1920&height=1080&frames=32"
WARM_UP_FRAMES = 20

# One turn: (seconds) -> (frames, seconds taken, objects found)
Turn = Callable[[float], tuple[int, float, int]]
Detect = Callable[[np.ndarray], int]


@contextmanager
def edgekit(model: Path, labels: Path, precision: str = "fp32") -> Iterator[Turn]:
    """This kit: engine and pipeline as `edgekit bench` runs them. INT8 calibrated on 100 of its own drawn scenes."""
    from edgekit.core.detector import DetectorSpec, InputSpec
    from edgekit.core.engine import BuildRequest
    from edgekit.core.tensors import ShapeProfile
    from edgekit.files import sha256_file
    from edgekit.runtime.detect import limit_cv_threads
    from edgekit.runtime.engines import build_engine, load_engine
    from edgekit.runtime.host_stages import stages_for
    from edgekit.runtime.probe import probe_device

    limit_cv_threads()
    detector = DetectorSpec(
        name=model.stem, model_sha256=sha256_file(model), input=InputSpec("images"),
        profile=ShapeProfile.fixed(1, HEIGHT, WIDTH), layout="yolov8",
        labels=tuple(labels.read_text("utf-8").split()), confidence=CONFIDENCE, iou=IOU, max_detections=MOST,
    )  # fmt: skip
    profile = probe_device()
    with tempfile.TemporaryDirectory() as folder:
        pictures = _calibration_pictures(Path(folder)) if precision == "int8" else None
        request = BuildRequest(
            detector, precision, profile.engine_key, str(model), folder,
            calibration_dir=str(pictures) if pictures else None,
        )  # fmt: skip
        engine_dir = str(Path(folder) / build_engine(request, profile, lambda *_: None).engine_id)
        with (
            closing(load_engine(engine_dir, detector, profile)) as engine,
            closing(stages_for(detector, engine)) as stages,
        ):
            yield lambda seconds: _pipeline_turn(stages, seconds)


def _calibration_pictures(folder: Path) -> Path:
    from edgekit.runtime.sources import open_source

    pictures = folder / "pictures"
    pictures.mkdir()
    with open_source("memory://?width=640&height=360&frames=100&seed=7") as source:
        for number in range(100):
            cv2.imwrite(str(pictures / f"{number:03}.png"), next(source).pixels)
    return pictures


def _pipeline_turn(stages: Any, seconds: float) -> tuple[int, float, int]:
    from edgekit.runtime.pipeline import Pipeline
    from edgekit.runtime.sources import open_source

    frames = objects = 0
    with open_source(SOURCE) as source, Pipeline(source, stages) as pipeline:
        started = 0.0
        for count, detected in enumerate(pipeline):
            if count < WARM_UP_FRAMES:
                started = detected.finished_s
                continue
            frames, objects = frames + 1, objects + len(detected.detections)
            if detected.finished_s - started >= seconds:
                break
        return frames, detected.finished_s - started, objects


@contextmanager
def ultralytics(model: Path, labels: Path) -> Iterator[Turn]:
    """`YOLO(model).predict(frame)` of Ultralytics: its ONNX Runtime back end, its letterbox, its NMS."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    from ultralytics import YOLO

    network: Any = YOLO(str(model), task="detect")
    options = {
        "imgsz": (HEIGHT, WIDTH), "conf": CONFIDENCE, "iou": IOU, "max_det": MOST, "verbose": False, "device": "cpu",
    }  # fmt: skip
    yield _loop(lambda frame: len(network.predict(frame, **options)[0].boxes))


@contextmanager
def opencv_dnn(model: Path, labels: Path) -> Iterator[Turn]:
    """OpenCV's own network runner with blobFromImage and NMSBoxesBatched, as its YOLO sample does."""
    network = cv2.dnn.readNetFromONNX(str(model))

    def run(tensor: np.ndarray) -> np.ndarray:
        network.setInput(tensor)
        return np.asarray(network.forward())

    yield _loop(lambda frame: _by_opencv(frame, run))


@contextmanager
def onnxruntime_loop(model: Path, labels: Path) -> Iterator[Turn]:
    """The loop of a tutorial: letterbox, ONNX Runtime, NumPy and cv2's NMS, one after the other."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    yield _loop(lambda frame: _by_opencv(frame, lambda tensor: session.run(None, {name: tensor})[0]))


def _by_opencv(frame: np.ndarray, run: Callable[[np.ndarray], np.ndarray]) -> int:
    ratio = min(HEIGHT / frame.shape[0], WIDTH / frame.shape[1])
    width, height = round(frame.shape[1] * ratio), round(frame.shape[0] * ratio)
    top, left = (HEIGHT - height) // 2, (WIDTH - width) // 2
    borders = top, HEIGHT - height - top, left, WIDTH - width - left
    small = cv2.copyMakeBorder(cv2.resize(frame, (width, height)), *borders, cv2.BORDER_CONSTANT, value=(114,) * 3)
    rows = run(cv2.dnn.blobFromImage(small, 1 / 255, swapRB=True))[0].T
    scores = rows[:, 4:].max(axis=1)
    rows, scores = rows[scores > CONFIDENCE], scores[scores > CONFIDENCE]
    corners = rows[:, :2] - rows[:, 2:4] / 2 - (left, top)
    boxes = np.hstack([corners, rows[:, 2:4]]) / ratio
    kept = cv2.dnn.NMSBoxesBatched(
        boxes.tolist(), scores.tolist(), rows[:, 4:].argmax(axis=1).tolist(), CONFIDENCE, IOU
    )
    return min(len(kept), MOST)


def _loop(detect: Detect) -> Turn:
    """Frame after frame from the same frames in memory that the kit gets."""
    from edgekit.runtime.sources import open_source

    with open_source(SOURCE) as source:
        frames = [next(source).pixels for _ in range(32)]

    def turn(seconds: float) -> tuple[int, float, int]:
        for number in range(WARM_UP_FRAMES):
            detect(frames[number % len(frames)])
        started, done, objects = time.perf_counter(), 0, 0
        while time.perf_counter() - started < seconds:
            objects += detect(frames[(WARM_UP_FRAMES + done) % len(frames)])
            done += 1
        return done, time.perf_counter() - started, objects

    return turn


def edgekit_int8(model: Path, labels: Path) -> Any:
    """This kit with INT8: another answer (less accurate), so not a like for like; shown as what one gets."""
    return edgekit(model, labels, "int8")


CONTENDERS: dict[str, Callable[[Path, Path], Any]] = {
    "edgekit": edgekit,
    "ultralytics": ultralytics,
    "opencv-dnn": opencv_dnn,
    "onnxruntime-loop": onnxruntime_loop,
    "edgekit-int8": edgekit_int8,
}


def main() -> int:
    """Be one contender: ready, then a turn for every line."""
    name, model, labels, seconds = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])
    with CONTENDERS[name](model, labels) as turn:
        print(json.dumps({"ready": name}), flush=True)
        for _ in sys.stdin:
            frames, took_s, objects = turn(seconds)
            print(json.dumps({"frames": frames, "seconds": took_s, "objects": objects}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
