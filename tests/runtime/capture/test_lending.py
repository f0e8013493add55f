"""The child's side of the hand-over."""

from __future__ import annotations

import random
import threading

from edgekit.runtime.capture.lending import Lender


def lender(fps=None):
    lent = []
    return Lender(lambda *picture: lent.append(picture), fps), lent


def test_a_picture_is_lent_as_soon_as_it_comes_once_one_is_wanted():
    """A reader that waits would get each picture one too late."""
    one, lent = lender()
    one.want()
    slot = one.free_slot
    one.publish(64, 48, 5)
    assert [(slot, 1, 64, 48, 5)] == lent


def test_who_asks_late_gets_the_latest_alone():
    """Pictures would grow older with each that was captured meanwhile."""
    one, lent = lender()
    for number in range(1, 6):
        one.publish(64, 48, number)
    one.want()
    one.want()  # there is no newer one
    assert [sequence for _, sequence, *_ in lent] == [5]
    one.publish(64, 48, 6)
    assert [sequence for _, sequence, *_ in lent] == [5, 6]


def test_the_reader_never_fills_the_slot_that_is_lent():
    """The service would see two pictures mixed."""
    one, lent = lender()
    chance = random.Random(5)
    held = None
    for number in range(2000):
        if chance.random() < 0.4:
            before = len(lent)
            one.want()
            held = lent[-1][0] if len(lent) > before else None  # asking gives the slot back
        else:
            assert one.free_slot != held
            before = len(lent)
            one.publish(8, 8, number)
            held = lent[-1][0] if len(lent) > before else held
    sequences = [sequence for _, sequence, *_ in lent]
    assert sequences == sorted(set(sequences)) and len(sequences) > 100


def test_asking_and_filling_at_the_same_time_keep_the_slots_apart():
    """The two threads of a capture process share them."""
    slots = []
    one = Lender(lambda slot, *_: slots.append(slot))
    asking = threading.Event()

    def ask():
        while not asking.is_set():
            one.want()

    thread = threading.Thread(target=ask)
    thread.start()
    for number in range(20000):
        one.publish(8, 8, number)
    asking.set()
    thread.join()
    assert {one._lent, one._latest, one._free} == {0, 1, 2} and slots


def test_pictures_above_the_rate_asked_for_are_left_out():
    """A camera of 60 FPS would cost six times what the user asked for."""
    one, _ = lender(fps=10)
    taken = 0
    for number in range(600):
        at_ns = int(number * 1e9 / 60)
        if one.is_due(at_ns):
            taken += 1
            one.publish(8, 8, at_ns)
    assert 90 <= taken <= 101
