"""The fan: a PWM file of the kernel, and from JetPack 5 on the service nvfancontrol, which writes to it.

JetPack 4 has /sys/devices/pwm-fan; later ones an hwmon device named pwmfan. Where the kernel turns the fan by
temperature it may take its setting back at once: that is looked for, and told.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Optional, Sequence

from edgekit.core.preflight import Setting
from edgekit.core.preflight_rules import FAN, FULL_PWM, fan_setting
from edgekit.errors import DeviceError
from edgekit.runtime.sensors.sysfs import found, number_in, text_of
from edgekit.runtime.tuning.programs import run, write_value
from edgekit.runtime.tuning.setting import Kept

_OLD = "sys/devices/pwm-fan/target_pwm"
_OLD_CONTROL = "sys/devices/pwm-fan/temp_control"
_HWMON = "sys/class/hwmon/hwmon*"
_SYSTEMCTL = "usr/bin/systemctl"
_SERVICE = "nvfancontrol"
_TAKEN_BACK_S = 1.0  # the kernel looks at temperatures about once a second


class Fan:
    """At full speed."""

    name = FAN

    def __init__(self, root: Path, headroom_c: Optional[float] = None, settle_s: float = _TAKEN_BACK_S) -> None:
        """headroom_c: how far the device is from slowing itself down, for the advice. settle_s: until it is believed
        that the fan stays as it was set."""
        self._root, self._headroom_c, self._settle_s = root, headroom_c, settle_s

    def read(self) -> Optional[Setting]:
        path = self._path()
        return None if path is None else fan_setting(number_in(path), self._headroom_c)

    def keep(self, planned: Sequence[str]) -> Optional[Kept]:
        path = self._path()
        pwm = None if path is None else number_in(path)
        if pwm is None:
            raise DeviceError("the fan's speed cannot be read")
        service, control = self._has_service(), text_of(self._root / _OLD_CONTROL) or ""
        if pwm >= FULL_PWM and not service and control in ("", "0"):
            return None
        return {"pwm": str(pwm), "control": control, "service": "active" if service else ""}

    def set(self) -> None:
        path = self._path()
        if path is None:
            raise DeviceError("there is no fan any more")
        if self._has_service():
            self._tell_service("stop")
        control = self._root / _OLD_CONTROL
        if control.exists():
            write_value(control, "0")
        write_value(path, str(FULL_PWM))
        time.sleep(self._settle_s)
        pwm = number_in(path)
        if pwm != FULL_PWM:
            raise DeviceError(f"the kernel turns the fan by itself, and took it back to {pwm} of {FULL_PWM}")

    def restore(self, kept: Kept) -> None:
        control, path = self._root / _OLD_CONTROL, self._path()
        if kept["service"]:
            # It sets the speed itself; until it runs the fan is better left at full speed.
            if not self._has_service():
                self._tell_service("start")
        elif path is not None and number_in(path) != int(kept["pwm"]):
            write_value(path, kept["pwm"])
        if kept["control"] and control.exists():
            write_value(control, kept["control"])

    def _path(self) -> Optional[Path]:
        old = self._root / _OLD
        if old.exists():
            return old
        fans = (folder / "pwm1" for folder in found(self._root, _HWMON) if text_of(folder / "name") == "pwmfan")
        return next((path for path in fans if path.exists()), None)

    def _has_service(self) -> bool:
        program = self._root / _SYSTEMCTL
        return program.exists() and run(program, "is-active", "--quiet", _SERVICE).code == 0

    def _tell_service(self, word: str) -> None:
        done = run(self._root / _SYSTEMCTL, "--no-ask-password", word, _SERVICE)
        if done.code != 0:
            raise DeviceError(f"systemctl {word} {_SERVICE} failed: {done.last_words!r}")
