"""One line of tegrastats, the program that every Jetson has: memory, load, clocks, temperatures and power.

What a line holds differs by release and by who runs it: without root the GPU's clock is missing, and on Thor its load
too. Rails are milliwatts: "VDD_IN 4067/4067" up to JetPack 4, "4067mW/4067mW" since 5, a third figure since 7.2. The
first is of now; the second is the mean since tegrastats was started, which is nobody's benchmark.
Source: Jetson Linux Developer Guide, tegrastats; lines of all releases in tests/cases/jetson/tegrastats.json.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

_RAM = re.compile(r"\bRAM (\d+)/(\d+)MB")
# Before the rails: on AGX Xavier "GPU 0/0" and "CPU 311/311" are rails, "CPU [..]" and "GPU@37.5C" are not.
_RAIL = re.compile(r"(?<!\S)([A-Za-z]\w*)\s+(-?\d+)(?:mW)?(?:/-?\d+(?:mW)?){1,2}(?!\S)")
_TEMPERATURE = re.compile(r"(?<!\S)(\w+)@(-?\d+(?:\.\d+)?)C(?:/-?\d+(?:\.\d+)?C)?(?!\S)")
_CPUS = re.compile(r"\bCPU \[([^\]]*)\]")
_CPU = re.compile(r"(\d+)%@\d+")
# "0%@76", "0%@[305,305]", "0%" without root, "@[314,314,314]" without a load on Thor.
_GPU = re.compile(r"\bGR3D_FREQ\s+(?:(\d+)%)?(?:@\[?(\d+))?")

_GATED_C = -256.0
_NOT_CONNECTED = "NC"


@dataclass(frozen=True)
class TegraSample:
    """What a line says of the moment it was written at. None: this line does not say.

    cpu_load_pct: the mean of the cores that are on. gpu_mhz: of the first of its parts. temperatures_c and rails_mw by
    their names in the line; zones that are switched off and channels that are not connected are left out.
    """

    ram_used_mib: int
    ram_total_mib: int
    cpu_load_pct: Optional[float]
    gpu_load_pct: Optional[int]
    gpu_mhz: Optional[int]
    temperatures_c: Dict[str, float]
    rails_mw: Dict[str, int]


def parse_tegrastats(line: str) -> Optional[TegraSample]:
    """Read one line; None if it is something else, as the warnings are that tegrastats may begin with."""
    ram = _RAM.search(line)
    if ram is None:
        return None
    gpu = _GPU.search(line)
    return TegraSample(
        ram_used_mib=int(ram.group(1)),
        ram_total_mib=int(ram.group(2)),
        cpu_load_pct=_cpu_load(line),
        gpu_load_pct=_whole(gpu.group(1)) if gpu else None,
        gpu_mhz=_whole(gpu.group(2)) if gpu else None,
        temperatures_c={name: float(c) for name, c in _TEMPERATURE.findall(line) if float(c) != _GATED_C},
        rails_mw={name: int(mw) for name, mw in _RAIL.findall(line) if name != _NOT_CONNECTED},
    )


def interval_argument(every_s: float) -> Tuple[str, str]:
    """The arguments that let it write a line every so often; it knows whole milliseconds."""
    return "--interval", str(max(1, round(every_s * 1000)))


def _cpu_load(line: str) -> Optional[float]:
    cpus = _CPUS.search(line)
    loads = [int(load) for load in _CPU.findall(cpus.group(1))] if cpus else []
    return round(sum(loads) / len(loads), 1) if loads else None


def _whole(text: Optional[str]) -> Optional[int]:
    return None if text is None else int(text)
