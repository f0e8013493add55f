"""What is said of a device that gets more frames than it can work on."""

from __future__ import annotations

import random
import sys
import threading
from dataclasses import dataclass

import pytest

from edgekit.core.overload import LoadWindow, fair_shares, slowest_stage


@dataclass(frozen=True)
class Costs:
    capture_ms: float = 1.0
    preprocess_ms: float = 1.0
    inference_ms: float = 1.0
    decode_ms: float = 1.0


def window_of(rates, seconds=12, inference_ms=50.0):
    """A window after so many seconds; rates: stream -> (taken, left out) frames a second."""
    window = LoadWindow()
    for second in range(seconds + 1):
        window.count(100.0 + second, {name: (int(t * second), int(d * second)) for name, (t, d) in rates.items()})
        window.took(100.0 + second, Costs(inference_ms=inference_ms))
    return window


def test_one_stream_is_told_in_one_sentence():
    """People see a slow picture and no reason."""
    window = window_of({"": (12.4, 17.6)})
    assert window.warning == "12.4 of 30.0 frames a second are taken: the engine is the slowest part"


def test_equal_streams_are_told_together():
    """Sixteen sentences would be read by nobody."""
    window = window_of(dict.fromkeys("abcd", (12.4, 17.6)))
    assert window.warning == (
        "12.4 of 30.0 frames a second are taken of each of 4 streams: the engine is the slowest part"
    )


def test_streams_of_different_rates_are_told_by_their_sum_and_their_spread():
    """A mean would hide that a slow camera loses nothing."""
    window = window_of({"a": (5, 0), "b": (8, 2), "c": (9, 11), "d": (9, 21)})
    assert window.warning == (
        "31.0 of 65.0 frames a second are taken of 4 streams, 5.0 to 9.0 of each: the engine is the slowest part"
    )


@pytest.mark.parametrize("rates", [{"": (30, 0)}, {"": (30, 1)}, {"": (0, 0)}, {"a": (30, 0), "b": (0, 0)}, {}])
def test_all_is_well_without_a_word(rates):
    """One frame lost to jitter, or a camera that is away, is no overload."""
    assert window_of(rates).warning == ""


def test_the_first_seconds_are_no_overload():
    """An engine warms up in them."""
    window = window_of({"": (5, 25)}, seconds=2)
    assert (window.load, window.warning) == (None, "")


def test_only_the_last_ten_seconds_count():
    """An overload of this morning would be told all day, and one that begins now much later."""
    window = LoadWindow()
    taken = left_out = 0
    for second in range(60):
        window.count(float(second), {"": (taken, left_out)})
        taken, left_out = taken + 30, left_out + (30 if second < 40 else 0)
    load = window.load
    assert load is not None
    assert load.seconds == pytest.approx(10.0)
    assert load.streams[0].offered_fps == pytest.approx(30.0)
    assert not load.overloaded


def test_counters_that_begin_again_begin_a_new_window():
    """A service that opens its source again would report a negative rate."""
    window = window_of({"": (10, 20)})
    window.count(200.0, {"": (3, 1)})
    assert window.load is None
    window.count(204.0, {"": (43, 1)})
    load = window.load
    assert load is not None
    assert load.streams[0].taken_fps == pytest.approx(10.0)
    window.count(205.0, {"other": (1, 1)})
    assert window.load is None


def test_a_counter_that_wavers_by_a_few_frames_goes_on():
    """What a pace left out is counted apart, a moment later; every limit for heat would end the window."""
    window = LoadWindow()
    for second in range(12):
        window.count(float(second), {"": (10 * second, 5 - second % 3)})
    load = window.load
    assert load is not None
    assert load.seconds == pytest.approx(10.0)
    assert load.streams[0].offered_fps == pytest.approx(10.0, abs=0.2)
    assert not load.overloaded


def test_fairness_is_the_part_of_its_fair_share_that_the_worst_stream_gets():
    """One camera of four that starves must show as a number."""
    even = window_of({"a": (5, 0), "b": (9, 1), "c": (9, 11), "d": (9, 21)}).load
    assert even is not None
    assert even.fairness == pytest.approx(1.0)
    starved = window_of({"a": (1, 4), "b": (10, 0), "c": (10, 10), "d": (11, 19)}).load
    assert starved is not None
    assert starved.fairness == pytest.approx(0.2)
    assert [stream.fair_fps for stream in starved.streams] == pytest.approx([5.0, 9.0, 9.0, 9.0])


@pytest.mark.parametrize("seed", range(20))
def test_fair_shares_are_those_of_the_max_min_rule(seed):
    """None gets more than it wants, all is given, and who gets less than it wants gets no less than any other."""
    rng = random.Random(seed)
    demands = [rng.choice((0.0, rng.uniform(0, 60))) for _ in range(rng.randint(1, 9))]
    capacity = rng.uniform(0, 1.2) * sum(demands)
    shares = fair_shares(capacity, demands)
    assert sum(shares) == pytest.approx(min(capacity, sum(demands)))
    for share, demand in zip(shares, demands):
        assert share <= demand + 1e-9
        if share < demand - 1e-9:
            assert share >= max(shares) - 1e-9


@pytest.mark.parametrize(
    ("costs", "slowest"),
    [
        (Costs(inference_ms=20.0), "the engine"),
        (Costs(preprocess_ms=20.0), "preprocessing"),
        (Costs(decode_ms=20.0), "decoding"),
        (Costs(capture_ms=90.0, inference_ms=20.0), "the engine"),
    ],
)
def test_the_slowest_stage_is_named(costs, slowest):
    """A bigger engine would be bought where a smaller picture helps."""
    assert slowest_stage([(float(number), costs) for number in range(10)]) == slowest


def test_frames_may_be_told_while_another_thread_asks():
    """The report runs beside the pipeline; an error in it would end the service."""
    window, stop = window_of({"": (12.4, 17.6)}), threading.Event()

    def tell():
        number = 0
        while not stop.is_set():
            number += 1
            window.took(float(number), Costs(inference_ms=50.0))

    thread, interval_s = threading.Thread(target=tell), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        assert {window.slowest for _ in range(2000)} == {"the engine"}
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval_s)


def test_a_batch_is_inferred_once_and_preprocessed_frame_by_frame():
    """At batch 8, preprocessing of 3 ms a frame is slower than an engine of 20 ms a batch."""
    batches = [(float(number // 8), Costs(preprocess_ms=3.0, inference_ms=20.0)) for number in range(80)]
    assert slowest_stage(batches) == "preprocessing"
    assert slowest_stage([(float(number), costs) for number, (_, costs) in enumerate(batches)]) == "the engine"
    assert slowest_stage([]) == ""
