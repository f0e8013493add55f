"""Accuracy: the library's answer against a slow transcription of COCO's rules, and cases one can check by hand."""

from __future__ import annotations

import json
from typing import Dict, List, Tuple

import numpy as np
import pytest

from edgekit.control.evaluation.accuracy import evaluate
from edgekit.control.evaluation.truth import PictureTruth, make_truth, objects_from_boxes
from edgekit.core.detections import Detections
from edgekit.errors import ConfigError, VerifyError

LABELS = ("car", "person", "sign", "unused")
IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
BOXES = [[10, 10, 110, 60], [200, 100, 260, 220], [300, 300, 420, 420]]


def iou_matrix(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    overlap = np.zeros((len(found), len(truth)))
    for i, a in enumerate(found):
        for j, b in enumerate(truth):
            w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
            h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
            union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
            overlap[i, j] = w * h / union if union > 0 else 0.0
    return overlap


def match(overlap: np.ndarray, threshold: float) -> np.ndarray:
    """Greedy, best score first: True where a detection takes a free truth of the largest overlap."""
    taken, hits = set(), np.zeros(len(overlap), bool)
    for i, row in enumerate(overlap):
        free = [(value, j) for j, value in enumerate(row) if j not in taken and value >= min(threshold, 1 - 1e-10)]
        if free:
            taken.add(max(free)[1])
            hits[i] = True
    return hits


def average_precision(scores: np.ndarray, hits: np.ndarray, positives: int) -> float:
    order = np.argsort(-scores, kind="mergesort")
    tp, fp = np.cumsum(hits[order]), np.cumsum(~hits[order])
    precision = tp / np.maximum(tp + fp, np.spacing(1))
    for i in range(len(precision) - 1, 0, -1):
        precision[i - 1] = max(precision[i - 1], precision[i])
    places = np.searchsorted(tp / positives, RECALLS, side="left")
    return float(np.mean([precision[i] if i < len(precision) else 0.0 for i in places]))


def slow_coco(truth: Dict[str, PictureTruth], found: Dict[str, Detections], classes: int) -> Tuple[float, float]:
    """mAP50-95 and mAP50 by the definition, without ignored truth."""
    table: List[List[float]] = []
    for class_id in range(classes):
        positives = sum(int((picture.objects.class_ids == class_id).sum()) for picture in truth.values())
        if positives == 0:
            continue
        row = []
        for threshold in IOUS:
            scores, hits = [np.zeros(0)], [np.zeros(0, bool)]
            for name in sorted(truth):
                mine = found[name].select(found[name].class_ids == class_id)
                best = mine.select(np.argsort(-mine.scores, kind="mergesort")[:100])
                real = truth[name].objects.boxes_xyxy[truth[name].objects.class_ids == class_id]
                scores.append(best.scores)
                hits.append(match(iou_matrix(best.boxes_xyxy.astype(float), real.astype(float)), threshold))
            row.append(average_precision(np.concatenate(scores), np.concatenate(hits), positives))
        table.append(row)
    return float(np.mean(table)), float(np.mean([row[0] for row in table]))


def picture(boxes=BOXES, class_ids=(0, 1, 2), condition: str = "", crowd=()) -> PictureTruth:
    return PictureTruth(
        640, 480, objects_from_boxes(boxes, class_ids), condition, objects_from_boxes(crowd, [0] * len(crowd))
    )


def write(tmp_path, found: Dict[str, Detections], size=(640, 480)):
    path = tmp_path / "predictions.jsonl"
    records = [
        {"image": name, "width": size[0], "height": size[1], "detections": detections.to_records(LABELS)}
        for name, detections in found.items()
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def found_like(boxes, class_ids, scores=None) -> Detections:
    scores = [0.9] * len(class_ids) if scores is None else scores
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(class_ids, np.int32)
    )


def random_case(seed: int, pictures: int = 25):
    rng = np.random.default_rng(seed)
    truth, found = {}, {}
    for index in range(pictures):
        count = int(rng.integers(0, 7))
        corner, side = rng.uniform(0, 400, (count, 2)), rng.uniform(8, 200, (count, 2))
        boxes, class_ids = np.concatenate([corner, corner + side], 1), rng.integers(0, 3, count)
        truth[f"{index:03}.png"] = PictureTruth(640, 480, objects_from_boxes(boxes, class_ids))
        seen = rng.random(count) < 0.8
        extra = int(rng.integers(0, 5))
        noise_corner = rng.uniform(0, 400, (extra, 2))
        moved = boxes[seen] + rng.normal(0, 6, (int(seen.sum()), 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        noise = np.concatenate([noise_corner, noise_corner + rng.uniform(8, 200, (extra, 2))], 1)
        found[f"{index:03}.png"] = found_like(
            np.concatenate([moved, noise]).round(2),
            np.concatenate([class_ids[seen], rng.integers(0, 3, extra)]),
            rng.choice(np.arange(1, 9999) / 1e4, int(seen.sum()) + extra, replace=False),
        )
    return truth, found


@pytest.mark.parametrize("seed", range(6))
def test_accuracy_equals_a_slow_transcription_of_the_coco_rules(tmp_path, seed):
    """A wrong mapping of boxes, classes or pictures to the library would make every shipped decision wrong."""
    truth, found = random_case(seed)
    got = evaluate(write(tmp_path, found), make_truth("made-up", truth), LABELS)
    assert (got.map50_95, got.map50) == pytest.approx(slow_coco(truth, found, len(LABELS)), abs=1e-5)


def test_perfect_predictions_score_one(tmp_path):
    """The scale's upper end: anything less means that boxes are converted with an error."""
    truth = {"a.png": picture(), "b.png": picture(BOXES[:1], [2])}
    found = {name: found_like(real.objects.boxes_xyxy, real.objects.class_ids) for name, real in truth.items()}
    got = evaluate(write(tmp_path, found), make_truth("made-up", truth), LABELS)
    assert (got.map50_95, got.map50, got.images) == (1.0, 1.0, 2)
    assert got.per_class == {"car": 1.0, "person": 1.0, "sign": 1.0}


def test_a_box_shifted_to_an_overlap_of_0_6_counts_at_three_of_ten_thresholds(tmp_path):
    """IoU 75/125 = 0.6 passes 0.50, 0.55 and 0.60, so mAP50-95 is 0.3 by hand."""
    truth = make_truth("made-up", {"a.png": picture([[0, 0, 100, 100]], [0])})
    got = evaluate(write(tmp_path, {"a.png": found_like([[25, 0, 125, 100]], [0])}), truth, LABELS)
    assert (got.map50_95, got.map50) == (0.3, 1.0)


def test_a_duplicate_before_the_second_object_costs_precision(tmp_path):
    """Two objects, the first found twice: precision 1 up to recall 0.5, then 2/3; 51 and 50 of 101 points by hand."""
    truth = make_truth("made-up", {"a.png": picture([BOXES[0], BOXES[1]], [0, 0])})
    found = found_like([BOXES[0], BOXES[0], BOXES[1]], [0, 0, 0], [0.9, 0.8, 0.7])
    expected = (51 * 1 + 50 * 2 / 3) / 101
    assert evaluate(write(tmp_path, {"a.png": found}), truth, LABELS).map50_95 == pytest.approx(expected, abs=1e-6)


def test_a_detection_inside_a_crowd_is_neither_right_nor_wrong(tmp_path):
    """Without it a detector is punished for finding members of a group that is labelled as one box."""
    truth = make_truth("made-up", {"a.png": picture([BOXES[1]], [0], crowd=[[0, 0, 150, 90]])})
    found = found_like([BOXES[0], BOXES[1]], [0, 0], [0.9, 0.8])
    assert evaluate(write(tmp_path, {"a.png": found}), truth, LABELS).map50_95 == 1.0


def test_a_box_turned_inside_out_finds_nothing(tmp_path):
    """COCO's arithmetic gives it an overlap: a broken decoder would score."""
    truth = make_truth("made-up", {"a.png": picture([[0, 0, 100, 10]], [0])})
    found = found_like([[0, 10, 100, 9.5]], [0])
    assert evaluate(write(tmp_path, {"a.png": found}), truth, LABELS).map50_95 == 0.0


def test_no_predictions_score_zero(tmp_path):
    """A dead engine must fail the gate, not crash the evaluation or pass as "not measured"."""
    truth = make_truth("made-up", {"a.png": picture(condition="day")})
    got = evaluate(write(tmp_path, {"a.png": Detections.empty()}), truth, LABELS)
    assert (got.map50_95, got.map50, got.per_condition) == (0.0, 0.0, {"day": 0.0})


def test_a_condition_is_judged_on_its_own_pictures(tmp_path):
    """Blind at night and perfect by day must show as exactly that; conditions without objects are left out."""
    truth = {
        "d.png": picture(condition="day"),
        "n.png": picture(condition="night"),
        "e.png": picture([], [], condition="empty"),
        "u.png": picture(),
    }
    found = {name: found_like(BOXES, (0, 1, 2)) for name in ("d.png", "u.png")}
    found.update({"n.png": Detections.empty(), "e.png": Detections.empty()})
    got = evaluate(write(tmp_path, found), make_truth("made-up", truth), LABELS)
    assert got.per_condition == {"day": 1.0, "night": 0.0}


def test_only_the_best_hundred_detections_of_a_picture_and_class_count(tmp_path):
    """COCO's limit: figures would not compare with anyone else's without it."""
    truth = make_truth("made-up", {"a.png": picture([BOXES[0]], [0])})
    junk = [[400, 400, 420, 420]] * 100
    found = found_like([*junk, BOXES[0]], [0] * 101, [*np.linspace(0.9, 0.5, 100), 0.1])
    assert evaluate(write(tmp_path, {"a.png": found}), truth, LABELS).map50_95 == 0.0


def test_nothing_is_printed(tmp_path, capfd):
    """Standard output carries results; the library likes to print tables."""
    truth, found = random_case(1, pictures=3)
    evaluate(write(tmp_path, found), make_truth("made-up", truth), LABELS)
    assert capfd.readouterr() == ("", "")


def test_a_set_without_objects_is_refused(tmp_path):
    """An accuracy of 0 on nothing would read as a broken engine."""
    with pytest.raises(ConfigError, match="no labelled object"):
        evaluate(write(tmp_path, {"a.png": Detections.empty()}), make_truth("m", {"a.png": picture([], [])}), LABELS)


def test_a_class_the_detector_does_not_know_is_refused(tmp_path):
    """Truth of another detector would give a low figure that looks like a finding."""
    with pytest.raises(ConfigError, match="knows 0 to 3"):
        truth = make_truth("m", {"a.png": picture(BOXES[:1], [9])})
        evaluate(write(tmp_path, {"a.png": Detections.empty()}), truth, LABELS)


REAL = {"a.png": picture(), "b.png": picture()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('{"image": "a.png"', "1: not a prediction", id="half-a-line"),
        pytest.param('{"image": "a.png"}', "1: not a prediction", id="missing-field"),
        pytest.param("[]", "1: not a prediction", id="not-an-object"),
        pytest.param('{"image":"a.png","width":640,"height":480,"detections":[]}', "1 of 2 pictures", id="incomplete"),
        pytest.param('{"image":"a.png","width":640,"height":480,"detections":[]}\n' * 2, "already", id="twice"),
        pytest.param(
            '{"image":"a.png","width":320,"height":240,"detections":[]}\n'
            '{"image":"b.png","width":640,"height":480,"detections":[]}',
            "320x240",
            id="other-size",
        ),
        pytest.param(
            '{"image":"a.png","width":640,"height":480,"detections":'
            '[{"box_xyxy":[NaN,0,1,1],"score":0.5,"class_id":0}]}\n'
            '{"image":"b.png","width":640,"height":480,"detections":[]}',
            "not a number",
            id="nan-box",
        ),
        pytest.param(
            '{"image":"a.png","width":640,"height":480,"detections":'
            '[{"box_xyxy":[0,0,1,1],"score":0.5,"class_id":4}]}\n'
            '{"image":"b.png","width":640,"height":480,"detections":[]}',
            "class id",
            id="unknown-class",
        ),
    ],
)
def test_a_damaged_or_foreign_predictions_file_is_refused(tmp_path, text, message):
    """A half-transferred file would otherwise become a plausible, lower accuracy."""
    path = tmp_path / "predictions.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(VerifyError, match=message):
        evaluate(path, make_truth("m", REAL), LABELS)


def test_a_missing_predictions_file_is_a_verify_error(tmp_path):
    """The device said it was done and left nothing: that must not be a traceback."""
    with pytest.raises(VerifyError, match="cannot be read"):
        evaluate(tmp_path / "none.jsonl", make_truth("m", REAL), LABELS)
