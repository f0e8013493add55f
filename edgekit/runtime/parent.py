"""Ending with the process that started this one, also when that is killed without a chance to say so."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def end_with_parent(signal_number: int = signal.SIGTERM) -> None:
    """Be sent a signal as soon as the process that started this one is gone; at once if it is gone already.

    Nothing for a child of process 1: systemd ends its services by itself. Source: prctl(2), PR_SET_PDEATHSIG; the
    parent's thread that forked counts as the parent.
    """
    parent = os.getppid()
    if parent == 1:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number)) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)
