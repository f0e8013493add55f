"""Truth of made-up pictures, and the predictions of a mediocre detector."""

from __future__ import annotations

import json

import numpy as np

from edgekit.control.evaluation.truth import PictureTruth, make_truth, objects_from_boxes
from edgekit.core.detections import Detections


def boxes(rng, count):
    """(count, 4) boxes somewhere in 300 x 300 px."""
    corner = rng.uniform(0, 200, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(4, 90, (count, 2))], axis=1).astype(np.float32)


def made_up(seed, pictures=24, crowds=True):
    """Truth and the predictions of a mediocre detector: shifted, doubled, missed, invented, of wrong classes."""
    rng = np.random.default_rng(seed)
    truth, found = {}, {}
    for number in range(pictures):
        count = int(rng.integers(0, 9))
        real = objects_from_boxes(boxes(rng, count), rng.integers(0, 2, count))
        crowd = objects_from_boxes(boxes(rng, 2), rng.integers(0, 2, 2)) if crowds else Detections.empty()
        name = f"{number}.jpg"
        truth[name] = PictureTruth(300, 300, real, ("day", "night")[number % 2], crowd)
        shifted = real.boxes_xyxy + rng.normal(0, 4, real.boxes_xyxy.shape).astype(np.float32)
        all_boxes = np.concatenate([shifted, shifted[: count // 2] + 3, boxes(rng, 4)]).astype(np.float32)
        ids = np.concatenate([real.class_ids, real.class_ids[: count // 2], rng.integers(0, 3, 4)]).astype(np.int32)
        scores = np.round(rng.uniform(0.05, 1, len(ids)), 4).astype(np.float32)
        found[name] = PictureTruth(300, 300, Detections(all_boxes, scores, ids))
    return make_truth("made up", truth), found


def written(tmp_path, found):
    """The predictions as a device writes them."""
    path = tmp_path / "predictions.jsonl"
    lines = [
        json.dumps({"image": name, "width": 300, "height": 300, "detections": one.objects.to_records()})
        for name, one in found.items()
    ]
    path.write_text("\n".join(lines))
    return path
