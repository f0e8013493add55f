"""Hand-overs between threads, and a lane as the simplest of them: nothing lost, nothing hangs, errors arrive."""

from __future__ import annotations

import random
import threading
import time

import pytest

from edgekit.runtime.handover import Changed, EndOfStream, Handover
from edgekit.runtime.lanes import Lanes

SOON_S = 5.0


def one_handover():
    handover = Handover(1)
    return handover, handover


def one_latest_lane():
    lanes = Lanes()
    return lanes, lanes.add("", latest=True)


def one_waiting_lane():
    lanes = Lanes()
    return lanes, lanes.add("", latest=False)


def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def assert_ends(thread):
    thread.join(SOON_S)
    assert not thread.is_alive(), "a thread still waits"


@pytest.mark.parametrize("capacity", [1, 2, 7])
def test_a_hand_over_delivers_every_item_in_order(capacity):
    """A video would lose or swap frames."""
    handover = Handover(capacity)

    def produce():
        for number in range(5000):
            assert handover.put(number)
        handover.finish()

    producer = in_thread(produce)
    assert list(range(5000)) == list(handover)
    assert_ends(producer)


def test_a_producer_waits_while_the_hand_over_is_full():
    """Memory would grow with the length of the video."""
    handover = Handover(2)
    put = []

    def produce():
        for number in range(5):
            handover.put(number)
            put.append(number)

    producer = in_thread(produce)
    time.sleep(0.1)
    assert put == [0, 1]
    assert [handover.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert_ends(producer)


@pytest.mark.parametrize("make", [one_handover, one_latest_lane, one_waiting_lane])
def test_items_before_an_error_arrive_and_then_the_error_itself(make):
    """The caller would see an unrelated failure, or lose frames that were fine."""
    handover, producer = make()
    failure = OSError("camera unplugged")
    producer.put("frame")
    producer.finish(failure)
    assert handover.get() == "frame"
    for _ in range(2):
        with pytest.raises(OSError) as caught:
            handover.get()
        assert failure is caught.value


@pytest.mark.parametrize("make", [one_handover, one_latest_lane, one_waiting_lane])
def test_closing_wakes_a_waiting_consumer_and_refuses_later_items(make):
    """Ctrl-C would hang."""
    handover, producer = make()
    ended = []

    def consume():
        with pytest.raises(EndOfStream):
            handover.get()
        ended.append(True)

    consumer = in_thread(consume)
    time.sleep(0.02)
    handover.close()
    assert_ends(consumer)
    assert ended == [True]
    assert not producer.put("late")


def test_closing_wakes_a_producer_that_waits_for_room():
    """A consumer that gives up would leave the capture thread behind."""
    handover = Handover(1)
    handover.put("first")
    answers = []
    producer = in_thread(lambda: answers.append(handover.put("second")))
    time.sleep(0.02)
    handover.close()
    assert_ends(producer)
    assert answers == [False]


def test_a_capacity_below_one_is_our_own_mistake():
    """Such a hand-over could never pass anything."""
    with pytest.raises(ValueError, match="at least 1"):
        Handover(0)


def test_a_signal_in_the_middle_of_waking_somebody_breaks_no_later_wake_up():
    """On JetPack 5, Ctrl-C would now and then end in a fault of our own, and the files written so far would go."""
    changed = Changed()
    woken = []

    def wait(name):
        with changed:
            woken.append(changed.wait(SOON_S) and name)

    threads = [in_thread(lambda: wait("first")), in_thread(lambda: wait("second"))]
    while len(changed._waiters) < 2:
        time.sleep(0.001)
    with changed:
        changed._waiters[0].release()  # as far as `notify` came when the signal arrived
        changed.notify_all()
        changed.notify_all()
    for thread in threads:
        assert_ends(thread)
    assert sorted(woken) == ["first", "second"]


@pytest.mark.parametrize("seed", range(20))
def test_random_endings_on_either_side_never_hang(seed):
    """A lost wake-up shows only in rare interleavings; this tries many of them."""
    rng = random.Random(seed)
    first, second = Handover(rng.randint(1, 3)), Handover(1)
    produced, consumed = rng.randint(0, 300), rng.randint(0, 300)

    def produce():
        for number in range(produced):
            if not first.put(number):
                break
        first.finish(RuntimeError("source") if rng.random() < 0.5 else None)

    def relay():
        failure = None
        try:
            for item in first:
                if not second.put(item):
                    break
        except RuntimeError as error:
            failure = error
        second.finish(failure)
        first.close()

    def consume():
        try:
            for count, _ in enumerate(second):
                if count >= consumed:
                    break
        except RuntimeError:
            pass
        second.close()

    for thread in [in_thread(work) for work in (produce, relay, consume)]:
        assert_ends(thread)
