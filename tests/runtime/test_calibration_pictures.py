"""Ranges are only as good as the pictures they are measured on: none lost, none repeated unseen, none invented."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import cv2
import numpy as np
import pytest

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.tensors import InputSize, ShapeProfile
from edgekit.errors import CalibrationError
from edgekit.runtime.calibration_pictures import CalibrationPictures
from edgekit.runtime.pictures import read_picture
from edgekit.runtime.preprocess import Preprocess

SIZES = ShapeProfile(InputSize(1, 32, 32), InputSize(1, 48, 64), InputSize(4, 96, 96))
DETECTOR = DetectorSpec("tiny", "0" * 64, InputSpec("images"), SIZES, "yolov8", ("car",))


def write_pictures(folder: Path, count: int) -> List[Path]:
    random = np.random.default_rng(3)
    paths = [folder / f"{index:02}.png" for index in range(count)]
    for path in paths:
        cv2.imwrite(str(path), random.integers(0, 256, (72, 96, 3), dtype=np.uint8))
    return paths


def pictures_of(folder: Optional[Path], batch: int = 1, told=lambda *step: None) -> CalibrationPictures:
    return CalibrationPictures(folder and str(folder), DETECTOR, batch, told)


def expected_planes(path: Path) -> np.ndarray:
    planes = np.empty((3, 48, 64), np.float32)
    Preprocess(DETECTOR.input, 48, 64)(read_picture(path), planes)
    return planes


def test_every_picture_comes_once_as_the_network_takes_it(tmp_path) -> None:
    """Calibrating on other values than the camera path gives would set every range wrong."""
    paths = write_pictures(tmp_path, 3)
    seen = [batch.copy() for batch in pictures_of(tmp_path)]
    assert [batch.shape for batch in seen] == [(1, 3, 48, 64)] * 3
    for path, batch in zip(paths, seen):
        np.testing.assert_array_equal(batch[0], expected_planes(path))


def test_last_batch_is_filled_with_its_last_picture(tmp_path) -> None:
    """Left-over planes of the batch before would count those pictures twice; empty ones would invent values."""
    paths = write_pictures(tmp_path, 5)
    pictures = pictures_of(tmp_path, batch=4)
    seen = [batch.copy() for batch in pictures]
    assert (len(seen), pictures.used) == (2, 5)
    np.testing.assert_array_equal(seen[1], np.repeat(expected_planes(paths[4])[None], 4, 0))


def test_one_buffer_serves_all_batches(tmp_path) -> None:
    """Memory on an 8 GB board must not grow with the set."""
    write_pictures(tmp_path, 4)
    assert len({batch.__array_interface__["data"][0] for batch in pictures_of(tmp_path)}) == 1


def test_unreadable_pictures_leave_no_gap_and_are_told_of(tmp_path) -> None:
    """One damaged file in 500 must not cost the build, nor go unnoticed."""
    paths = write_pictures(tmp_path, 4)
    paths[1].write_bytes(b"cut short")
    pictures = pictures_of(tmp_path, batch=3)
    (only,) = [batch.copy() for batch in pictures]
    np.testing.assert_array_equal(only, np.stack([expected_planes(paths[index]) for index in (0, 2, 3)]))
    few, skipped = pictures.warnings
    assert "3 pictures; below 300" in few
    assert "1 calibration pictures were skipped" in skipped
    assert "01.png" in skipped


def test_second_pass_counts_from_nothing(tmp_path) -> None:
    """Histograms need a second pass; the manifest must still name the set's size."""
    write_pictures(tmp_path, 2)
    pictures = pictures_of(tmp_path)
    for _ in range(2):
        assert len(list(pictures)) == 2
    assert pictures.used == 2


def test_progress_reaches_the_end(tmp_path) -> None:
    """A person waits minutes for it."""
    write_pictures(tmp_path, 3)
    steps: List[tuple] = []
    list(pictures_of(tmp_path, batch=2, told=lambda *step: steps.append(step)))
    assert [("calibrating", done, 3) for done in range(4)] == steps


@pytest.mark.parametrize("content", [None, b"", b"damaged"], ids=["no folder", "no pictures", "all damaged"])
def test_set_that_cannot_serve_is_refused(tmp_path, content: Optional[bytes]) -> None:
    """An INT8 engine with invented ranges detects nothing and says nothing."""
    folder = None if content is None else tmp_path
    if content:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(CalibrationError):
        list(pictures_of(folder))
