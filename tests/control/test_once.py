"""What twenty devices need from this machine is made once."""

from __future__ import annotations

import threading
import time

import pytest

from edgekit.control.once import Once


def test_one_makes_it_while_the_others_wait():
    """Twenty devices that each prepare the same model on the host would take twenty times as long."""
    made, found, once = [], [], Once()

    def make():
        made.append(threading.get_ident())
        time.sleep(0.05)
        return object()

    threads = [threading.Thread(target=lambda: found.append(once.get("model", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(set(map(id, found))) == 1 and len(found) == 8


def test_other_keys_do_not_wait():
    """A set that takes minutes to draw must not hold up a device that wants another."""
    once, other_done = Once(), threading.Event()
    slow = threading.Thread(target=lambda: once.get("slow", lambda: other_done.wait(5.0)))
    slow.start()
    assert once.get("other", lambda: "made") == "made"
    other_done.set()
    slow.join()
    assert once.get("slow", lambda: False) is True


def test_a_failure_is_tried_again_by_the_next():
    """A full disk that was freed meanwhile must not be reported nineteen times more."""
    once, answers = Once(), iter([ValueError("full"), "made"])

    def make():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ValueError, match="full"):
        once.get("set", make)
    assert once.get("set", make) == "made"
