"""The average precision that training and evaluation report, against faster-coco-eval on the same boxes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Dict, List, Tuple

import numpy as np
import pytest

CLASSES = 3
# COCO's summary counts 100 detections of a picture *for each class*; metrics.py counts the best 100 of a picture over
# all classes, as a deployed detector reports one list. They agree while a picture has no more than 100.


@pytest.fixture(scope="module")
def metrics() -> ModuleType:
    """detectors/roadscene/metrics.py, which is a script's neighbour and no package."""
    path = Path(__file__).parents[2] / "detectors" / "roadscene" / "metrics.py"
    spec = importlib.util.spec_from_file_location("roadscene_metrics", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["roadscene_metrics"] = module
    spec.loader.exec_module(module)
    return module


def _case(metrics: ModuleType, seed: int, pictures: int = 12, extra: int = 6) -> Tuple[list, list]:
    """Truth, and detections that are shifted truth with false ones among them; the best first."""
    rng = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(pictures):
        count = int(rng.integers(0, 9))
        corner, size = rng.uniform(0, 400, (count, 2)), rng.uniform(12, 160, (count, 2))
        boxes, class_ids = np.concatenate([corner, corner + size], axis=1), rng.integers(0, CLASSES, count)
        truth.append(metrics.Truth(boxes, class_ids))
        kept = rng.random(count) < 0.85
        shaken = boxes + rng.normal(0, 0.09, (count, 4)) * np.tile(size, 2)
        low = rng.uniform(0, 400, (extra, 2))
        false = np.concatenate([low, low + rng.uniform(12, 160, (extra, 2))], axis=1)
        boxes = np.concatenate([shaken[kept], boxes[kept][:2] + 3.0, false])
        class_ids = np.concatenate([class_ids[kept], class_ids[kept][:2], rng.integers(0, CLASSES, extra)])
        scores = rng.permutation(10_000)[: len(boxes)] / 10_000  # no ties: their order is nobody's rule
        order = np.argsort(-scores)
        found.append(metrics.Found(boxes[order], scores[order], class_ids[order]))
    return found, truth


def _coco_table(found: list, truth: list) -> np.ndarray:
    """AP (CLASSES, 10) by faster-coco-eval; -1 where a class has no truth."""
    coco_eval = pytest.importorskip("faster_coco_eval")
    images = [{"id": index + 1, "width": 640, "height": 384} for index in range(len(truth))]
    annotations: List[Dict[str, object]] = []
    for index, real in enumerate(truth):
        for box, class_id in zip(real.boxes, real.class_ids):
            row = _coco_row(index, box, class_id)
            annotations.append({**row, "id": len(annotations) + 1, "iscrowd": 0, "area": float(_area(box))})
    categories = [{"id": class_id, "name": str(class_id)} for class_id in range(CLASSES)]
    ground = coco_eval.COCO({"images": images, "annotations": annotations, "categories": categories})
    rows = [
        {**_coco_row(index, box, class_id), "score": float(score)}
        for index, one in enumerate(found)
        for box, score, class_id in zip(one.boxes, one.scores, one.class_ids)
    ]
    run = coco_eval.COCOeval_faster(ground, ground.loadRes(rows), "bbox")
    run.params.maxDets = [1, 10, 100]
    run.evaluate()
    run.accumulate()
    precision = np.asarray(run.eval["precision"])[:, :, :, 0, -1]  # (IoU, recall, class), all areas, 100 detections
    return precision.mean(axis=1).T


def _coco_row(index: int, box: np.ndarray, class_id: int) -> Dict[str, object]:
    xywh = [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]
    return {"image_id": index + 1, "category_id": int(class_id), "bbox": xywh}


def _area(box: np.ndarray) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_agrees_with_faster_coco_eval(metrics: ModuleType, seed: int) -> None:
    """The figures in TRAINING.md are compared with those of other detectors, so they must mean the same."""
    found, truth = _case(metrics, seed)
    assert np.allclose(metrics.average_precisions(found, truth, CLASSES), _coco_table(found, truth), atol=1e-6)


def test_a_picture_with_more_than_a_hundred_detections_counts_the_best_hundred_of_all_classes(
    metrics: ModuleType,
) -> None:
    """This is where the figure may be below COCO's, which counts a hundred of each class."""
    output = np.zeros((4 + CLASSES, 150), np.float32)
    output[0], output[1] = np.arange(150) % 15 * 40.0 + 20, np.arange(150) // 15 * 40.0 + 20
    output[2:4] = 20.0
    output[4 + np.arange(150) % CLASSES, np.arange(150)] = np.linspace(0.9, 0.1, 150)
    found = metrics.found_in_output(output)
    assert len(found.scores) == metrics.MOST_DETECTIONS == 100
    assert np.allclose(found.scores, np.linspace(0.9, 0.1, 150)[:100])


def test_a_class_without_truth_is_left_out_of_the_mean(metrics: ModuleType) -> None:
    """Counting it as zero would make every condition in which no bus is seen look worse."""
    boxes = np.array([[10.0, 10.0, 50.0, 50.0]])
    found = [metrics.Found(boxes, np.array([0.9]), np.array([1]))]
    table = metrics.average_precisions(found, [metrics.Truth(boxes, np.array([1]))], CLASSES)
    assert np.isnan(table[[0, 2]]).all() and (table[1] == 1.0).all()
    assert metrics.mean_ap(table) == (1.0, 1.0)


def test_truth_that_nobody_found_scores_zero(metrics: ModuleType) -> None:
    """An empty output is the worst answer, not an error."""
    nothing = metrics.Found(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    truth = [metrics.Truth(np.array([[10.0, 10.0, 50.0, 50.0]]), np.array([2]))]
    assert metrics.average_precisions([nothing], truth, CLASSES)[2].tolist() == [0.0] * 10


def test_suppression_keeps_the_best_of_overlapping_boxes_of_one_class(metrics: ModuleType) -> None:
    """Two boxes on one car are one hit and one false alarm; on a car and a bus both are meant."""
    output = np.zeros((4 + CLASSES, 3), np.float32)
    output[:4] = np.array([[100.0, 100.0, 40.0, 40.0]]).T + np.array([0.0, 1.0, 2.0])
    output[4, :2], output[5, 2] = (0.8, 0.6), 0.5
    found = metrics.found_in_output(output)
    assert found.class_ids.tolist() == [0, 1]
    assert np.allclose(found.scores, [0.8, 0.5])
