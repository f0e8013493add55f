"""What the decoder tests share: how to compare, and one small picture size whose grids are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.layouts import DecodeContext

WIDTH, HEIGHT = 96, 64
ANCHORS = 12 * 8 + 6 * 4 + 3 * 2
"""Cells of a 96 x 64 input at strides 8, 16, 32."""


def assert_same(found, expected):
    """`expected`: for each picture a list of (box, score, class id), in any order."""
    assert len(found) == len(expected)
    for detections, rows in zip(found, expected):
        assert len(detections) == len(rows)
        assert (detections.boxes_xyxy.dtype, detections.scores.dtype) == (np.float32, np.float32)
        assert detections.class_ids.dtype == np.int32
        order = np.lexsort((detections.class_ids, detections.scores))
        rows = sorted(rows, key=lambda row: (np.float32(row[1]), row[2]))
        boxes = np.array([row[0] for row in rows]).reshape(-1, 4)
        np.testing.assert_allclose(detections.boxes_xyxy[order], boxes, rtol=2e-5, atol=2e-4)
        np.testing.assert_allclose(detections.scores[order], [row[1] for row in rows], rtol=2e-6)
        assert detections.class_ids[order].tolist() == [row[2] for row in rows]


@pytest.fixture
def same():
    """The comparison of decoded pictures with rows from a slow twin."""
    return assert_same


@pytest.fixture
def context():
    """A decode context for the small picture: context(num_classes, **others)."""

    def build(num_classes, **others):
        return DecodeContext(WIDTH, HEIGHT, num_classes, **{"confidence": 0.5, **others})

    return build
