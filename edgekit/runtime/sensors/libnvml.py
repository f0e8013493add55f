"""NVML, the library of NVIDIA's driver that tells how a GPU fares, by ctypes: how its functions are called.

Only what is asked of it here. Newer drivers may lack a function and older ones a newer one; a GPU may not support what
its driver has. Source: nvml.h of CUDA 12 and 13. Names with _v2 and _v3 are the ones that nvml.h's macros choose.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_uint, c_ulonglong, c_void_p
from typing import Any, Dict, Optional, Tuple

from edgekit.errors import DeviceError

NAME = "libnvidia-ml.so.1"
INSUFFICIENT_SIZE = 7
NOT_AVAILABLE = 2**64 - 1
"""What NVML writes for memory whose user it cannot tell."""

TEMPERATURE_OF_GPU = 0
CLOCK_OF_GRAPHICS = 0
UUID_BYTES = 96


class Utilisation(ctypes.Structure):
    """nvmlUtilization_t, percent."""

    _fields_ = (("gpu", c_uint), ("memory", c_uint))


class ProcessMemory(ctypes.Structure):
    """nvmlProcessInfo_t since its version 2."""

    _fields_ = (("pid", c_uint), ("used_bytes", c_ulonglong), ("gpu_instance", c_uint), ("compute_instance", c_uint))


SIGNATURES: Dict[str, Tuple[Any, ...]] = {
    "nvmlInit_v2": (),
    "nvmlShutdown": (),
    "nvmlDeviceGetCount_v2": (POINTER(c_uint),),
    "nvmlDeviceGetHandleByIndex_v2": (c_uint, POINTER(c_void_p)),
    "nvmlDeviceGetName": (c_void_p, c_char_p, c_uint),
    "nvmlDeviceGetUUID": (c_void_p, c_char_p, c_uint),
    "nvmlDeviceGetPowerUsage": (c_void_p, POINTER(c_uint)),
    "nvmlDeviceGetTotalEnergyConsumption": (c_void_p, POINTER(c_ulonglong)),
    "nvmlDeviceGetUtilizationRates": (c_void_p, POINTER(Utilisation)),
    "nvmlDeviceGetClockInfo": (c_void_p, c_int, POINTER(c_uint)),
    "nvmlDeviceGetTemperature": (c_void_p, c_int, POINTER(c_uint)),
    "nvmlDeviceGetCurrentClocksEventReasons": (c_void_p, POINTER(c_ulonglong)),
    "nvmlDeviceGetCurrentClocksThrottleReasons": (c_void_p, POINTER(c_ulonglong)),
    "nvmlDeviceGetComputeRunningProcesses_v3": (c_void_p, POINTER(c_uint), POINTER(ProcessMemory)),
    "nvmlDeviceGetComputeRunningProcesses_v2": (c_void_p, POINTER(c_uint), POINTER(ProcessMemory)),
}


class Nvml:
    """The library, loaded and initialised until it is closed."""

    def __init__(self, name: str = NAME) -> None:
        """Raises DeviceError if there is no such library, or no driver that it knows."""
        try:
            self._library = ctypes.CDLL(name)
        except OSError as error:
            raise DeviceError(f"{name} cannot be loaded", why=str(error)) from error
        self.call("nvmlInit_v2")

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function. Raises DeviceError if it fails or is not there."""
        code = self.code(name, *arguments)
        if code != 0:
            raise DeviceError(f"{name} failed: {self._meaning(code)}")

    def code(self, name: str, *arguments: Any) -> Optional[int]:
        """What a function returns: 0 if all is well; None if this driver has no such function."""
        function = getattr(self._library, name, None)
        if function is None:
            return None
        function.argtypes, function.restype = SIGNATURES[name], c_int
        return int(function(*arguments))

    def number(self, kind: Any, name: str, *arguments: Any) -> Optional[int]:
        """The number that a function writes to its last argument, of that ctypes kind; None if it fails."""
        value = kind()
        return int(value.value) if self.code(name, *arguments, ctypes.byref(value)) == 0 else None

    def text(self, size: int, name: str, *arguments: Any) -> str:
        """The text that a function writes to a buffer of so many bytes; "" if it fails."""
        buffer = ctypes.create_string_buffer(size)
        done = self.code(name, *arguments, buffer, size) == 0
        return buffer.value.decode("utf-8", "replace") if done else ""

    def close(self) -> None:
        """Let go of the driver; nothing may be called after it."""
        self.code("nvmlShutdown")

    def _meaning(self, code: Optional[int]) -> str:
        describe = getattr(self._library, "nvmlErrorString", None)
        if code is None:
            return "this driver has no such function"
        if describe is None:
            return f"error {code}"
        describe.argtypes, describe.restype = (c_int,), c_char_p
        return f"{(describe(code) or b'').decode('utf-8', 'replace')} ({code})"
