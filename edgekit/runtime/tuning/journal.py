"""How the settings were before they were changed, on disk before the first change.

It lies where it outlasts a restart, for the power mode does too; everything else is as the system makes it again then.
Whoever could write to it would write through jetson_clocks as root: it is believed only if nobody else can.
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple

from edgekit.core.checkup import Finding
from edgekit.core.preflight_rules import POWER_MODE
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeviceError, EdgekitError
from edgekit.files import fsync_folder, write_json
from edgekit.runtime.flock import taken

FOLDER = "var/lib/edgekit"
_JOURNAL = "tuned.json"
_LOCK = "run/edgekit-tune.lock"
_BOOT_ID = "proc/sys/kernel/random/boot_id"
_LAST_BEYOND_RESTART = (POWER_MODE,)
_WAIT_S = 120.0  # longer than one tune or untune can take
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One setting: the value it had, for people, and what its `restore` needs."""

    name: str
    value: Optional[str]
    kept: Dict[str, str]


@dataclass(frozen=True)
class TuneJournal:
    """boot_id: of the start of the system in which the settings were changed. started_utc: when that began."""

    started_utc: str
    boot_id: str
    entries: Tuple[Entry, ...]
    schema: int = 1


def new_journal(root: Path, entries: Tuple[Entry, ...]) -> TuneJournal:
    """A journal of now."""
    return TuneJournal(time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), _boot_id(root), entries)


def write_journal(root: Path, journal: TuneJournal) -> None:
    """Keep a journal, or with no entries forget it. It is on the disk when this returns."""
    path = root / FOLDER / _JOURNAL
    if journal.entries:
        path.parent.mkdir(0o755, parents=True, exist_ok=True)
        write_json(path, to_wire(journal))
    elif path.exists():
        path.unlink()
        fsync_folder(path.parent)


def read_journal(root: Path) -> Optional[TuneJournal]:
    """What is still to be set back; None if nothing is. Settings that a restart has set back are left out.

    Raises DeviceError for a file that somebody else could have written, or that cannot be read.
    """
    path = root / FOLDER / _JOURNAL
    try:
        descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(path, str(error.strerror)) from None
    with os.fdopen(descriptor, "rb") as stream:
        _refuse_foreign(path, os.fstat(descriptor), path.parent.stat())
        text = stream.read(_LARGEST)
    try:
        journal = from_wire(TuneJournal, json.loads(text.decode("utf-8")), str(path))
    except (ValueError, EdgekitError) as error:
        raise _damaged(path, str(error)) from None
    if journal.boot_id != _boot_id(root):
        lasting = tuple(entry for entry in journal.entries if entry.name in _LAST_BEYOND_RESTART)
        return replace(journal, entries=lasting) if lasting else None
    return journal


def tuned_names(root: Path) -> Tuple[str, ...]:
    """The settings that are changed for measuring now, by name; also for who is not root."""
    try:
        journal = read_journal(root)
    except DeviceError:
        return ()
    return tuple(entry.name for entry in journal.entries) if journal else ()


def check_tuned(root: Path) -> Iterator[Finding]:
    """For a checkup: whether a bench left the machine tuned. One that is under way shows in the same way."""
    try:
        journal = read_journal(root)
    except DeviceError as error:
        yield Finding("warning", "tuning", f"{error.what}: {error.why}", error.hint)
        return
    if journal is not None:
        names = ", ".join(entry.name.replace("_", " ") for entry in journal.entries)
        found = f"{names} set for measuring since {journal.started_utc}, by a bench under way or one that was cut off"
        yield Finding("warning", "tuning", found, "edgekit bench --untune, with --device and its name")


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Keep other tunes and untunes of this machine away. Raises DeviceError if one does not end.

    Opened by root, so through no link: what it leads to would be made, or locked, for whoever laid it there.
    """
    path = root / _LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not taken(descriptor, _WAIT_S):
            raise DeviceError("the machine's settings are being changed by another edgekit, which does not end")
        yield
    finally:
        os.close(descriptor)


def _refuse_foreign(path: Path, file: os.stat_result, folder: os.stat_result) -> None:
    trusted = (0, os.geteuid()) if os.geteuid() != 0 else (0,)
    for found in (file, folder):
        if found.st_uid not in trusted or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise _damaged(path, "others than root can write to it")
    if not stat.S_ISREG(file.st_mode):
        raise _damaged(path, "it is no file")


def _damaged(path: Path, why: str) -> DeviceError:
    return DeviceError(
        f"{path} cannot be used: it says how settings were before they were changed for measuring",
        why=why,
        hint=f"restart the device, which undoes all but the power mode, then: sudo rm {path}",
    )


def _boot_id(root: Path) -> str:
    try:
        return (root / _BOOT_ID).read_text("ascii").strip()
    except OSError:
        return ""
