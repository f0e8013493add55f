"""The power mode of a Jetson, through nvpmodel. It is the one setting that lasts beyond a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

from edgekit.core.nvpmodel import CONF_FILE, parse_power_mode
from edgekit.core.power_mode_choice import asks_for_restart, choose_mode, mode_called
from edgekit.core.preflight import Setting
from edgekit.core.preflight_rules import POWER_MODE, power_mode_setting
from edgekit.errors import DeviceError
from edgekit.runtime.power_mode import power_mode
from edgekit.runtime.sensors.sysfs import text_of
from edgekit.runtime.tuning.programs import run
from edgekit.runtime.tuning.setting import Kept

_PROGRAM = "usr/sbin/nvpmodel"


class PowerMode:
    """The strongest mode that needs no restart."""

    name = POWER_MODE

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self) -> Optional[Setting]:
        conf = self._conf()
        if not conf and not (self._root / _PROGRAM).exists():
            return None
        name = power_mode(self._root)
        return power_mode_setting(name, choose_mode(conf, name))

    def keep(self, planned: Sequence[str]) -> Optional[Kept]:
        present = self._ask()
        best = choose_mode(self._conf(), present).best
        if best is None:
            raise DeviceError(f"the power mode stays {present}: /etc/nvpmodel.conf does not name it")
        return None if best.name == present else {"mode": present}

    def set(self) -> None:
        best = choose_mode(self._conf(), self._ask()).best
        if best is not None:
            self._change(best.number, best.name)

    def restore(self, kept: Kept) -> None:
        if self._ask() == kept["mode"]:
            return
        mode = mode_called(self._conf(), kept["mode"])
        if mode is None:
            raise DeviceError(f"there is no power mode {kept['mode']} any more")
        self._change(mode.number, mode.name)

    def _change(self, number: int, name: str) -> None:
        done = run(self._root / _PROGRAM, "-m", str(number))
        if asks_for_restart(done.said):
            raise DeviceError(f"the power mode {name} needs a restart of the device: sudo nvpmodel -m {number}")
        present = self._ask()
        if present != name:
            raise DeviceError(f"the power mode stays {present}: nvpmodel -m {number} said {done.last_words!r}")

    def _ask(self) -> str:
        """The mode as the program tells it: the file that keeps it may hold one that is still to come."""
        done = run(self._root / _PROGRAM, "-q")
        name = parse_power_mode(done.said)
        if name is None:
            raise DeviceError(f"nvpmodel -q names no power mode: {done.last_words!r}")
        return name

    def _conf(self) -> str:
        return text_of(self._root / CONF_FILE) or ""
