"""The interval says how sure a difference of accuracy is, and rests on the same average precision as the evaluation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.control.bootstrap_interval import match, mean_ap, paired_difference
from edgekit.control.evaluate import evaluate, load_predictions
from edgekit.control.truth import PictureTruth, make_truth, objects_from_boxes
from edgekit.core.detections import Detections

LABELS = ["car", "person", "bus"]


def boxes(rng, count):
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
    path = tmp_path / "predictions.jsonl"
    lines = [
        json.dumps({"image": name, "width": 300, "height": 300, "detections": one.objects.to_records()})
        for name, one in found.items()
    ]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("crowds", [True, False])
def test_with_every_picture_once_it_is_the_evaluations_own_figure(tmp_path, seed, crowds):
    """Else the interval would belong to another quantity than the figure beside it."""
    truth, found = made_up(seed, crowds=crowds)
    path = written(tmp_path, found)
    accuracy = evaluate(path, truth, LABELS)
    matches = match(truth, load_predictions(path), len(LABELS))
    assert mean_ap(matches, np.ones(len(truth.pictures))) == pytest.approx(accuracy.map50_95, abs=2e-6)
    for condition, expected in accuracy.per_condition.items():
        weights = np.array([truth.pictures[name].condition == condition for name in matches.names], float)
        assert mean_ap(matches, weights) == pytest.approx(expected, abs=2e-6)


def test_a_picture_that_counts_twice_is_the_same_as_two_pictures(tmp_path):
    """Weights stand for a resample only if they mean what drawing a picture twice means."""
    truth, found = made_up(3, pictures=8, crowds=False)
    weights = np.array([2.0, 0, 1, 1, 3, 1, 0, 1])
    twice = {
        f"{index}-{copy}.jpg": name for index, name in enumerate(truth.pictures) for copy in range(int(weights[index]))
    }
    big = make_truth("big", {key: truth.pictures[name] for key, name in twice.items()})
    copies = {key: found[name] for key, name in twice.items()}
    expected = mean_ap(match(big, copies, 3), np.ones(len(twice)))
    assert mean_ap(match(truth, found, 3), weights) == pytest.approx(
        expected, abs=1e-3
    )  # equal scores come in another order


def test_an_engine_does_not_differ_from_itself():
    truth, found = made_up(1)
    matches = match(truth, found, 3)
    same = paired_difference(truth, matches, matches, resamples=50)
    assert (same.overall.value, same.overall.low, same.overall.high) == (0, 0, 0)
    assert not same.overall.is_clear
    assert set(same.per_condition) == {"day", "night"}


def test_a_real_loss_in_one_condition_is_clear_there_and_absent_elsewhere():
    """What the comparison of sets is for: night got worse, day did not."""
    truth, found = made_up(2, pictures=60)
    worse = dict(found)
    for name, picture in truth.pictures.items():
        if picture.condition == "night":
            one = found[name].objects
            worse[name] = PictureTruth(300, 300, one.with_boxes(one.boxes_xyxy + np.float32(8)))
    result = paired_difference(truth, match(truth, found, 3), match(truth, worse, 3), resamples=200, seed=5)
    assert result.per_condition["night"].high < 0
    assert result.per_condition["night"].is_clear
    assert result.per_condition["day"].value == 0
    assert result.overall.low <= result.overall.value <= result.overall.high
    assert result == paired_difference(truth, match(truth, found, 3), match(truth, worse, 3), resamples=200, seed=5)


def test_pairing_makes_the_interval_narrower_than_two_independent_ones():
    """Pictures differ much more than engines do; without pairing no difference of a few points could be seen."""
    truth, found = made_up(4, pictures=60)
    rng = np.random.default_rng(0)
    jitter = {
        name: PictureTruth(
            300,
            300,
            one.objects.with_boxes(one.objects.boxes_xyxy + rng.normal(0, 1, (len(one.objects), 4)).astype(np.float32)),
        )
        for name, one in found.items()
    }
    first, second = match(truth, found, 3), match(truth, jitter, 3)
    paired = paired_difference(truth, first, second, resamples=200).overall
    draws = [np.bincount(rng.integers(0, 60, 60), minlength=60).astype(float) for _ in range(400)]
    apart = [mean_ap(second, b) - mean_ap(first, a) for a, b in zip(draws[:200], draws[200:], strict=True)]
    assert paired.high - paired.low < 0.7 * (np.percentile(apart, 97.5) - np.percentile(apart, 2.5))
