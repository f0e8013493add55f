"""RT-DETR in three forms and RF-DETR, against their own post-processing written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.core.layouts import LAYOUTS, decode
from edgekit.errors import LayoutError

WIDTH, HEIGHT = 96, 64
QUERIES = 50


def pixels(cx, cy, w, h):
    """A normalised centre box in pixels of the 96 x 64 input."""
    return [(cx - w / 2) * WIDTH, (cy - h / 2) * HEIGHT, (cx + w / 2) * WIDTH, (cy + h / 2) * HEIGHT]


@pytest.mark.parametrize("nc", [1, 2, 80])
def test_labels_boxes_and_scores_are_taken_as_they_are(nc, same, context):
    """lyuwenyu's export has done everything but the threshold."""
    random = np.random.default_rng(nc)
    labels = random.integers(0, nc, (2, QUERIES))
    boxes = random.uniform(0, 96, (2, QUERIES, 4)).astype(np.float32)
    scores = random.random((2, QUERIES)).astype(np.float32)
    expected = [
        [(boxes[b, q], scores[b, q], labels[b, q]) for q in range(QUERIES) if scores[b, q] >= 0.5] for b in range(2)
    ]
    same(decode("rtdetr", {"labels": labels, "boxes": boxes, "scores": scores}, context(nc)), expected)


@pytest.mark.parametrize("nc", [1, 2, 80])
def test_normalised_queries_take_their_best_class(nc, same, context):
    """Width and height scale x and y; on a square picture an exchange would not show, so this one is 96 x 64."""
    rows = np.random.default_rng(nc).random((2, QUERIES, 4 + nc)).astype(np.float32)
    expected = []
    for picture in rows:
        found = []
        for row in picture:
            best = max(range(nc), key=lambda k, row=row: row[4 + k])
            if row[4 + best] >= 0.5:
                found.append((pixels(*row[:4]), row[4 + best], best))
        expected.append(found)
    same(decode("rtdetr-ultralytics", {"output0": rows}, context(nc)), expected)


@pytest.mark.parametrize("nc", [1, 2, 80])
def test_paddle_rows_are_dealt_out_by_the_counts(nc, same, context):
    """One table for the whole batch: a wrong split shows one camera's people on another's picture."""
    random = np.random.default_rng(nc)
    counts, rows = np.array([3, 5], np.int32), np.zeros((8, 6), np.float32)
    rows[:, 0], rows[:, 1] = random.integers(0, nc, 8), random.uniform(0.3, 1, 8)
    rows[:, 2:] = random.uniform(0, 96, (8, 4))
    expected = [
        [(row[2:], row[1], int(row[0])) for row in picture if row[1] >= 0.5] for picture in (rows[:3], rows[3:])
    ]
    outputs = {"reshape2_95.tmp_0": rows, "tile_3.tmp_0": counts}
    same(decode("rtdetr-paddle", outputs, context(nc)), expected)


def rfdetr_reference(boxes, logits, count, confidence):
    """sigmoid, then the `count` best of all queries x classes (PostProcess with num_select)."""
    pairs = [
        (1 / (1 + math.exp(-float(logits[q, k]))), q, k) for q in range(len(logits)) for k in range(logits.shape[1])
    ]
    best = sorted(pairs, key=lambda pair: -pair[0])[:count]
    return [(pixels(*boxes[q]), score, k) for score, q, k in best if score >= confidence]


@pytest.mark.parametrize("top_k", [300, 10], ids=["more than there are sure", "fewer than there are sure"])
@pytest.mark.parametrize("nc", [1, 2, 80])
def test_rfdetr_ranks_every_query_with_every_class(nc, top_k, same, context):
    """Taking the best class of each query instead would lose objects that share a query."""
    random = np.random.default_rng(nc)
    boxes = random.random((2, QUERIES, 4)).astype(np.float32)
    logits = random.normal(0, 2, (2, QUERIES, nc + 1)).astype(np.float32)
    expected = [rfdetr_reference(boxes[b], logits[b], top_k, 0.5) for b in range(2)]
    same(decode("rfdetr", {"dets": boxes, "labels": logits}, context(nc, top_k=top_k)), expected)


def test_rfdetr_drops_what_is_not_a_number_and_keeps_the_rest(same, context):
    """torch ranks NaN above everything, which would push every true object out of the best 300."""
    boxes = np.full((1, 400, 4), 0.5, np.float32)
    logits = np.full((1, 400, 2), np.nan, np.float32)
    logits[0, 7] = [3, -1000]
    found = decode("rfdetr", {"dets": boxes, "labels": logits}, context(2))
    same(found, [[(pixels(0.5, 0.5, 0.5, 0.5), 1 / (1 + math.exp(-3)), 0)]])


def test_models_that_scale_their_own_boxes_are_told_the_input_size():
    """Fed the camera's size they would answer in camera pixels, and the way back would scale twice."""
    sizes = LAYOUTS["rtdetr"].side_inputs(2, 96, 64)["orig_target_sizes"]
    assert (sizes.tolist(), sizes.dtype) == ([[96, 64], [96, 64]], np.dtype(np.int64))
    paddle = LAYOUTS["rtdetr-paddle"].side_inputs(1, 96, 64)
    assert paddle["im_shape"].tolist() == [[64, 96]]
    assert paddle["scale_factor"].tolist() == [[1, 1]]


@pytest.mark.parametrize(
    "layout, outputs",
    [
        ("rtdetr", {"labels": (1, 50), "boxes": (1, 50, 4), "scores": (1, 49)}),
        ("rtdetr", {"labels": (1, 50), "boxes": (1, 50, 4)}),
        ("rtdetr-ultralytics", {"output0": (1, 50, 84)}),
        ("rtdetr-paddle", {"a": (5, 6)}),
        ("rfdetr", {"dets": (1, 50, 4), "labels": (1, 50)}),
        ("rfdetr", {"boxes": (1, 50, 4), "logits": (1, 50, 3)}),
    ],
)
def test_arrays_that_do_not_fit_the_layout_are_refused(layout, outputs, context):
    """After a wrong `layout:` in detector.yaml people need the shapes, not an IndexError."""
    with pytest.raises(LayoutError, match="do not fit the layout"):
        decode(layout, {name: np.zeros(shape, np.float32) for name, shape in outputs.items()}, context(3))
