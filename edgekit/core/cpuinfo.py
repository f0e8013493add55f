"""/proc/cpuinfo: a CPU's name and the instruction sets that decide which kernels run on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

_FEATURES = re.compile(r"^(?:flags|Features)\s*:\s*(.*)$", re.MULTILINE)
_NAME = re.compile(r"^(?:model name|Model)\s*:\s*(.+)$", re.MULTILINE)
# All that an inference library picks kernels by; the hundred other flags would only fill the profile.
_KNOWN_FEATURES = (
    "amx_int8", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512f", "avx2", "fma", "sse4_2",
    "i8mm", "bf16", "asimddp", "asimdhp", "fphp", "sve", "asimd",
)  # fmt: skip


@dataclass(frozen=True)
class CpuInfo:
    """The first CPU's name, None where the kernel gives none, and its features, in the order of importance."""

    name: Optional[str]
    features: Tuple[str, ...]


def parse_cpuinfo(text: str) -> CpuInfo:
    """Read x86 ("flags", "model name") and Arm ("Features", "Model") texts alike.

    On a chip with cores of several kinds only features that all of them have are listed.
    Source: Linux arch/x86/kernel/cpu/proc.c and arch/arm64/kernel/cpuinfo.c.
    """
    each_core = [set(line.split()) for line in _FEATURES.findall(text)]
    common = set.intersection(*each_core) if each_core else set()
    name = _NAME.search(text)
    return CpuInfo(name.group(1).strip() if name else None, tuple(each for each in _KNOWN_FEATURES if each in common))
