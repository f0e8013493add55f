"""YOLOX's grids against demo_postprocess, one cell at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.core.layouts import DecodeContext, decode
from edgekit.errors import LayoutError


def yolox_reference(rows, nc, confidence, width, height, strides):
    """(xy + grid) * stride, exp(wh) * stride, obj * cls; grids row by row, by rising stride."""
    found, anchor = [], 0
    for stride in strides:
        for y in range(height // stride):
            for x in range(width // stride):
                row = [float(value) for value in rows[anchor]]
                anchor += 1
                scores = [row[4] * row[5 + k] for k in range(nc)]
                best = max(range(nc), key=lambda k, scores=scores: scores[k])
                if scores[best] < confidence:
                    continue
                cx, cy = (row[0] + x) * stride, (row[1] + y) * stride
                w, h = math.exp(row[2]) * stride, math.exp(row[3]) * stride
                found.append(([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], scores[best], best))
    assert anchor == len(rows)
    return found


@pytest.mark.parametrize("strides", [(8, 16, 32), (8, 16, 32, 64)], ids=["three heads", "four heads"])
@pytest.mark.parametrize("nc", [1, 2, 80])
def test_offsets_become_boxes_as_published(nc, strides, same):
    """Rows and columns exchanged show only on pictures that are not square; this one is 192 x 128."""
    width, height = 192, 128
    random = np.random.default_rng(nc)
    anchors = sum(width // stride * (height // stride) for stride in strides)
    rows = random.normal(0, 1, (2, anchors, 5 + nc))
    rows[:, :, 4:] = random.random((2, anchors, 1 + nc)) ** 0.5
    rows = rows.astype(np.float32)
    expected = [yolox_reference(picture, nc, 0.7, width, height, strides) for picture in rows]
    assert all(expected)
    same(decode("yolox", {"output": rows}, DecodeContext(width, height, nc, confidence=0.7)), expected)


def test_a_head_for_another_input_size_is_refused(context):
    """Boxes from the wrong grid look plausible and are all wrong."""
    with pytest.raises(LayoutError, match="126"):
        decode("yolox", {"output": np.zeros((1, 8400, 7), np.float32)}, context(2))
