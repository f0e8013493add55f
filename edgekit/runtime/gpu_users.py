"""Which other programs hold the GPU open. Without root only the user's own processes can be looked into."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

from edgekit.runtime.sensors.sysfs import found
from edgekit.runtime.v4l2 import holders

# What CUDA opens: on PCs and Thor, on Jetsons with nvgpu up to JetPack 5, and from JetPack 6 on.
_NODES = ("dev/nvidia-uvm", "dev/nvhost-gpu", "dev/nvgpu/igpu*/ctrl")


def find_gpu_users(root: Path = Path("/")) -> Tuple[str, ...]:
    """Such programs, "python3 (process 4711)", each once."""
    nodes = [node for pattern in _NODES for node in found(root, pattern)]
    return tuple(dict.fromkeys(holder for node in nodes for holder in holders(str(node), root / "proc")))
