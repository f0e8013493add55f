"""The power monitors of boards: INA3221, and the INA238 of Thor's input.

Forms: JetPack 4 has the ina3221x driver of NVIDIA, through IIO; JetPack 5 and later the kernel's, through hwmon, with
channels 1 to 3 and sums after them. Thor's input has an INA238, an hwmon device with a file `label` and microwatts.
hwmon numbers change from start to start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

from edgekit.core.energy import SensorLimits
from edgekit.core.power_rails import BoardPower, RailReading, board_power, is_supply
from edgekit.runtime.sensors.sysfs import found, number_in, text_of

_HWMON = ("sys/class/hwmon/hwmon*", "sys/bus/i2c/drivers/ina*/*/hwmon/hwmon*")
_IIO = "sys/bus/i2c/drivers/ina3221x/*/iio:device*"
_IIO_CHIP = "INA3221"
_HWMON_CHANNELS, _IIO_CHANNELS = (1, 2, 3), (0, 1, 2)
# Of the voltage over the shunt. Source: Texas Instruments, INA3221 data sheet, shunt-voltage registers.
_INA3221_STEP_UV = 40.0


@dataclass(frozen=True)
class _Channel:
    """A supply by its volts and amps. shunt_uohm: what its current flows through; None: not said."""

    chip: str
    name: str
    millivolts: Path
    milliamps: Path
    shunt_uohm: Optional[int] = None

    def read(self) -> RailReading:
        return RailReading(self.name, number_in(self.millivolts), number_in(self.milliamps))

    def step_w(self, reading: RailReading) -> float:
        """The smallest step of its power; 0 if it is not known."""
        if not self.shunt_uohm or reading.millivolts is None:
            return 0.0
        return _INA3221_STEP_UV / self.shunt_uohm * reading.millivolts / 1000


@dataclass(frozen=True)
class _Meter:
    """A supply by its watts."""

    chip: str
    name: str
    microwatts: Path

    def read(self) -> RailReading:
        microwatts = number_in(self.microwatts)
        return RailReading(self.name, milliwatts=None if microwatts is None else microwatts / 1000)

    def step_w(self, reading: RailReading) -> float:
        """Not known: it depends on how its driver calibrated it."""
        return 0.0


_Supply = Union[_Channel, _Meter]


@dataclass(frozen=True)
class InaSource:
    """The supplies of a board, and of which its power is the sum. name: the chip that measures these."""

    module: Optional[str]
    supplies: Tuple[_Supply, ...]
    name: str
    limits: SensorLimits

    def read(self, now_s: float) -> BoardPower:
        """What is drawn now."""
        return board_power(self.module, [supply.read() for supply in self.supplies])

    def close(self) -> None:
        """Nothing is kept open."""


def find_ina(root: Path, module: Optional[str]) -> Optional[InaSource]:
    """The monitors that this board has; None if it has none. module: as in core.boards, None for what is none."""
    supplies = (*_hwmon_supplies(root), *_iio_supplies(root))
    if not supplies:
        return None
    readings = [supply.read() for supply in supplies]
    total = {rail.name for rail in board_power(module, readings).rails if rail.total}
    counted = [pair for pair in zip(supplies, readings) if pair[0].name in total]
    chips = sorted({supply.chip for supply, _ in counted}) or sorted({supply.chip for supply in supplies})
    step_w = sum(supply.step_w(reading) for supply, reading in counted)
    return InaSource(module, supplies, " and ".join(chips), SensorLimits(step_w=step_w))


def _hwmon_supplies(root: Path) -> List[_Supply]:
    # The same device is found by its class and by its driver. Ordered by its address: 1-0040 comes before 1-0041.
    folders: Dict[Path, None] = {path.resolve(): None for pattern in _HWMON for path in found(root, pattern)}
    monitors = [(folder, text_of(folder / "name") or "") for folder in folders]
    ordered = sorted(monitors, key=lambda monitor: (monitor[0].parent.parent.name, monitor[0].name))
    return [supply for folder, chip in ordered if chip.startswith("ina") for supply in _hwmon(folder, chip.upper())]


def _hwmon(folder: Path, chip: str) -> List[_Supply]:
    label, watts = text_of(folder / "label"), folder / "power1_input"
    if label and watts.exists():
        return [_Meter(chip, label, watts)]
    channels = [
        _Channel(
            chip,
            text_of(folder / f"in{n}_label") or "",
            folder / f"in{n}_input",
            folder / f"curr{n}_input",
            number_in(folder / f"shunt{n}_resistor"),
        )
        for n in _HWMON_CHANNELS
    ]
    return _measuring(channels)


def _iio_supplies(root: Path) -> List[_Supply]:
    channels = [
        _Channel(
            _IIO_CHIP,
            text_of(folder / f"rail_name_{n}") or "",
            folder / f"in_voltage{n}_input",
            folder / f"in_current{n}_input",
        )
        for folder in found(root, _IIO)
        for n in _IIO_CHANNELS
    ]
    return _measuring(channels)


def _measuring(channels: Sequence[_Channel]) -> List[_Supply]:
    return [channel for channel in channels if is_supply(channel.name) and channel.milliamps.exists()]
