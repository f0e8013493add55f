"""Numbers that stay with their objects: through gaps, jitter, crossings, class flips and irregular frames."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.association import assign, canonical_order, iou
from edgekit.core.detections import Detections
from edgekit.core.kalman import Motion
from edgekit.core.tracking import Tracker, TrackingSettings, frame_time_s
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError

CAR, TRUCK, PERSON = 0, 1, 5


def found(*boxes, score=0.9, class_id=CAR):
    """Detections of one score and class."""
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, score, np.float32),
        np.full(count, class_id, np.int32),
    )


def box_at(x, y=100.0, side=60.0):
    return (x, y, x + side, y + side)


def follow(tracker, frames, fps=15.0, start_s=0.0):
    """The tracks after each frame; a frame is a list of boxes."""
    return [tracker.update(found(*boxes), start_s + index / fps) for index, boxes in enumerate(frames)]


def crowd(seed, frames=40, objects=8, fps=15.0):
    """Frames of boxes that move straight on, with jitter and a fifth of them missing."""
    rng = np.random.default_rng(seed)
    corner, speed = rng.uniform(0, 900, (objects, 2)), rng.normal(0, 60, (objects, 2))
    side = rng.uniform(30, 120, (objects, 2))
    for index in range(frames):
        low = corner + speed * index / fps + rng.normal(0, 1.5, (objects, 2))
        boxes = np.concatenate([low, low + side], axis=1).astype(np.float32)
        seen = rng.random(objects) > 0.2
        scores = rng.uniform(0.2, 0.95, objects).astype(np.float32)
        yield Detections(boxes[seen], scores[seen], np.arange(objects, dtype=np.int32)[seen] % 3), index / fps


def test_an_object_keeps_its_number_while_it_moves():
    """A number for every frame would make each car a hundred cars."""
    tracks = follow(Tracker(), [[box_at(10 + 12 * index)] for index in range(30)])
    assert [list(each.ids) for each in tracks] == [[]] + [[1]] * 29
    assert [bool(each.is_new.any()) for each in tracks] == [False, True] + [False] * 28
    assert tracks[-1].boxes_xyxy.tolist() == [list(box_at(10 + 12 * 29))]
    assert tracks[-1].ages_s.tolist() == pytest.approx([29 / 15])


def test_two_that_pass_each_other_keep_their_numbers():
    """Motion tells apart who overlaps: after the meeting each goes on with its own."""
    frames = [[box_at(100 + 16 * index), box_at(580 - 16 * index, y=115)] for index in range(30)]
    tracks = follow(Tracker(), frames)
    at_first = dict(zip(tracks[1].ids.tolist(), tracks[1].boxes_xyxy[:, 1].tolist()))
    at_last = dict(zip(tracks[-1].ids.tolist(), tracks[-1].boxes_xyxy[:, 1].tolist()))
    assert sorted(at_first) == [1, 2]
    assert at_last == at_first


@pytest.mark.parametrize("fps", [5.0, 15.0, 30.0])
@pytest.mark.parametrize("gap_s", [0.5, 1.0, 2.5])
def test_a_still_object_keeps_its_number_through_missing_detections(fps, gap_s):
    """What a pole hides for a moment is not someone new."""
    tracker = Tracker()
    follow(tracker, [[box_at(100)]] * 5, fps)
    hidden = follow(tracker, [[]] * int(gap_s * fps), fps, start_s=5 / fps)
    back = tracker.update(found(box_at(101)), 5 / fps + gap_s)
    assert list(hidden[-1].ids) == [1]
    assert hidden[-1].unseen_s[0] > 0
    assert hidden[-1].rows.tolist() == [-1]
    assert list(back.ids) == [1]


def test_a_moving_object_is_expected_where_it_went():
    """Ten frames behind a wall at 12 px a frame: the box that comes out overlaps the last one seen not at all."""
    frames = [[box_at(10 + 12 * index)] for index in range(20)] + [[]] * 10 + [[box_at(10 + 12 * 30)]]
    tracks = follow(Tracker(), frames)
    assert list(tracks[-1].ids) == [1]
    assert tracks[-2].boxes_xyxy[0, 0] == pytest.approx(10 + 12 * 29, abs=6)


def test_a_number_is_never_given_again():
    """Who is gone for longer than lost_s has ended, and who comes then is someone else, at the same place or not."""
    tracker = Tracker(TrackingSettings(lost_s=1.0))
    follow(tracker, [[box_at(100)]] * 3, fps=10)
    gone = tracker.update(found(), 1.3)
    again = follow(tracker, [[box_at(100)]] * 3, fps=10, start_s=1.4)
    assert (list(gone.ids), gone.ended) == ([], (1,))
    assert list(again[-1].ids) == [2]
    assert again[-1].ended == ()


def test_a_gap_in_the_frames_counts_by_time_and_not_by_frames():
    """A camera that stood still for a minute says nothing of who is there now; one late frame of 0.8 s does."""
    tracker = Tracker()
    follow(tracker, [[box_at(100)]] * 3)
    assert list(tracker.update(found(box_at(100)), 1.0).ids) == [1]
    late = tracker.update(found(box_at(100)), 61.0)
    assert (list(late.ids), late.ended) == ([], (1,))


def test_irregular_frames_give_the_speed_that_regular_ones_give():
    """Frames are dropped under load just when much is going on."""
    times = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.2, 40))
    tracker = Tracker()
    for now_s in times:
        tracks = tracker.update(found(box_at(10 + 150 * float(now_s))), float(now_s))
        assert len(tracks) <= 1
    assert list(tracks.ids) == [1]
    ahead = tracker.update(found(), float(times[-1]) + 0.5)
    assert ahead.boxes_xyxy[0, 0] == pytest.approx(10 + 150 * (float(times[-1]) + 0.5), abs=8)


def test_unsure_detections_continue_an_object_and_never_begin_one():
    """ByteTrack's point: a half-hidden car scores 0.3, and so does a shadow."""
    tracker = Tracker()
    follow(tracker, [[box_at(100)]] * 3)
    weak = [tracker.update(found(box_at(100), box_at(500), score=0.3), 0.2 + index / 15) for index in range(60)]
    assert list(weak[-1].ids) == [1]
    assert weak[-1].unseen_s.tolist() == [0.0]
    assert weak[-1].scores.tolist() == pytest.approx([0.3])
    assert not len(Tracker(TrackingSettings(confirm_frames=1)).update(found(box_at(100), score=0.3), 0.0))


