"""How long a camera is waited for, and when it is tried again. The clock is the caller's; any that never goes back."""

from __future__ import annotations

import random
from dataclasses import dataclass

from edgekit.core.backoff import retry_delay_s
from edgekit.core.camera_failures import CameraFailure

_STABLE_S = 5.0  # pictures for this long, and the failures before are forgotten


@dataclass(frozen=True)
class Patience:
    """How long a capture process may take, in seconds, before it is killed.

    start_s: until it has loaded its libraries; GStreamer's first start looks through all its plugins. open_s: from then
    to the camera's answer. first_s: from there to a picture, which waits for the stream's next key frame. close_s: to
    give a CSI sensor back.
    """

    start_s: float = 20.0
    open_s: float = 6.0
    first_s: float = 15.0
    close_s: float = 1.0


class Attempts:
    """The attempts at one camera: how many failed since it last was steady, and when the next is due.

    Delays count from start to start: an attempt that hung has waited already.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.failures = 0
        self.next_s = 0.0

    def picture(self, first_s: float, now_s: float) -> None:
        """Another picture came of an attempt whose first came at `first_s`."""
        if now_s - first_s > _STABLE_S:
            self.failures = 0

    def fail(
        self, failure: CameraFailure, started_s: float, now_s: float, *, gave_picture: bool, ever_gave: bool
    ) -> None:
        """An attempt ended. gave_picture: after it had shown something; ever_gave: it or one before it had."""
        self.failures += 1
        # A name that was known before is a name server that is away, or a damaged answer.
        slow = failure.is_slow and (failure.kind == "password" or not ever_gave)
        self.next_s = max(now_s, started_s + retry_delay_s(self.failures, self._chance, slow))
        if gave_picture:
            # It may have been due long ago; cameras that were lost together must still not come back at once.
            self.next_s = max(self.next_s, now_s + retry_delay_s(1, self._chance))
