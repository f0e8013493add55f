"""`edgekit refresh --schedule`: a systemd timer of this user, on this machine, that runs the command by itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import files
from edgekit.control.project import Project
from edgekit.core.wire import digest
from edgekit.errors import UsageError

# Argv in, (exit status, standard output and error) out.
Runner = Callable[[Sequence[str]], tuple[int, str]]

_SHORTHANDS = ("hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly")
# OnCalendar of systemd.time(7) has letters, digits and these; nothing that could begin another line or setting.
_PLAIN = re.compile(r"[A-Za-z0-9 *:,./~+-]{1,120}")
_SPREAD_S = 1800  # timers of several devices do not start together
_TIMEOUT_S = 20.0

_SERVICE = """\
# Written by edgekit refresh --schedule; edgekit refresh --unschedule takes it away.
[Unit]
Description=Refresh the calibration of {device} (edgekit, {project})

[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart={command}
# Beside other work of this machine, never before it.
Nice=10
IOSchedulingClass=idle
# 5: what the device has kept was refused. 7: the new engine loses too much. Both are told as failures.
"""
_TIMER = """\
# Written by edgekit refresh --schedule; edgekit refresh --unschedule takes it away.
[Unit]
Description=When to refresh the calibration of {device} (edgekit, {project})

[Timer]
OnCalendar={when}
RandomizedDelaySec={spread_s}
# Made up for if this machine was off.
Persistent=true

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True)
class Schedule:
    """The two units of a device's refresh. next: when it will run first, as systemd says it, "" if not asked."""

    device: str
    when: str
    timer: str
    service: str
    units: Mapping[Path, str]
    next: str = ""


@dataclass(frozen=True)
class Scheduled:
    """What was written or taken away. active: the timer is known to systemd now. todo: commands that are left."""

    schedule: Schedule
    changed: tuple[str, ...]
    active: bool
    todo: tuple[str, ...]


def run_command(argv: Sequence[str]) -> tuple[int, str]:
    """Run a program of systemd. 127 where it is not there."""
    if shutil.which(argv[0]) is None:
        return 127, f"{argv[0]} is not there"
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return 124, f"{argv[0]} did not answer within {_TIMEOUT_S:.0f} s"
    return done.returncode, (done.stdout + done.stderr).strip()


def units_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where units of this user lie. Source: systemd.unit(5), "Units of user mode"."""
    configured = environ.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return base / "systemd" / "user"


def plan_schedule(
    project: Project, device: str, when: str, options: Sequence[str] = (), *, run: Runner = run_command
) -> Schedule:
    """The units for a device. options: those of `edgekit refresh` that it is to run with, besides --yes.

    Raises UsageError for a time that systemd does not know.
    """
    following = _check_when(when, run)
    name = unit_name(project, device)
    words = [sys.executable, "-m", "edgekit", "--project", str(project.root)]
    words += ["refresh", "--device", device, "--yes", *options]
    told = {"device": device, "project": _percent(project.root.name)}
    service = _SERVICE.format(
        **told, folder=_percent(str(project.root)), command=" ".join(quoted(word) for word in words)
    )
    timer = _TIMER.format(**told, when=when, spread_s=_SPREAD_S)
    folder = units_dir()
    units = {folder / f"{name}.service": service, folder / f"{name}.timer": timer}
    return Schedule(device, when, f"{name}.timer", f"{name}.service", units, following)


def unit_name(project: Project, device: str) -> str:
    """One name for a device of a project: two projects may both have a device called local."""
    return f"edgekit-refresh-{device}-{digest(str(project.root))[:8]}"


def quoted(word: str) -> str:
    """A word of ExecStart. Source: systemd.service(5), "Command lines"."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_percent(escaped)}"'


def _percent(text: str) -> str:
    if any(ord(char) < 32 for char in text):
        raise UsageError(f"{text!r} holds a control character, and unit files are lines", hint="rename the folder")
    return text.replace("%", "%%")


def _check_when(when: str, run: Runner) -> str:
    hint = 'weekly, daily, or a time as systemd.time(7) has it: --schedule "Sun *-*-* 03:00"'
    if not _PLAIN.fullmatch(when):
        raise UsageError(f"--schedule: {when!r} is no time", hint=hint)
    status, text = run(["systemd-analyze", "calendar", when])
    if status == 0:
        found = re.search(r"Next elapse: (.+)", text)
        return found.group(1).strip() if found else ""
    if status == 127 and when in _SHORTHANDS:
        return ""
    if status == 127:
        raise UsageError(
            f"--schedule: {when!r} cannot be checked without systemd-analyze", hint=f"one of {', '.join(_SHORTHANDS)}"
        )
    raise UsageError(f"--schedule: systemd does not know the time {when!r}", why=text.splitlines()[0], hint=hint)


def install(schedule: Schedule, *, run: Runner = run_command) -> Scheduled:
    """Write the units, have systemd judge them, and start the timer. Raises UsageError if they cannot be written."""
    changed = tuple(str(path) for path, text in schedule.units.items() if _write(path, text))
    _verify(schedule, run)
    steps = (
        ["systemctl", "--user", "daemon-reload"],
        ["systemctl", "--user", "enable", "--now", schedule.timer],
    )
    active = all(run(step)[0] == 0 for step in steps)
    todo = () if active else tuple(" ".join(step) for step in steps)
    return Scheduled(schedule, changed, active, (*todo, *_linger(run)))


def remove(project: Project, device: str, *, run: Runner = run_command) -> Scheduled:
    """Stop the timer and delete the units. Nothing changed means that there were none."""
    name = unit_name(project, device)
    paths = [units_dir() / f"{name}.{kind}" for kind in ("timer", "service")]
    schedule = Schedule(device, "", f"{name}.timer", f"{name}.service", {})
    present = [path for path in paths if path.exists()]
    if not present:
        return Scheduled(schedule, (), False, ())
    stopped = run(["systemctl", "--user", "disable", "--now", schedule.timer])[0] == 0
    (units_dir() / "timers.target.wants" / schedule.timer).unlink(missing_ok=True)
    for path in present:
        path.unlink(missing_ok=True)
    reload = ["systemctl", "--user", "daemon-reload"]
    todo = () if stopped and run(reload)[0] == 0 else (" ".join(reload),)
    return Scheduled(schedule, tuple(str(path) for path in present), False, todo)


def _write(path: Path, text: str) -> bool:
    try:
        if path.is_file() and path.read_text("utf-8") == text:
            return False
        files.write_bytes(path, text.encode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    return True


def _verify(schedule: Schedule, run: Runner) -> None:
    status, text = run(["systemd-analyze", "--user", "verify", *(str(path) for path in schedule.units)])
    complaints = [line for line in text.splitlines() if schedule.timer[: -len(".timer")] in line]
    if status not in (0, 127) and complaints:
        raise UsageError("systemd does not accept the units", why="\n".join(complaints[:5]))


def _linger(run: Runner) -> tuple[str, ...]:
    """Without it a user's timers end when the user logs out."""
    status, text = run(["loginctl", "show-user", str(os.getuid()), "--property=Linger"])
    return () if status == 0 and "Linger=yes" in text else ("loginctl enable-linger",)
