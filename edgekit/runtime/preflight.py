"""Verb `preflight`: how this machine is set and what else it does, before it is measured. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

from edgekit.core.machine import MachineReadings
from edgekit.core.meminfo import Swap, parse_swaps
from edgekit.core.preflight import Preflight, Setting
from edgekit.core.preflight_rules import Surroundings, compose_preflight
from edgekit.core.progress import OnProgress
from edgekit.runtime.gpu_users import find_gpu_users
from edgekit.runtime.processor_load import watch_load
from edgekit.runtime.sensors.machine import MachineReader
from edgekit.runtime.sensors.sysfs import text_of
from edgekit.runtime.tuning.apply import tunables
from edgekit.runtime.tuning.fan import Fan
from edgekit.runtime.tuning.journal import tuned_names

WATCH_S = 1.0


@dataclass(frozen=True)
class PreflightRequest:
    """watch_s: how long other programs are watched."""

    watch_s: float = WATCH_S
    schema: int = 1


def run_preflight(request: PreflightRequest, on_progress: OnProgress) -> Preflight:
    """The answer to verb `preflight`."""
    on_progress("look at the machine's settings and other programs", 0, 0)
    return read_preflight(watch_s=request.watch_s)


def read_preflight(root: Path = Path("/"), watch_s: float = WATCH_S) -> Preflight:
    """How the machine is set and what else it does. Takes watch_s, and up to 2 s more where nvpmodel must be asked.

    What cannot be read is None or left out; it never raises. The calling process does not count as another program,
    so it had better do nothing meanwhile. `tuned` names what a bench has changed: this one, or one that was cut off.
    """
    around = Surroundings(watch_load(root, watch_s), MachineReader(root).read(), _swaps(root), find_gpu_users(root))
    return compose_preflight(_settings(root, around.machine), around, tuned_names(root))


def _settings(root: Path, machine: MachineReadings) -> Tuple[Setting, ...]:
    advised = Fan(root, machine.headroom_c)
    read = (advised.read() if each.name == advised.name else each.read() for each in tunables(root))
    return tuple(setting for setting in read if setting is not None)


def _swaps(root: Path) -> Tuple[Swap, ...]:
    text: Optional[str] = text_of(root / "proc/swaps")
    return parse_swaps(text or "")
