"""Work that frames must not suffer from: builds, checks of engines, and threads that write beside the pipeline."""

from __future__ import annotations

import os
import threading
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


def step_back() -> None:
    """This thread from now on: behind all others for the processors. Where it may not step back, it competes."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
