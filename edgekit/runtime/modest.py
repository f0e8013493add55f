"""Work beside a service that must not suffer from it: builds, and engines that are checked before they may serve."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_NICE = 10
_FIRST_TO_GO = "1000"


def be_modest() -> None:
    """This process from now on: behind the services for the processors, before them when memory runs out.

    Source: proc(5), oom_score_adj.
    """
    os.nice(_NICE)
    with suppress(OSError):  # a container may forbid it
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, "ascii")
