"""Setting a machine for measuring, and setting it back: all that runs as root.

It imports nothing but the standard library and edgekit's own: on a device its code is sent along and run by the
system's Python, so that nothing another user can write to is run by root (control/tuning.py).
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from edgekit.core.preflight import Setting
from edgekit.core.preflight_rules import CLOCKS, FAN, GOVERNOR, POWER_MODE, SETTINGS
from edgekit.core.wire import to_wire
from edgekit.errors import DeviceError, EdgekitError, UsageError, error_to_dict
from edgekit.runtime.flock import is_held
from edgekit.runtime.tuning.clocks import Clocks
from edgekit.runtime.tuning.fan import Fan
from edgekit.runtime.tuning.governor import Governor
from edgekit.runtime.tuning.journal import (
    Entry,
    TuneJournal,
    new_journal,
    one_at_a_time,
    read_journal,
    write_journal,
)
from edgekit.runtime.tuning.power_mode import PowerMode
from edgekit.runtime.tuning.setting import Tunable

# Clocks were kept in the power mode of before, so they go back after it; each power mode has its processors.
_BACK = (FAN, POWER_MODE, GOVERNOR, CLOCKS)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ROOT = Path("/")
_MEASURED = "opt/edgekit/measuring.lock"  # of runtime/measuring.py, on a device that was provisioned
_ENDING_S = 5.0  # so long a bench may take that was just interrupted
_OF_A_MOMENT = "run"  # root's own, and empty after a restart


@dataclass(frozen=True)
class Tuned:
    """As core.requests.TuneAnswer: what was changed, with the value of before, and why the rest was not."""

    changed: Tuple[Setting, ...]
    refused: Tuple[str, ...] = ()


def tunables(root: Path) -> Tuple[Tunable, ...]:
    """Every setting, in the order in which they are set."""
    return (PowerMode(root), Governor(root), Clocks(root, root / _OF_A_MOMENT), Fan(root))


def tune(names: Sequence[str] = (), root: Path = _ROOT) -> Tuned:
    """Set the machine for measuring; what an earlier tune left is set back first. names: empty for all.

    What cannot be set is told in `refused`, and left as it was. Needs root. Raises UsageError for a name that is none,
    DeviceError if what an earlier one left cannot be set back, or while the device is measured.
    """
    _refuse_unknown(names)
    _need_root()
    _refuse_measured(root)
    with _undisturbed(root):
        left = _restore(root)
        if left.refused:
            raise DeviceError("what an earlier tune changed cannot be set back", why="\n".join(left.refused))
        plan, refused = _plan(names, root)
        write_journal(root, new_journal(root, tuple(entry for _, entry in plan)))
        try:
            return _set(root, plan, refused)
        except BaseException:
            with suppress(EdgekitError, OSError):
                _restore(root)
            raise


def untune(root: Path = _ROOT) -> Tuned:
    """Set back what the last tune changed; nothing if nothing is left to do. Needs root."""
    _need_root()
    with _undisturbed(root):
        return _restore(root)


def left_tuned(root: Path = _ROOT) -> Tuned:
    """What `untune` would set back, with the values of before. Changes nothing, and needs no root.

    Raises DeviceError for a journal that cannot be believed.
    """
    journal = read_journal(root)
    entries = journal.entries if journal else ()
    return Tuned(tuple(Setting(entry.name, entry.value) for entry in entries))


def answered(verb: str, names: Sequence[str]) -> Dict[str, Any]:
    """The event that a verb ends with, as in core/requests.py: for the script that runs this, mostly as root.

    verb: "tune", "untune" or "left_tuned".
    """
    try:
        done = tune(names) if verb == "tune" else untune() if verb == "untune" else left_tuned()
    except EdgekitError as error:
        return {"event": "error", "error": error_to_dict(error)}
    except OSError as error:
        return {"event": "error", "error": error_to_dict(DeviceError(f"the system refused: {error}"))}
    return {"event": "result", "result": to_wire(done)}


def _plan(names: Sequence[str], root: Path) -> Tuple[List[Tuple[Tunable, Entry]], List[str]]:
    plan: List[Tuple[Tunable, Entry]] = []
    refused: List[str] = []
    for each in tunables(root):
        if names and each.name not in names:
            continue
        present = each.read()
        if present is None:
            refused += [f"{_words(each.name)}: this machine has none that can be set"] if names else []
            continue
        try:
            kept = each.keep([entry.name for _, entry in plan])
        except DeviceError as error:
            refused.append(f"{_words(each.name)}: {error.what}")
            continue
        if kept is not None:
            plan.append((each, Entry(each.name, present.value, kept)))
    return plan, refused


def _set(root: Path, plan: Sequence[Tuple[Tunable, Entry]], refused: List[str]) -> Tuned:
    changed: List[Setting] = []
    for each, entry in plan:
        try:
            each.set()
            changed.append(Setting(entry.name, entry.value))
        except DeviceError as error:
            refused.append(f"{_words(entry.name)}: {error.what}")
    unset = tuple(entry.name for _, entry in plan if entry.name not in {setting.name for setting in changed})
    back = _restore(root, unset) if unset else Tuned(())
    return Tuned(tuple(changed), (*refused, *back.refused))


def _restore(root: Path, names: Sequence[str] = _BACK) -> Tuned:
    """Set back these settings of the journal; those that fail stay in it."""
    journal = read_journal(root)
    if journal is None:
        write_journal(root, TuneJournal("", "", ()))
        return Tuned(())
    by_name = {each.name: each for each in tunables(root)}
    entries = {entry.name: entry for entry in journal.entries}
    changed: List[Setting] = []
    refused: List[str] = []
    for name in (name for name in _BACK if name in names and name in entries):
        try:
            by_name[name].restore(entries[name].kept)
        except (DeviceError, KeyError, ValueError) as error:
            refused.append(f"{_words(name)} is not set back to {entries[name].value}: {_what(error)}")
            continue
        changed.append(Setting(name, entries[name].value))
        del entries[name]
    write_journal(root, replace(journal, entries=tuple(entries.values())))
    return Tuned(tuple(changed), tuple(refused))


@contextmanager
def _undisturbed(root: Path) -> Iterator[None]:
    """Alone, and to the end: what is asked for by a signal meanwhile happens after it. It takes seconds."""
    with one_at_a_time(root):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _refuse_unknown(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in SETTINGS]
    if unknown:
        raise UsageError(f"there is no setting {', '.join(unknown)}", hint=f"one of {', '.join(SETTINGS)}")


def _refuse_measured(root: Path) -> None:
    """What another host has tuned would be set back in the middle of its measurement."""
    if is_held(root / _MEASURED, _ENDING_S):
        raise DeviceError(
            "this device is being measured by another bench, which a change of its settings would spoil",
            hint="wait for that bench to end, then run the same command again",
        )


def _need_root() -> None:
    if os.geteuid() != 0:
        raise DeviceError("the machine's settings can be changed by root alone", why="this does not run as root")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _what(error: Exception) -> str:
    return error.what if isinstance(error, EdgekitError) else f"the journal lacks {error}"