def test_a_sure_detection_goes_before_an_unsure_one():
    """Of a sure and an unsure box on one object the sure one is it, also where the other overlaps more."""
    tracker = Tracker()
    follow(tracker, [[box_at(100)]] * 3)
    both = Detections(
        np.array([box_at(100), box_at(115)], np.float32), np.array([0.3, 0.9], np.float32), np.zeros(2, np.int32)
    )
    assert tracker.update(both, 0.2).rows.tolist() == [1]


def test_what_was_seen_once_is_not_reported():
    """One flicker of the detector is no object, and takes no number."""
    tracks = follow(Tracker(), [[box_at(100), box_at(500)], [box_at(100)], [box_at(100)]])
    assert [list(each.ids) for each in tracks] == [[], [1], [1]]


def test_the_class_is_what_most_of_the_detections_say():
    """A van that is a truck in every third frame is one van."""
    tracker = Tracker()
    for index in range(30):
        tracks = tracker.update(found(box_at(100), class_id=TRUCK if index % 3 == 2 else CAR), index / 15)
    assert (tracks.ids.tolist(), tracks.class_ids.tolist()) == ([1], [CAR])


def test_a_new_class_is_believed_in_the_end():
    """Votes fade, so that an early mistake does not stay for a day."""
    tracker = Tracker()
    for index in range(500):
        tracks = tracker.update(found(box_at(100), class_id=TRUCK if index < 300 else CAR), index / 15)
    assert (tracks.ids.tolist(), tracks.class_ids.tolist()) == ([1], [CAR])


def test_of_two_boxes_on_one_place_the_one_of_the_same_class_is_it():
    """A person who walks in front of a bus does not become the bus."""
    tracker = Tracker()
    follow(tracker, [[box_at(100)]] * 3)
    both = Detections(
        np.array([box_at(102), box_at(106)], np.float32),
        np.array([0.9, 0.9], np.float32),
        np.array([PERSON, CAR], np.int32),
    )
    assert tracker.update(both, 0.2).rows.tolist() == [1]


def test_rows_say_which_detection_an_object_is():
    """Sinks and the page write the number beside the box that was detected."""
    tracker = Tracker()
    follow(tracker, [[box_at(100), box_at(400)]] * 3)
    tracks = tracker.update(found(box_at(700), box_at(400), box_at(100)), 0.2)
    boxes = {int(number): tracks.boxes_xyxy[row, 0] for row, number in enumerate(tracks.ids)}
    assert tracks.ids_of(3).tolist()[0] == 0
    assert [boxes[number] for number in tracks.ids_of(3).tolist()[1:]] == [400, 100]


