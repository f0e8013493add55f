"""How busy a Jetson's GPU is and at what clock, from the kernel's files. Thor's driver has none; NVML would."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from edgekit.runtime.sensors.sysfs import found, number_in

# Where the GPU's driver says how busy it is, in thousandths.
_LOADS = (
    "sys/devices/gpu.0/load",
    "sys/devices/platform/gpu.0/load",
    "sys/class/devfreq/*.gpu/device/load",
    "sys/class/devfreq/*.g[apv][0-9]*b/device/load",
    "sys/devices/platform/17000000.gpu/load",
    "sys/devices/platform/bus@0/17000000.gpu/load",
)
# Not Thor's gpu-gpc-0 and gpu-nvd-0: reading these was seen to hang on JetPack 7.2.
_CLOCKS = ("sys/class/devfreq/*.gpu", "sys/class/devfreq/*.g[apv][0-9]*b")


def find_gpu_load(root: Path) -> Optional[Path]:
    """The file that says how busy the GPU is; None if there is none."""
    return next((path for pattern in _LOADS for path in found(root, pattern)), None)


def find_gpu_clock(root: Path) -> Optional[Path]:
    """The devfreq folder of the GPU: cur_freq, min_freq and max_freq in Hz; None if there is none."""
    return next((path for pattern in _CLOCKS for path in found(root, pattern)), None)


def load_pct(path: Optional[Path]) -> Optional[float]:
    """0 to 100; None if it cannot be read."""
    thousandths = number_in(path) if path is not None else None
    return None if thousandths is None or not 0 <= thousandths <= 1000 else thousandths / 10
