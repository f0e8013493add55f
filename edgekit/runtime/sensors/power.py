"""The power sensor of a machine: one interface to five kinds, and the choice among them."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, Optional, Protocol, Tuple

from edgekit.core.energy import SensorLimits
from edgekit.core.power_choice import INA, NVML, ORDER, RAPL, TEGRASTATS, Trial
from edgekit.core.power_rails import BoardPower
from edgekit.errors import EdgekitError
from edgekit.runtime.sensors.board import find_module
from edgekit.runtime.sensors.ina import find_ina
from edgekit.runtime.sensors.nvml import Gpu, NvmlSource
from edgekit.runtime.sensors.rapl import find_rapl
from edgekit.runtime.sensors.tegrastats import TegrastatsSource


class PowerSource(Protocol):
    """Something that says what is drawn. For one thread at a time; `close` must be called at last."""

    @property
    def name(self) -> str:
        """ "INA3221", "INA238", "tegrastats", "NVML", "RAPL"."""

    @property
    def limits(self) -> SensorLimits:
        """What it cannot tell apart."""

    def read(self, now_s: float) -> BoardPower:
        """What is drawn now. Never raises, and never waits long. now_s: on a clock that only goes forward."""

    def close(self) -> None:
        """End what it started."""


def open_power_source(
    root: Path, every_s: float, gpu: Callable[[], Gpu], now_s: float
) -> Tuple[Optional[PowerSource], Tuple[Trial, ...]]:
    """The first kind that gives figures, and what became of those before it; None if there is none.

    gpu: opens the GPU, or raises DeviceError; it stays open. A sensor of a kind after the one taken is not touched.
    """
    module = find_module(root)
    trials: List[Trial] = []
    openers: Dict[str, Callable[[], Optional[PowerSource]]] = {
        INA: lambda: find_ina(root, module),
        TEGRASTATS: lambda: TegrastatsSource(module, every_s, root) if module else None,
        NVML: lambda: NvmlSource(gpu(), module),
        RAPL: lambda: None if module else find_rapl(root),
    }
    for kind in ORDER:
        source, trial = _tried(kind, openers[kind], now_s)
        trials.append(trial)
        if source is not None:
            return source, tuple(trials)
    return None, tuple(trials)


def _tried(kind: str, opener: Callable[[], Optional[PowerSource]], now_s: float) -> Tuple[Optional[PowerSource], Trial]:
    try:
        source = opener()
    except EdgekitError as error:
        return None, Trial(kind, problem=error.what)
    if source is None:
        return None, Trial(kind)
    trial = Trial(kind, source.read(now_s))
    if not trial.against:
        return source, trial
    source.close()
    return None, trial