def test_no_more_are_followed_than_the_limit_and_that_is_counted():
    """A picture full of noise must not fill the memory, nor pass in silence."""
    tracker = Tracker(TrackingSettings(max_objects=5, confirm_frames=1))
    boxes = [box_at(100 * index) for index in range(8)]
    for index in range(4):
        tracks = tracker.update(found(*boxes), index / 15)
    assert len(tracks) == 5
    assert tracker.refused == 12


def test_memory_stays_the_same_over_a_hundred_thousand_boxes_of_noise():
    """A service runs for months."""
    tracker, rng = Tracker(TrackingSettings(confirm_frames=1, lost_s=0.5)), np.random.default_rng(2)
    most = 0
    for index in range(500):
        corner = rng.uniform(0, 5000, (200, 2))
        boxes = np.concatenate([corner, corner + 20], axis=1)
        most = max(most, len(tracker.update(found(*boxes), index / 15)))
    assert most <= TrackingSettings().max_objects
    assert len(tracker.update(found(), 1e6)) == 0


def test_boxes_without_an_area_or_that_are_no_numbers_are_left_out():
    """One such box must not spoil the others' motion for good."""
    tracker = Tracker(TrackingSettings(confirm_frames=1))
    bad = [(5, 5, 5, 20), (9, 9, 3, 3), (float("nan"), 0, 4, 4), (0, 0, float("inf"), 9)]
    for index in range(3):
        tracks = tracker.update(found(box_at(100), *bad), index / 15)
    assert tracks.ids.tolist() == [1]
    assert np.isfinite(tracks.boxes_xyxy).all()


def test_two_frames_of_one_time_are_taken_and_a_clock_that_goes_back_is_refused():
    """Batches may carry one time stamp; a clock that goes back is our own mistake."""
    tracker = Tracker()
    for _ in range(2):
        tracks = tracker.update(found(box_at(100)), 7.0)
    assert tracks.ids.tolist() == [1]
    with pytest.raises(ValueError, match="after one of"):
        tracker.update(found(), 6.9)


def test_a_file_that_begins_again_goes_on_with_new_numbers():
    """Its times begin at 0 once more, and its last picture has nothing to do with its first."""
    tracker = Tracker()
    follow(tracker, [[box_at(100)]] * 3, start_s=50.0)
    tracker.restart()
    assert [list(each.ids) for each in follow(tracker, [[box_at(100)]] * 3)] == [[], [2], [2]]


def test_frames_of_a_file_have_its_own_time():
    """Read at ten times its speed, a minute of video must not look like six seconds."""
    assert frame_time_s(30, 1000.5, live=False, fps=15.0) == 2.0
    assert frame_time_s(30, 1000.5, live=True, fps=15.0) == 1000.5
    assert frame_time_s(30, 1000.5, live=False, fps=None) == 1000.5


def test_new_settings_keep_the_numbers():
    """Thresholds are changed while a camera runs."""
    tracker = Tracker()
    follow(tracker, [[box_at(100)]] * 3)
    tracker.reload(TrackingSettings(sure_score=0.8, unsure_score=0.6))
    assert tracker.update(found(box_at(100), score=0.7), 0.2).ids.tolist() == [1]
    assert tracker.update(found(box_at(100), score=0.5), 0.3).rows.tolist() == [-1]


def test_settings_come_over_the_wire_and_say_all_that_is_wrong():
    """A typing error in a settings file must not surface as odd tracks."""
    settings = TrackingSettings(sure_score=0.4)
    assert from_wire(TrackingSettings, to_wire(settings)) == settings
    with pytest.raises(ConfigError) as caught:
        from_wire(TrackingSettings, {"min_iou": 1.5, "lost_s": 0, "confirm_frames": 0}, "settings.tracking")
    assert all(name in caught.value.why for name in ("settings.tracking", "min_iou", "lost_s", "confirm_frames"))
    with pytest.raises(ValueError, match="unsure_score: expected at most sure_score"):
        TrackingSettings(sure_score=0.2, unsure_score=0.3)


def test_overlap_is_as_by_hand():
    """Half of one box in the other: 50 shared of 150 covered."""
    assert iou(np.array([[0, 0, 10, 10.0]]), np.array([[5, 0, 15, 10.0], [20, 0, 30, 10]])).tolist() == [[1 / 3, 0.0]]


def test_assignment_takes_the_largest_first_and_leaves_pairs_alone():
    """Of three with two boxes the one that overlaps least goes without."""
    overlap = np.array([[0.5, 0.6], [0.9, 0.7], [0.3, 0.8]])
    rows = np.array([-1, -1, -1])
    assign(overlap, np.ones(3, bool), np.ones(2, bool), 0.2, rows)
    assert rows.tolist() == [-1, 0, 1]
    assign(overlap, np.ones(3, bool), np.ones(2, bool), 0.2, rows)
    assert rows.tolist() == [-1, 0, 1]


