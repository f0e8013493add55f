"""Lanes: several streams into one consumer, none lost without being counted, none starved."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest

from edgekit.runtime.handover import EndOfStream
from edgekit.runtime.lanes import Lanes

SOON_S = 5.0


def lanes_of(*names, latest=True, capacity=1):
    lanes = Lanes()
    return (lanes, *[lanes.add(name, latest=latest, capacity=capacity) for name in names])


def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def assert_ends(thread):
    thread.join(SOON_S)
    assert not thread.is_alive(), "a thread still waits"


def drain(lanes):
    items = []
    while True:
        try:
            items.append(lanes.get())
        except EndOfStream:
            return items


def test_the_latest_item_replaces_older_ones_of_its_own_stream_and_counts_them():
    """A slow consumer would see old frames, or one camera's frames would be dropped for another's."""
    lanes, front, back = lanes_of("front", "back")
    back.put("b0")
    for number in range(10):
        front.put(f"f{number}")
    assert [lanes.get(), lanes.get()] == ["b0", "f9"]
    assert lanes.dropped == {"front": 9, "back": 0}


def test_a_lane_keeps_its_turn_while_newer_items_replace_the_one_that_waits():
    """By age alone a fast camera would never be the oldest, and never served."""
    lanes, fast, slow = lanes_of("fast", "slow")
    fast.put("fast 0")
    slow.put("slow 0")
    fast.put("fast 1")
    assert lanes.get() == "fast 1"


@pytest.mark.parametrize("latest", [True, False])
def test_no_stream_starves_however_fast_the_others_are(latest):
    """One camera of eight would not be watched, and nobody would notice."""
    names = [str(number) for number in range(8)]
    lanes, *producers = lanes_of(*names, latest=latest)

    def produce(producer):
        while producer.put(producer.name):
            if producer.name == "7":
                time.sleep(0.001)  # one slow among the fast

    threads = [in_thread(lambda producer=producer: produce(producer)) for producer in producers]
    taken = []
    while len(taken) < 400:
        taken.append(lanes.get())
        time.sleep(0.001)
    lanes.close()
    for thread in threads:
        assert_ends(thread)
    counts = Counter(taken[8:])
    assert min(counts[name] for name in names) >= 0.5 * 400 / 8, counts


def test_nothing_is_unaccounted_for():
    """A camera thread that waits drops frames in the driver, where nobody counts them."""
    lanes, *producers = lanes_of("a", "b", "c")
    total = 5000

    def produce(producer):
        for number in range(total):
            producer.put((producer.name, number))
        producer.finish()

    threads = [in_thread(lambda producer=producer: produce(producer)) for producer in producers]
    taken = drain(lanes)
    for thread in threads:
        assert_ends(thread)
    for name in "abc":
        numbers = [number for stream, number in taken if stream == name]
        assert numbers == sorted(set(numbers))
        assert total == len(numbers) + lanes.dropped[name]


def test_waiting_lanes_lose_nothing_and_keep_their_order():
    """Videos would lose frames because there are two of them."""
    lanes, *producers = lanes_of("a", "b", latest=False, capacity=2)

    def produce(producer):
        for number in range(2000):
            assert producer.put((producer.name, number))
        producer.finish()

    threads = [in_thread(lambda producer=producer: produce(producer)) for producer in producers]
    taken = drain(lanes)
    for thread in threads:
        assert_ends(thread)
    assert [[number for name, number in taken if name == stream] for stream in "ab"] == [list(range(2000))] * 2
    assert lanes.dropped == {"a": 0, "b": 0}


def test_take_ready_never_waits():
    """A batch would wait for the slowest camera."""
    lanes, front, _ = lanes_of("front", "back")
    assert lanes.take_ready() is None
    front.put("frame")
    assert lanes.take_ready() == "frame"
    assert lanes.take_ready() is None
    front.finish(OSError("unplugged"))
    assert lanes.take_ready() is None


def test_a_live_stream_that_fails_leaves_the_others_running():
    """One loose cable would end the watch of all cameras."""
    lanes, front, back = lanes_of("front", "back")
    failure = OSError("unplugged")
    front.finish(failure)
    back.put("b0")
    assert lanes.get() == "b0"
    back.put("b1")
    back.finish()
    assert lanes.get() == "b1"
    with pytest.raises(EndOfStream):
        lanes.get()
    assert lanes.failures == (("front", failure),)


def test_when_every_live_stream_failed_the_error_comes():
    """A run without a single camera would look as if it had ended well."""
    lanes, front, back = lanes_of("front", "back")
    failure = OSError("unplugged")
    front.finish(failure)
    back.finish(OSError("burnt"))
    for _ in range(2):
        with pytest.raises(OSError) as caught:
            lanes.get()
        assert failure is caught.value


def test_a_file_that_fails_ends_all_after_its_own_items():
    """A cut video would pass for a whole one; or its last good frames would be lost."""
    lanes, front, back = lanes_of("front", "back", latest=False)
    front.put("f0")
    back.put("b0")
    back.finish(OSError("cut short"))
    assert [lanes.get(), lanes.get()] == ["f0", "b0"]
    front.put("f1")
    with pytest.raises(OSError, match="cut short"):
        lanes.get()


def test_a_capacity_below_one_is_our_own_mistake():
    """Such a lane could never pass anything."""
    with pytest.raises(ValueError, match="at least 1"):
        Lanes().add("", latest=False, capacity=0)


@pytest.mark.parametrize("seed", range(20))
def test_random_endings_on_either_side_never_hang(seed):
    """A lost wake-up shows only in rare interleavings; this tries many of them."""
    rng = random.Random(seed)
    lanes = Lanes()
    producers = [lanes.add(str(number), latest=rng.random() < 0.5) for number in range(rng.randint(1, 4))]
    counts = [rng.randint(0, 200) for _ in producers]
    fails = [rng.random() < 0.3 for _ in producers]
    wanted = rng.randint(0, 400)

    def produce(index):
        for number in range(counts[index]):
            if not producers[index].put(number):
                break
        producers[index].finish(RuntimeError("source") if fails[index] else None)

    def consume():
        try:
            for _ in range(wanted):
                lanes.take_ready() if rng.random() < 0.3 else lanes.get()
        except (RuntimeError, EndOfStream):
            pass
        lanes.close()

    threads = [in_thread(lambda index=index: produce(index)) for index in range(len(producers))]
    for thread in [*threads, in_thread(consume)]:
        assert_ends(thread)
