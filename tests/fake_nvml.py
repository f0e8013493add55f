"""A real library with NVML's symbols, compiled from tests/runtime/sensors/nvml.c; its answers can be set."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

_SOURCE = Path(__file__).resolve().parent / "runtime" / "sensors" / "nvml.c"
_KINDS = {
    ctypes.c_uint: ("devices", "hidden", "power_mw", "processes", "pid"),
    ctypes.c_ulonglong: ("energy_mj", "used", "reasons"),
    ctypes.c_int: ("error", "init_error", "open", "hang"),
    ctypes.c_void_p: ("asked",),
}


class FakeNvml:
    """A compiled library, and what it answers."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._library = ctypes.CDLL(self.path)

    def set(self, **values: int) -> None:
        """Set what it answers, by the names in nvml.c without fake_."""
        for name, value in values.items():
            self._variable(name).value = value

    def get(self, name: str) -> Any:
        """One of its variables."""
        return self._variable(name).value

    def _variable(self, name: str) -> Any:
        kind = next(kind for kind, names in _KINDS.items() if name in names)
        return kind.in_dll(self._library, f"fake_{name}")


def compiled(folder: Path, *without: str) -> FakeNvml:
    """The library, without some of its functions."""
    path = folder / "libnvml.so"
    defines = [f"-DWITHOUT_{name}" for name in without]
    subprocess.run(["cc", "-shared", "-fPIC", "-Werror", *defines, "-o", str(path), str(_SOURCE)], check=True)
    return FakeNvml(path)
