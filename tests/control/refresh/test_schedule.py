"""Timers of `edgekit refresh --schedule`: text that systemd takes for what was meant, judged by systemd itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.control.project import Project
from edgekit.control.refresh.schedule import install, plan_schedule, quoted, remove, run_command, unit_name
from edgekit.errors import UsageError

judged_by_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


class Told:
    """A systemd that says yes, or that no user manager runs; what it was asked is kept."""

    def __init__(self, *, manager=True, linger=True):
        self.asked, self._manager, self._linger = [], manager, linger

    def __call__(self, argv):
        self.asked.append(list(argv))
        if argv[0] == "systemd-analyze":
            return run_command(argv)
        if argv[0] == "loginctl":
            return 0, "Linger=yes" if self._linger else "Linger=no"
        return (0, "") if self._manager else (1, "Failed to connect to bus")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """In a folder whose name holds all that unit files and shells treat specially."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / 'a "b" $HOME 50% \\x'
    root.mkdir()
    return Project(root)


def units(schedule):
    return {path.suffix: text for path, text in schedule.units.items()}


@judged_by_systemd
def test_systemd_accepts_the_units_and_reads_the_paths_as_they_are(project):
    """A folder with a blank or a per cent sign would start another command, or none."""
    schedule = plan_schedule(project, "gate-1", "weekly", ["--size", "300"])
    assert schedule.next
    for path, text in schedule.units.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    words = [str(path) for path in schedule.units]
    done = subprocess.run(["systemd-analyze", "--user", "verify", *words], capture_output=True, text=True, check=False)
    assert schedule.service not in done.stderr, done.stderr
    assert schedule.timer not in done.stderr, done.stderr
    command = next(line for line in units(schedule)[".service"].splitlines() if line.startswith("ExecStart="))
    assert command.startswith(f'ExecStart="{sys.executable}" "-m" "edgekit" "--project" ')
    assert command.endswith('"refresh" "--device" "gate-1" "--yes" "--size" "300"')


def test_what_systemd_would_expand_is_escaped():
    """$HOME in a path is two folders, not somebody's home."""
    assert quoted('a "b" $HOME 50% \\x') == '"a \\"b\\" $$HOME 50%% \\\\x"'


def test_the_timer_makes_up_for_a_machine_that_was_off_and_spreads_devices(project):
    """Twenty refreshes at one minute past midnight would be one machine's night; a laptop would never refresh."""
    text = units(plan_schedule(project, "gate-1", "daily"))[".timer"]
    assert "Persistent=true" in text
    assert "RandomizedDelaySec=" in text
    assert "OnCalendar=daily\n" in text


@judged_by_systemd
@pytest.mark.parametrize("when", ["every sunday", "Sun 25:00", ""])
def test_a_time_that_systemd_does_not_know_is_refused(project, when):
    """The timer would never run, and nobody would be told."""
    with pytest.raises(UsageError):
        plan_schedule(project, "gate-1", when)


@pytest.mark.parametrize("when", ["daily\nExecStart=/bin/sh", "daily\tx", "weekly;rm", "%h"])
def test_a_time_cannot_bring_settings_of_its_own(project, when):
    """A line feed would begin another setting."""
    with pytest.raises(UsageError, match="is no time"):
        plan_schedule(project, "gate-1", when)


def test_installing_starts_the_timer_and_a_second_time_changes_nothing(project):
    """Each run would restart the clock."""
    told = Told()
    schedule = plan_schedule(project, "gate-1", "weekly", run=told)
    first = install(schedule, run=told)
    assert first.active
    assert len(first.changed) == 2
    assert first.todo == ()
    assert ["systemctl", "--user", "enable", "--now", schedule.timer] in told.asked
    assert install(schedule, run=told).changed == ()


def test_what_is_left_to_do_is_said_where_no_user_manager_runs(project):
    """The timer would be written and never run, without a word."""
    told = Told(manager=False, linger=False)
    done = install(plan_schedule(project, "gate-1", "weekly", run=told), run=told)
    assert not done.active
    assert any("enable --now" in command for command in done.todo)
    assert done.todo[-1] == "loginctl enable-linger"


def test_unscheduling_takes_away_what_was_written(project):
    """A device that is gone would be refreshed for ever."""
    told = Told()
    schedule = plan_schedule(project, "gate-1", "weekly", run=told)
    install(schedule, run=told)
    assert len(remove(project, "gate-1", run=told).changed) == 2
    assert not any(path.exists() for path in schedule.units)
    assert remove(project, "gate-1", run=told).changed == ()


def test_two_projects_may_both_have_a_device_called_local(tmp_path: Path):
    """The second would overwrite the first one's timer."""
    assert unit_name(Project(tmp_path / "a"), "local") != unit_name(Project(tmp_path / "b"), "local")
