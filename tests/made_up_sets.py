"""Small projects with pictures, videos and a detector of random weights, for the tests of sets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgekit.control.project import Project
from edgekit.scenes import render_scene, split_seed
from tests.onnx_models import add_outlier, save_yolov8


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def make_project(root: Path, *, detector: bool = True) -> Project:
    """A project with a detector of two classes whose weights are random: it sees, and is wrong."""
    (root / "devices.yaml").write_text("devices:\n  local:\n    kind: local\n", encoding="utf-8")
    if detector:
        folder = root / "detectors" / "tiny"
        folder.mkdir(parents=True)
        save_yolov8(folder / "model.onnx")
        (folder / "detector.yaml").write_text("labels: [car, person]\n")
    return Project(root)


def make_outlier_project(root: Path) -> Project:
    """A project whose detector INT8 destroys between two layers known by name, see `add_outlier`; it is calibrated and
    judged with six pictures without labels."""
    folder, images = root / "detectors" / "tiny", root / "calib_sets" / "few" / "images"
    folder.mkdir(parents=True)
    images.mkdir(parents=True)
    add_outlier(save_yolov8(folder / "model.onnx"))
    (folder / "detector.yaml").write_text(
        "# ours\nlabels: [car, person]\nthresholds: {confidence: 0.5}   # few\ncalibration: few\nfrozen: few\n"
    )
    rng = np.random.default_rng(5)
    for index in range(6):
        cv2.imwrite(str(images / f"p{index}.png"), cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (96, 72)))
    (images.parent / "set.yaml").write_text("images: {folder: images}\n")
    (root / "devices.yaml").write_text("devices:\n  local: {kind: local, detector: tiny}\n")
    return Project(root)


def save_scene(path: Path, condition: str, number: int) -> Path:
    """A drawn street of that condition, 320 x 180."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), render_scene(split_seed("calib", 80_000 + number), condition, 320, 180).frame)
    return path


def save_scenes(folder: Path, counts: dict[str, int]) -> Path:
    """folder/CONDITION/N.jpg for each condition; no two show the same."""
    for condition, count in counts.items():
        for number in range(count):
            save_scene(folder / condition / f"{number}.jpg", condition, number)
    return folder


def save_video(path: Path, seconds: float, fps: float = 10.0) -> Path:
    """A video in which every second looks quite different."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (160, 96))
    rng = np.random.default_rng(7)
    for number in range(round(seconds * fps)):
        if number % round(fps) == 0:
            small = rng.integers(0, 255, (6, 10, 3), np.uint8)
        writer.write(cv2.resize(small, (160, 96), interpolation=cv2.INTER_NEAREST))
    writer.release()
    return path
