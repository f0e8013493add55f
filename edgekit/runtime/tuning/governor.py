"""The governor of the processors' clocks, through cpufreq: Jetsons and PCs have it, most virtual machines do not."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence

from edgekit.core.preflight import Setting
from edgekit.core.preflight_rules import GOVERNOR, PERFORMANCE, governor_setting
from edgekit.errors import DeviceError
from edgekit.runtime.sensors.sysfs import found, text_of
from edgekit.runtime.tuning.programs import write_value
from edgekit.runtime.tuning.setting import Kept

_FILES = "sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
_CHOICE = "scaling_available_governors"


class Governor:
    """ "performance" for every group of processors that shares a clock."""

    name = GOVERNOR

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self) -> Optional[Setting]:
        files = self._files()
        if not files:
            return None
        return governor_setting([text for text in map(text_of, files) if text], _common_choice(files))

    def keep(self, planned: Sequence[str]) -> Optional[Kept]:
        files = self._files()
        if PERFORMANCE not in _common_choice(files):
            raise DeviceError(f"the processors offer no governor {PERFORMANCE}")
        kept = {path.parent.name: text_of(path) or "" for path in files}
        return None if set(kept.values()) == {PERFORMANCE} else kept

    def set(self) -> None:
        for path in self._files():
            write_value(path, PERFORMANCE)

    def restore(self, kept: Kept) -> None:
        # A group that is gone went with the power mode that brought it.
        for path in self._files():
            before = kept.get(path.parent.name)
            if before and text_of(path) != before:
                write_value(path, before)

    def _files(self) -> List[Path]:
        return found(self._root, _FILES)


def _common_choice(files: Sequence[Path]) -> List[str]:
    offered = [set((text_of(path.with_name(_CHOICE)) or "").split()) for path in files]
    return sorted(set.intersection(*offered)) if offered else []
