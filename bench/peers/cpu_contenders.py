"""Ways from a BGR frame in memory to boxes on the CPU, all with one ONNX file, one confidence and one IoU.

python bench/peers/cpu_contenders.py NAME MODEL LABELS SECONDS    (started by bench/peers/cpu.py)
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from loop import CONFIDENCE, HEIGHT, IOU, MOST, SOURCE, WIDTH, by_opencv, frame_by_frame, pipeline_turn, serve

if TYPE_CHECKING:
    from loop import Turn


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
    from edgekit.runtime.sources import open_source

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
            yield lambda seconds: pipeline_turn(stages, lambda: open_source(SOURCE), seconds)


def _calibration_pictures(folder: Path) -> Path:
    from edgekit.runtime.sources import open_source

    pictures = folder / "pictures"
    pictures.mkdir()
    with open_source("memory://?width=640&height=360&frames=100&seed=7") as source:
        for number in range(100):
            cv2.imwrite(str(pictures / f"{number:03}.png"), next(source).pixels)
    return pictures


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
    yield frame_by_frame(lambda frame: len(network.predict(frame, **options)[0].boxes))


@contextmanager
def opencv_dnn(model: Path, labels: Path) -> Iterator[Turn]:
    """OpenCV's own network runner with blobFromImage and NMSBoxesBatched, as its YOLO sample does."""
    network = cv2.dnn.readNetFromONNX(str(model))

    def run(tensor: np.ndarray) -> np.ndarray:
        network.setInput(tensor)
        return np.asarray(network.forward())

    yield frame_by_frame(lambda frame: by_opencv(frame, run))


@contextmanager
def onnxruntime_loop(model: Path, labels: Path) -> Iterator[Turn]:
    """The loop of a tutorial: letterbox, ONNX Runtime, NumPy and cv2's NMS, one after the other."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    yield frame_by_frame(lambda frame: by_opencv(frame, lambda tensor: session.run(None, {name: tensor})[0]))


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


if __name__ == "__main__":
    serve(CONTENDERS)
