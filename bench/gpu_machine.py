"""What a figure from an NVIDIA GPU depends on, as nvidia-smi tells it; and the board's power while something runs."""

from __future__ import annotations

import os
import statistics
import subprocess
from typing import Any, Dict, List, Optional

_FACTS = ("name", "driver_version", "power.limit", "clocks.max.sm", "clocks.max.mem", "persistence_mode")


def gpu_machine() -> Dict[str, str]:
    """Facts of GPU 0 (the first that CUDA_VISIBLE_DEVICES leaves)."""
    command = ["nvidia-smi", f"--query-gpu={','.join(_FACTS)}", "--format=csv,noheader", *_selected()]
    values = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()[0].split(",")
    return {name: value.strip() for name, value in zip(_FACTS, values)}


class PowerMeter:
    """Samples the GPU's own power reading five times a second while the block runs; the host is not in it."""

    def __init__(self) -> None:
        self.samples_w: List[float] = []
        self._process: Optional[subprocess.Popen[bytes]] = None

    def __enter__(self) -> PowerMeter:
        command = ["nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "-lms", "200", *_selected()]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._process is not None
        self._process.terminate()
        printed = self._process.communicate()[0].decode().split()
        self.samples_w = [float(text) for text in printed if text.replace(".", "", 1).isdigit()]

    @property
    def mean_w(self) -> Optional[float]:
        """None if nothing was sampled."""
        return round(statistics.mean(self.samples_w), 1) if self.samples_w else None


def _selected() -> List[str]:
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return ["-i", wanted.split(",")[0]] if wanted else []
