"""What systemd says, in the kit's words; and requests to it as files. The real one: tests/lab/test_activation.py."""

from __future__ import annotations

import os
import threading
import time

import pytest

from edgekit.core.activation import RunStatus
from edgekit.errors import DeployError
from edgekit.runtime import systemd_runner
from edgekit.runtime.store import Store
from edgekit.runtime.systemd_runner import SystemdRunner, parse_journal, parse_status

# `systemctl show` of systemd 252, as virtual Jetsons gave it.
ACTIVE = {"ActiveState": "active", "SubState": "running", "Result": "success", "UnitFileState": "enabled",
          "MainPID": "412", "NRestarts": "1", "Job": "", "ExecMainStatus": "0",
          "ExecMainExitTimestampMonotonic": "0"}  # fmt: skip
WAITS = {**ACTIVE, "ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code", "MainPID": "0"}
FAILED = {**ACTIVE, "ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "MainPID": "0",
          "ExecMainStatus": "3", "ExecMainExitTimestampMonotonic": "8812345"}  # fmt: skip
ENDED = {**ACTIVE, "ActiveState": "inactive", "SubState": "dead", "MainPID": "0",
         "ExecMainExitTimestampMonotonic": "8812345"}  # fmt: skip
STOPPED = {**ENDED, "UnitFileState": "disabled"}
BOOTED = {**ENDED, "ExecMainExitTimestampMonotonic": "0", "Job": "77"}


@pytest.mark.parametrize(
    ("shown", "pending", "status"),
    [
        pytest.param(ACTIVE, False, RunStatus(running=True, restarts=1, pid=412), id="runs"),
        pytest.param(WAITS, False, RunStatus(running=True, restarts=1), id="waits to be started again"),
        pytest.param(FAILED, False, RunStatus(failed=True, restarts=1), id="given up"),
        pytest.param(FAILED, True, RunStatus(running=True, restarts=1), id="given up, and asked for again"),
        pytest.param(ENDED, False, RunStatus(ended=True, restarts=1), id="its source ended"),
        pytest.param(STOPPED, False, RunStatus(wanted=False, ended=True, restarts=1), id="stopped by a person"),
        pytest.param(BOOTED, True, RunStatus(running=True, restarts=1), id="about to start after a boot"),
        pytest.param({}, False, RunStatus(wanted=False), id="never heard of"),
    ],
)
def test_the_states_of_a_unit(shown, pending, status):
    """A service that waits for its next start is not down; one that was asked for is not failed any more."""
    assert parse_status(shown, pending=pending) == status


def test_a_request_is_a_file_with_a_word_that_somebody_takes(tmp_path, monkeypatch):
    """The login user has no right to start anything itself; a strict umask would hide the word from who has."""
    taken = []
    before = os.umask(0o077)

    def take():
        while not (tmp_path / "street").exists():
            time.sleep(0.01)
        taken.append(((tmp_path / "street").read_text(), (tmp_path / "street").stat().st_mode & 0o777))
        (tmp_path / "street").unlink()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        SystemdRunner(Store(str(tmp_path)), tmp_path).restart("street")
    finally:
        os.umask(before)
    thread.join()
    assert taken == [("restart\n", 0o644)] and not list(tmp_path.iterdir())


def test_a_reload_is_a_request_like_the_others(tmp_path):
    """The login user may not signal a process of the services' user."""
    taken = []

    def take():
        while not (tmp_path / "street").exists():
            time.sleep(0.01)
        taken.append((tmp_path / "street").read_text())
        (tmp_path / "street").unlink()

    thread = threading.Thread(target=take)
    thread.start()
    SystemdRunner(Store(str(tmp_path)), tmp_path).reload("street")
    thread.join()
    assert taken == ["reload\n"]


def test_a_request_that_nobody_takes_is_an_error(tmp_path, monkeypatch):
    """A path unit that was masked: the deployment must not end as if all were well."""
    monkeypatch.setattr(systemd_runner, "_TAKEN_WITHIN_S", 0.1)
    with pytest.raises(DeployError, match="nobody took the request to restart street"):
        SystemdRunner(Store(str(tmp_path)), tmp_path).restart("street")


def test_a_device_without_the_folder_of_requests_says_provision(tmp_path):
    """A file system of before, or `provision --undo`."""
    with pytest.raises(DeployError) as refusal:
        SystemdRunner(Store(str(tmp_path)), tmp_path / "requests").restart("street")
    assert refusal.value.hint == "edgekit provision"


def test_a_log_ends_with_its_cursor():
    """`logs -f` asks for what follows it."""
    answer = parse_journal("2026-11-20 street: 15 FPS\n-- cursor: s=ab;i=7\n", "")
    assert (answer.text, answer.cursor) == ("2026-11-20 street: 15 FPS\n", "s=ab;i=7")
    assert parse_journal("", "s=ab;i=7").cursor == "s=ab;i=7"