def test_the_filter_finds_speed_and_growth():
    """A car that comes nearer grows: its box half a second ahead is larger."""
    boxes = [np.array([[100 + 4 * k, 50, 160 + 6 * k, 90 + k]], np.float32) for k in range(40)]
    motion = Motion.of(boxes[0])
    for box in boxes[1:]:
        motion.advance(1 / 15)
        motion.correct(np.array([0]), box)
    motion.advance(0.5)
    expected = [100 + 4 * 46.5, 50, 160 + 6 * 46.5, 90 + 46.5]
    assert motion.boxes_xyxy[0].tolist() == pytest.approx(expected, abs=3)


def test_two_short_steps_predict_what_one_long_step_does():
    """Otherwise a dropped frame would change where an object is looked for."""
    box = np.array([[10, 10, 50, 80]], np.float32)
    one, two = Motion.of(box), Motion.of(box)
    for motion in (one, two):
        motion.velocity[:] = (30, -10, 4, 0)
        motion.velocity_variance[:] = 0
    one.advance(0.4)
    two.advance(0.2)
    two.advance(0.2)
    assert two.boxes_xyxy == pytest.approx(one.boxes_xyxy)
    # The noise follows the box's size, which changed a little on the way.
    assert two.place_variance == pytest.approx(one.place_variance, rel=0.02)


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_the_detections_says_nothing(seed):
    """Two back ends may order their boxes differently; the numbers must be the same."""
    rng = np.random.default_rng(seed)
    straight, shuffled = Tracker(), Tracker()
    for detections, now_s in crowd(seed):
        order = rng.permutation(len(detections))
        expected, actual = straight.update(detections, now_s), shuffled.update(detections.select(order), now_s)
        assert actual.ids.tolist() == expected.ids.tolist()
        assert actual.boxes_xyxy.tolist() == expected.boxes_xyxy.tolist()
        assert actual.ids_of(len(detections)).tolist() == expected.ids_of(len(detections))[order].tolist()


@pytest.mark.parametrize("seed", range(10))
def test_numbers_are_unique_in_a_frame_and_rise_in_a_run(seed):
    """Two objects of one number would be one object to everyone downstream."""
    tracker, last, ended = Tracker(), 0, set()
    for detections, now_s in crowd(seed, frames=80):
        tracks = tracker.update(detections, now_s)
        numbers, rows = tracks.ids.tolist(), tracks.rows[tracks.seen].tolist()
        ended.update(tracks.ended)
        new = tracks.ids[tracks.is_new].tolist()
        assert numbers == sorted(set(numbers))
        assert len(rows) == len(set(rows))
        assert not ended & set(numbers)
        assert all(number > last for number in new)
        last = max([last, *new])


def test_hypothesis_finds_no_frames_that_break_the_tracker():
    """Any boxes, scores, classes and gaps: no error, unique numbers, finite boxes, the same in any order."""
    hypothesis = pytest.importorskip("hypothesis")
    strategies = pytest.importorskip("hypothesis.strategies")
    number = strategies.floats(-100, 2000, width=32)
    row = strategies.tuples(strategies.tuples(number, number, number, number), strategies.floats(0, 1, width=32))
    frame = strategies.tuples(strategies.lists(row, max_size=6), strategies.floats(0, 4))

    @hypothesis.settings(max_examples=150, deadline=None, database=None)
    @hypothesis.given(strategies.lists(frame, max_size=8), strategies.randoms(use_true_random=False))
    def look(frames, rng):
        straight, shuffled, now_s = Tracker(), Tracker(), 0.0
        for rows, gap_s in frames:
            now_s += gap_s
            results = []
            for tracker in (straight, shuffled):
                detections = Detections(
                    np.array([box for box, _ in rows], np.float32).reshape(-1, 4),
                    np.array([score for _, score in rows], np.float32),
                    np.zeros(len(rows), np.int32),
                )
                results.append(tracker.update(detections, now_s))
                rng.shuffle(rows)
            expected, actual = results
            assert len(set(expected.ids.tolist())) == len(expected)
            assert np.isfinite(expected.boxes_xyxy).all()
            assert actual.ids.tolist() == expected.ids.tolist()
            assert actual.boxes_xyxy.tolist() == expected.boxes_xyxy.tolist()

    look()


def test_canonical_order_puts_the_surest_first():
    """New numbers are given in this order where there is not room for all."""
    detections = Detections(
        np.array([box_at(1), box_at(2), box_at(3)], np.float32),
        np.array([0.4, 0.9, 0.05], np.float32),
        np.zeros(3, int),
    )
    assert canonical_order(detections, 0.1).tolist() == [1, 0]
