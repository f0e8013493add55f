"""How an NVIDIA GPU fares by its driver: power, energy, load, clock, heat, and this process's memory on it."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_uint, c_ulonglong, c_void_p
from pathlib import Path
from typing import List, Mapping, Optional

from edgekit.core.energy import SensorLimits
from edgekit.core.gpu_choice import GpuName, first_cuda_gpu
from edgekit.core.machine import Rail
from edgekit.core.power_rails import BoardPower
from edgekit.errors import DeviceError
from edgekit.runtime.sensors.libnvml import (
    CLOCK_OF_GRAPHICS,
    INSUFFICIENT_SIZE,
    NAME,
    NOT_AVAILABLE,
    TEMPERATURE_OF_GPU,
    UUID_BYTES,
    Nvml,
    ProcessMemory,
    Utilisation,
)

_RAIL = "GPU"
_PROCESSES = 64
# The counter of energy was seen to be updated every 20 to 100 ms (Yang, Adamek, Armour, "Part-time power measurements",
# 2024); NVML does not say.
_TICK_S = 0.1
_REASONS = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
_OWN_MEMORY = ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2")


class Gpu:
    """One GPU of this machine. Every reading is None where the GPU or its driver does not tell it; close it at last."""

    def __init__(self, nvml: Nvml, index: int) -> None:
        """Raises DeviceError if it may not be used."""
        self._nvml = nvml
        self._handle = c_void_p()
        nvml.call("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(self._handle))

    def power_w(self) -> Optional[float]:
        """Now on GPUs before Ampere and on A100; on later ones the mean of the last second."""
        milliwatts = self._nvml.number(c_uint, "nvmlDeviceGetPowerUsage", self._handle)
        return None if milliwatts is None else milliwatts / 1000

    def energy_j(self) -> Optional[float]:
        """Since the driver was loaded; from Volta on."""
        millijoules = self._nvml.number(c_ulonglong, "nvmlDeviceGetTotalEnergyConsumption", self._handle)
        return None if millijoules is None else millijoules / 1000

    def load_pct(self) -> Optional[float]:
        """How much of the last while, up to a second, a kernel was running."""
        rates = Utilisation()
        done = self._nvml.code("nvmlDeviceGetUtilizationRates", self._handle, ctypes.byref(rates)) == 0
        return float(rates.gpu) if done else None

    def clock_mhz(self) -> Optional[float]:
        """Of its graphics units."""
        mhz = self._nvml.number(c_uint, "nvmlDeviceGetClockInfo", self._handle, CLOCK_OF_GRAPHICS)
        return None if mhz is None else float(mhz)

    def temperature_c(self) -> Optional[float]:
        """Of the chip."""
        degrees = self._nvml.number(c_uint, "nvmlDeviceGetTemperature", self._handle, TEMPERATURE_OF_GPU)
        return None if degrees is None else float(degrees)

    def clock_reasons(self) -> Optional[int]:
        """Why it does not run at its highest clock, as bits; see core.disturbances."""
        answers = (self._nvml.number(c_ulonglong, name, self._handle) for name in _REASONS)
        return next((bits for bits in answers if bits is not None), None)

    def process_memory_mib(self) -> Optional[int]:
        """What this process holds of its memory; None too where a container hides the process's true number."""
        used_bytes = [process.used_bytes for process in self._processes() if process.pid == os.getpid()]
        known = [used for used in used_bytes if used != NOT_AVAILABLE]
        return round(sum(known) / 2**20) if known else None

    def close(self) -> None:
        """Let go of the driver."""
        self._nvml.close()

    def _processes(self) -> List[ProcessMemory]:
        for name in _OWN_MEMORY:
            room = _PROCESSES
            code: Optional[int] = INSUFFICIENT_SIZE
            while code == INSUFFICIENT_SIZE and room <= 16 * _PROCESSES:
                count, found = c_uint(room), (ProcessMemory * room)()
                code = self._nvml.code(name, self._handle, ctypes.byref(count), found)
                room *= 2
            if code == 0:
                return list(found[: count.value])
        return []


class NvmlSource:
    """The power of a GPU's board, or of the GPU within a module, as its driver measures it."""

    name = "NVML"

    def __init__(self, gpu: Gpu, module: Optional[str] = None) -> None:
        """module: the Jetson's that the GPU is a part of, None for a GPU with a board of its own."""
        self._gpu = gpu
        self._of = "GPU of the module, not the whole of it" if module else "GPU board"
        self._first_j = gpu.energy_j()
        self.limits = SensorLimits(tick_s=_TICK_S)

    def read(self, now_s: float) -> BoardPower:
        """What is drawn now, and since this source was made."""
        watts, energy_j = self._gpu.power_w(), self._gpu.energy_j()
        joules = None if energy_j is None or self._first_j is None else energy_j - self._first_j
        rails = () if watts is None else (Rail(_RAIL, watts * 1000, True),)
        return BoardPower(watts, self._of if watts is not None else "", rails, joules)

    def close(self) -> None:
        """Nothing of its own: whoever opened the GPU closes it."""


def driver_of(root: Path) -> str:
    """The library of the GPU's driver; "" for the files of another machine, whose driver is not here."""
    return NAME if root == Path("/") else ""


def open_gpu(environment: Optional[Mapping[str, str]] = None, library: str = NAME) -> Gpu:
    """The GPU that CUDA calls 0 here. Raises DeviceError if there is none, or if it cannot be told which that is."""
    if not library:
        raise DeviceError("the driver is not of this machine")
    nvml = Nvml(library)
    try:
        gpus = _names(nvml)
        index = first_cuda_gpu(gpus, os.environ if environment is None else environment)
        if index is None:
            raise DeviceError(
                f"which of {len(gpus)} GPUs is measured is not known" if gpus else "the driver sees no GPU",
                hint="set CUDA_DEVICE_ORDER=PCI_BUS_ID and CUDA_VISIBLE_DEVICES to the number of one" if gpus else "",
            )
        return Gpu(nvml, index)
    except BaseException:
        nvml.close()
        raise


def _names(nvml: Nvml) -> List[GpuName]:
    count = nvml.number(c_uint, "nvmlDeviceGetCount_v2") or 0
    names = []
    for index in range(count):
        handle = c_void_p()
        # A GPU that a container may not use is counted and cannot be opened: its place keeps its number.
        nvml.code("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle))
        name, uuid = (
            nvml.text(UUID_BYTES, f"nvmlDeviceGet{what}", handle) if handle else "" for what in ("Name", "UUID")
        )
        names.append(GpuName(name, uuid))
    return names
