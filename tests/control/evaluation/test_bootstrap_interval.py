"""The interval says how sure a difference of accuracy is, and rests on the same average precision as the evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.control.evaluation import average_precision
from edgekit.control.evaluation.accuracy import evaluate, load_predictions
from edgekit.control.evaluation.average_precision import match, mean_ap, mean_ap_each
from edgekit.control.evaluation.bootstrap_interval import paired_difference, paired_ratio
from edgekit.control.evaluation.truth import PictureTruth, make_truth
from tests.made_up_truth import made_up, written

LABELS = ["car", "person", "bus"]


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


@pytest.mark.parametrize("crowds", [True, False])
@pytest.mark.parametrize("elements", [8_000_000, 700])  # at once, and in parts
def test_many_draws_at_a_time_give_what_each_gives(monkeypatch, crowds, elements):
    """The fast way is the one that gates are judged by; the slow one is the one that was compared with COCO's."""
    monkeypatch.setattr(average_precision, "_MOST_ELEMENTS", elements)
    truth, found = made_up(7, pictures=30, crowds=crowds)
    matches, rng = match(truth, found, 3), np.random.default_rng(1)
    draws = rng.integers(0, 4, (25, 30)).astype(float)
    draws[0], draws[1] = 1, 0  # every picture once; none at all
    assert mean_ap_each(matches, draws) == pytest.approx([mean_ap(matches, draw) for draw in draws], abs=1e-6)


def test_an_engine_keeps_all_of_its_own_accuracy():
    """The zero of the gate's scale; an interval around it would be made of rounding."""
    truth, found = made_up(1)
    matches = match(truth, found, 3)
    same = paired_ratio(truth, matches, matches, resamples=50)
    assert (same.ratio.value, same.ratio.low, same.ratio.high) == (1, 1, 1)
    assert same.first_map == same.second_map > 0


def test_a_ratio_of_some_pictures_is_that_of_a_set_of_them(tmp_path):
    """A stratum is judged on its own pictures and no others."""
    truth, found = made_up(5, pictures=40)
    _, worse = made_up(6, pictures=40)
    some = {f"{number}.jpg" for number in range(0, 40, 3)}
    part = make_truth("part", {name: picture for name, picture in truth.pictures.items() if name in some})
    whole = paired_ratio(truth, match(truth, found, 3), match(truth, worse, 3), some, resamples=60)
    alone = paired_ratio(part, match(part, found, 3), match(part, worse, 3), resamples=60)
    assert whole == alone


def test_a_first_engine_that_finds_nothing_makes_no_ratio():
    """0 of 0 must be a figure that nobody takes for 100 %."""
    truth, found = made_up(5)
    nothing = {name: PictureTruth(300, 300, one.objects.select(np.array([], int))) for name, one in found.items()}
    paired = paired_ratio(truth, match(truth, nothing, 3), match(truth, found, 3), resamples=10)
    assert (paired.ratio.value, paired.ratio.low, paired.ratio.high) == (0, 0, 0)


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
