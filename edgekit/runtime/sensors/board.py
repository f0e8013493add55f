"""Which Jetson module the device tree below a root describes."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from edgekit.core.boards import identify_board
from edgekit.runtime.sensors.sysfs import text_of

_DEVICE_TREES = ("sys/firmware/devicetree/base", "proc/device-tree")


def find_module(root: Path) -> Optional[str]:
    """Its name as in core.boards, "orin-nano-8gb"; None where the machine is no Jetson."""
    for tree in _DEVICE_TREES:
        compatible = text_of(root / tree / "compatible")
        if compatible:
            board = identify_board(compatible, text_of(root / tree / "model") or "")
            return board.module if board else None
    return None
