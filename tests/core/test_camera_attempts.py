"""When a camera that failed is tried again."""

from __future__ import annotations

import random

import pytest

from edgekit.core.backoff import LONGEST_S, SHORTEST_S, SLOW_S
from edgekit.core.camera_attempts import Attempts
from edgekit.core.camera_failures import CameraFailure

REFUSED, PASSWORD, HOST = (CameraFailure(kind, kind) for kind in ("refused", "password", "host"))


class Longest(random.Random):
    """The longest wait there is."""

    def uniform(self, a, b):
        return b


def fail(attempts, failure, started_s=100.0, now_s=100.0, gave_picture=False, ever_gave=False):
    attempts.fail(failure, started_s, now_s, gave_picture=gave_picture, ever_gave=ever_gave)
    return attempts.next_s - now_s


def test_waits_grow_to_a_bound_and_count_from_start_to_start():
    """A camera that boots for a minute is back within seconds of being there; one that hung has waited already."""
    attempts = Attempts(Longest())
    assert [fail(attempts, REFUSED) for _ in range(6)] == [1.0, 2.0, 4.0, LONGEST_S, LONGEST_S, LONGEST_S]
    assert fail(attempts, REFUSED, started_s=94.0) == 2.0
    assert fail(attempts, REFUSED, started_s=50.0) == 0.0


@pytest.mark.parametrize(
    ("failure", "ever_gave", "wait_s"),
    [(PASSWORD, False, 40.0), (PASSWORD, True, 40.0), (HOST, False, 40.0), (HOST, True, 1.0), (REFUSED, False, 1.0)],
)
def test_a_wrong_password_is_tried_slowly_and_a_name_only_if_it_was_never_known(failure, ever_gave, wait_s):
    """Cameras lock accounts; but a name server that is away for a moment must not cost a camera a minute."""
    assert fail(Attempts(Longest()), failure, ever_gave=ever_gave) == wait_s <= SLOW_S[1]


def test_cameras_lost_together_do_not_come_back_at_once():
    """A switch that restarts would be met by sixteen decoders in the same moment."""
    chance = random.Random(5)
    waits_s = {fail(Attempts(chance), REFUSED, started_s=0.0, gave_picture=True, ever_gave=True) for _ in range(16)}
    assert len(waits_s) == 16 and min(waits_s) >= SHORTEST_S


def test_failures_are_forgotten_once_pictures_come_for_a_while():
    """One bad night would make every later hiccup as long as the last of them."""
    attempts = Attempts(Longest())
    for _ in range(5):
        fail(attempts, REFUSED)
    attempts.picture(200.0, 204.0)
    assert attempts.failures == 5
    attempts.picture(200.0, 205.1)
    assert attempts.failures == 0 and fail(attempts, REFUSED) == 1.0
