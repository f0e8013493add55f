"""The clocks of a Jetson's processors, GPU and memory, through jetson_clocks.

Its file of how they were holds paths and values that it writes as root when it sets them back. So that file is only
ever made in a folder that none but root can write to.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Optional, Sequence, Tuple

from edgekit.core.jetson_clocks import ClockRange, parse_jetson_clocks
from edgekit.core.preflight import Setting
from edgekit.core.preflight_rules import CLOCKS, LOCKED, POWER_MODE, clocks_setting
from edgekit.errors import DeviceError
from edgekit.runtime.sensors.gpu_load import find_gpu_clock
from edgekit.runtime.sensors.sysfs import found, number_in
from edgekit.runtime.tuning.programs import read_patiently, run
from edgekit.runtime.tuning.setting import Kept

_PROGRAM = "usr/bin/jetson_clocks"
_POLICIES = "sys/devices/system/cpu/cpufreq/policy*"
_THOR_GPU = "sys/class/devfreq/gpu-*"  # reading these was seen to hang on JetPack 7.2
_FILE_NAME = "clocks"


class Clocks:
    """All at their highest, and held there."""

    name = CLOCKS

    def __init__(self, root: Path, folder: Path) -> None:
        """folder: root's own, for files of a moment."""
        self._root, self._folder = root, folder

    def read(self) -> Optional[Setting]:
        clocks = self._shown() or self._kernels()
        lockable = self._has_program()
        return clocks_setting(clocks, lockable) if clocks or lockable else None

    def keep(self, planned: Sequence[str]) -> Optional[Kept]:
        present = self.read()
        # A change of the power mode unlocks them.
        if present is not None and present.value == LOCKED and POWER_MODE not in planned:
            return None
        if not self._has_program():
            raise DeviceError("there is no jetson_clocks to lock the clocks with")
        with tempfile.TemporaryDirectory(prefix=".clocks-", dir=self._folder) as folder:
            path = Path(folder) / _FILE_NAME  # a new name: it asks before it writes over a file
            done = run(self._root / _PROGRAM, "--store", str(path))
            if done.code != 0 or not path.exists():
                raise DeviceError(f"jetson_clocks --store kept nothing: {done.last_words!r}")
            return {"stored": path.read_text("utf-8", "replace"), "value": _value(present)}

    def set(self) -> None:
        done = run(self._root / _PROGRAM)
        present = _value(self.read())
        if done.code != 0 or present not in (LOCKED, ""):
            raise DeviceError(f"jetson_clocks did not lock the clocks: {done.last_words!r}")

    def restore(self, kept: Kept) -> None:
        with tempfile.TemporaryDirectory(prefix=".clocks-", dir=self._folder) as folder:
            path = Path(folder) / _FILE_NAME
            path.write_text(kept["stored"], "utf-8")
            done = run(self._root / _PROGRAM, "--restore", str(path))
        # It ends well also where it could not write a value, and complains of values that no longer matter.
        if done.code != 0 or (_value(self.read()) == LOCKED and kept["value"] != LOCKED):
            raise DeviceError(f"jetson_clocks --restore did not unlock the clocks: {done.last_words!r}")

    def _has_program(self) -> bool:
        return (self._root / _PROGRAM).exists()

    def _shown(self) -> Tuple[ClockRange, ...]:
        """By the program, which knows the memory's clock too and needs root."""
        if os.geteuid() != 0 or not self._has_program():
            return ()
        try:
            return parse_jetson_clocks(run(self._root / _PROGRAM, "--show").said)
        except DeviceError:
            return ()

    def _kernels(self) -> Tuple[ClockRange, ...]:
        """Those of processors and GPU, which need no root."""
        gpu = find_gpu_clock(self._root)
        folders = [(folder, "scaling_min_freq", "scaling_max_freq") for folder in found(self._root, _POLICIES)]
        folders += [(gpu, "min_freq", "max_freq")] if gpu else []
        ranges = [(folder.name, number_in(folder / low), number_in(folder / high)) for folder, low, high in folders]
        ranges += [(folder.name, *_thor_range(folder)) for folder in found(self._root, _THOR_GPU)]
        return tuple(ClockRange(name, low, high) for name, low, high in ranges if low is not None and high is not None)


def _thor_range(folder: Path) -> Tuple[Optional[int], Optional[int]]:
    words = read_patiently([folder / "min_freq", folder / "max_freq"]).split()
    return (int(words[0]), int(words[1])) if len(words) == 2 and all(map(str.isdecimal, words)) else (None, None)


def _value(setting: Optional[Setting]) -> str:
    return (setting.value if setting else None) or ""
