"""Which of a machine's GPUs is CUDA's first, by what its driver and the environment say.

Source: CUDA C programming guide, environment variables: CUDA numbers the fastest GPU first unless CUDA_DEVICE_ORDER is
PCI_BUS_ID, which is the order of NVML; CUDA_VISIBLE_DEVICES takes numbers, or beginnings of UUIDs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence


@dataclass(frozen=True)
class GpuName:
    """A GPU as NVML lists it, in the order of the PCI bus."""

    name: str
    uuid: str


def first_cuda_gpu(gpus: Sequence[GpuName], environment: Mapping[str, str]) -> Optional[int]:
    """The index of the GPU that CUDA calls 0; None if it cannot be told, or if CUDA is to see none."""
    chosen = environment.get("CUDA_VISIBLE_DEVICES", "0" if gpus else "-1").split(",")[0].strip()
    by_uuid = [index for index, gpu in enumerate(gpus) if chosen.startswith("GPU-") and gpu.uuid.startswith(chosen)]
    if by_uuid:
        return by_uuid[0]
    if not chosen.isdecimal() or int(chosen) >= len(gpus):
        return None
    alike = len({gpu.name for gpu in gpus}) == 1
    return int(chosen) if alike or environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" else None
