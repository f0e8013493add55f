"""The power monitors of a machine: INA3221 and INA238 of the boards, and the energy counters of PCs.

Forms: JetPack 4 has the ina3221x driver of NVIDIA, through IIO; JetPack 5 and later the kernel's, through hwmon, with
channels 1 to 3 and sums after them. Thor's input has an INA238, an hwmon device with a file `label` and microwatts.
hwmon numbers change from start to start. Newer kernels let only root read energy counters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

from edgekit.core.power_rails import BoardPower, RailReading, board_power, is_supply, processor_power, watts_between
from edgekit.runtime.sysfs import found, number_in, text_of

_HWMON = ("sys/class/hwmon/hwmon*", "sys/bus/i2c/drivers/ina*/*/hwmon/hwmon*")
_IIO = "sys/bus/i2c/drivers/ina3221x/*/iio:device*"
_RAPL = "sys/class/powercap/intel-rapl:*"
_TOP_DOMAIN = re.compile(r"intel-rapl:\d+")
_HWMON_CHANNELS, _IIO_CHANNELS = (1, 2, 3), (0, 1, 2)
# Closer together than that, the counter's own steps would show; further apart, it may have wrapped around twice.
_SHORTEST_S, _LONGEST_S = 0.1, 600.0


@dataclass(frozen=True)
class _Channel:
    """A supply by its volts and amps."""

    name: str
    millivolts: Path
    milliamps: Path

    def read(self) -> RailReading:
        return RailReading(self.name, number_in(self.millivolts), number_in(self.milliamps))


@dataclass(frozen=True)
class _Meter:
    """A supply by its watts."""

    name: str
    microwatts: Path

    def read(self) -> RailReading:
        microwatts = number_in(self.microwatts)
        return RailReading(self.name, milliwatts=None if microwatts is None else microwatts / 1000)


@dataclass
class _Energy:
    """A counter of energy, and the power between its last two readings."""

    name: str
    microjoules: Path
    range_uj: int
    last: Optional[Tuple[float, int]] = None
    watts: Optional[float] = None

    def read(self, now_s: float) -> Optional[float]:
        now_uj = number_in(self.microjoules)
        if now_uj is None:
            self.last = self.watts = None
        elif self.last is None or now_s - self.last[0] > _LONGEST_S:
            self.last, self.watts = (now_s, now_uj), None
        elif now_s - self.last[0] >= _SHORTEST_S:
            self.watts = watts_between(self.last[1], now_uj, self.range_uj, now_s - self.last[0])
            self.last = (now_s, now_uj)
        return self.watts


@dataclass(frozen=True)
class PowerSensors:
    """The supplies of a board, or the counters of a PC."""

    module: Optional[str] = None
    supplies: Tuple[Union[_Channel, _Meter], ...] = ()
    counters: Tuple[_Energy, ...] = ()

    def read(self, now_s: float) -> BoardPower:
        """What is drawn now; by counters, on average since the reading before. now_s: on a clock that never stops."""
        if self.supplies:
            return board_power(self.module, [supply.read() for supply in self.supplies])
        return processor_power([(counter.name, counter.read(now_s)) for counter in self.counters])


def find_power_sensors(root: Path, module: Optional[str]) -> PowerSensors:
    """The sensors that this machine has; module: the board's, None for what is none."""
    supplies = (*_hwmon_supplies(root), *_iio_supplies(root))
    return PowerSensors(module, supplies, () if supplies or module else tuple(_energy_counters(root)))


def _hwmon_supplies(root: Path) -> List[Union[_Channel, _Meter]]:
    # The same device is found by its class and by its driver. Ordered by its address: 1-0040 comes before 1-0041.
    folders: Dict[Path, None] = {path.resolve(): None for pattern in _HWMON for path in found(root, pattern)}
    monitors = [folder for folder in folders if (text_of(folder / "name") or "").startswith("ina")]
    ordered = sorted(monitors, key=lambda folder: (folder.parent.parent.name, folder.name))
    return [supply for folder in ordered for supply in _monitor_supplies(folder)]


def _monitor_supplies(folder: Path) -> List[Union[_Channel, _Meter]]:
    label, watts = text_of(folder / "label"), folder / "power1_input"
    if label and watts.exists():
        return [_Meter(label, watts)]
    files = [(folder / f"in{n}_label", folder / f"in{n}_input", folder / f"curr{n}_input") for n in _HWMON_CHANNELS]
    return _channels(files)


def _iio_supplies(root: Path) -> List[Union[_Channel, _Meter]]:
    return _channels(
        [
            (folder / f"rail_name_{n}", folder / f"in_voltage{n}_input", folder / f"in_current{n}_input")
            for folder in found(root, _IIO)
            for n in _IIO_CHANNELS
        ]
    )


def _channels(files: Sequence[Tuple[Path, Path, Path]]) -> List[Union[_Channel, _Meter]]:
    named = [(text_of(label) or "", millivolts, milliamps) for label, millivolts, milliamps in files]
    return [_Channel(*channel) for channel in named if is_supply(channel[0]) and channel[2].exists()]


def _energy_counters(root: Path) -> List[_Energy]:
    counters = []
    for folder in found(root, _RAPL):
        name, range_uj = text_of(folder / "name"), number_in(folder / "max_energy_range_uj")
        readable = number_in(folder / "energy_uj") is not None
        if name and range_uj and readable and _TOP_DOMAIN.fullmatch(folder.name):
            counters.append(_Energy(name, folder / "energy_uj", range_uj))
    return counters
