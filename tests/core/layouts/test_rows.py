"""Rows of six: end-to-end YOLO and DeepStream-Yolo."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.layouts import LAYOUTS, decode
from edgekit.errors import LayoutError


def six(seed, count, nc):
    random = np.random.default_rng(seed)
    rows = np.zeros((2, count, 6), np.float32)
    rows[:, :, :4] = random.uniform(0, 90, (2, count, 4))
    rows[:, :, 4] = random.random((2, count))
    rows[:, :, 5] = random.integers(0, nc, (2, count))
    rows[1, count // 2 :] = 0
    return rows


@pytest.mark.parametrize("nc", [1, 2, 80])
@pytest.mark.parametrize("layout, count", [("yolo-end2end", 300), ("deepstream-yolo", 126)])
def test_rows_are_taken_as_they_are(layout, count, nc, same, context):
    """Column 4 is the score and 5 the class; exchanged, class 1 would be a score of 100 %."""
    rows = six(nc, count, nc)
    expected = [[(row[:4], row[4], int(row[5])) for row in picture if row[4] >= 0.5] for picture in rows]
    same(decode(layout, {"output0": rows}, context(nc)), expected)


def test_mask_coefficients_and_keypoints_after_the_class_are_ignored(same, context):
    """YOLO26-seg and -pose end to end: (B, 300, 38) and (B, 300, 57)."""
    rows = six(1, 300, 2)
    wide = np.concatenate([rows, np.full((2, 300, 32), 7, np.float32)], axis=2)
    outputs = {"output0": wide, "output1": np.zeros((2, 32, 16, 24), np.float32)}
    expected = [[(row[:4], row[4], int(row[5])) for row in picture if row[4] >= 0.5] for picture in rows]
    same(decode("yolo-end2end", outputs, context(2)), expected)


def test_only_the_one_that_is_before_suppression_asks_for_it():
    """Suppressing the one twice drops true neighbours; not suppressing the other shows each object ten times."""
    assert LAYOUTS["deepstream-yolo"].needs_nms
    assert not LAYOUTS["yolo-end2end"].needs_nms


def test_rows_shorter_than_six_are_refused(context):
    """Such a head has no class column."""
    with pytest.raises(LayoutError, match="6"):
        decode("yolo-end2end", {"output0": np.zeros((1, 300, 5), np.float32)}, context(1))
