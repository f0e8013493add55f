"""Locks: one holder, who is named, and whose end is theirs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import DeployError
from edgekit.runtime.locks import LockHeldError, device_lock, held, holder_of
from edgekit.runtime.store import Store

ROOT = Path(__file__).resolve().parents[2]
_HOLD = """
import sys, time
from pathlib import Path
from edgekit.runtime.locks import held
with held(Path(sys.argv[1]), "ana@desk, activating street"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds a lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "deploy.lock")], cwd=ROOT, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_the_first_is(tmp_path, holder):
    """Two people, one device: the one who waits wants to know for whom."""
    assert holder_of(tmp_path / "deploy.lock") == f"ana@desk, activating street (process {holder.pid})"
    with pytest.raises(DeployError, match=r"under way: ana@desk, activating street \(process \d+\)"):
        with device_lock(Store(str(tmp_path)), "ben@desk"):
            pass


def test_a_lock_dies_with_its_process(tmp_path, holder):
    """A stale lock file would block a device for ever."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert holder_of(tmp_path / "deploy.lock") == ""
    with device_lock(Store(str(tmp_path)), "ben@desk"):
        assert holder_of(tmp_path / "deploy.lock").startswith("ben@desk")


def test_a_lock_is_waited_for_no_longer_than_asked(tmp_path, holder):
    """A deployment that hangs must not make all others hang."""
    with pytest.raises(LockHeldError):
        with held(tmp_path / "deploy.lock", "ben@desk", wait_s=0.3):
            pass


def test_nobody_holds_what_was_never_locked(tmp_path):
    """Asking creates nothing."""
    assert holder_of(tmp_path / "none.lock") == "" and not list(tmp_path.iterdir())
