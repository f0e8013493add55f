"""The Jetson modules there are, and which one a device tree describes.

Source: the module table of jetson_stats, the compatible lists of NVIDIA's jetson-gpio, the nvpmodel files that come
with the boards; DLA cores from the FAQ of NVIDIA's Deep-Learning-Accelerator-SW. What a board really offers its
TensorRT says; this table only names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

# The compute capability x 10 of each chip.
_CHIPS = {"tegra210": 53, "tegra186": 62, "tegra194": 72, "tegra234": 87, "tegra264": 110}
_PART = re.compile(r"p\d{4}-\d{4}")
_NO_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Board:
    """A kind of module. None: it is sold with several, or not known."""

    module: str  # names it in engine keys: "orin-nano-8gb"
    title: str
    chip: str
    parts: Tuple[str, ...]  # what its device tree calls it: part numbers, or names from before there were any
    memory_gib: Optional[int] = None
    dla_cores: Optional[int] = None
    supported: bool = True  # False: its last JetPack is 4, whose Python edgekit does not run on

    @property
    def known(self) -> bool:
        """True if it is in BOARDS; else it was named after its part number."""
        return self in BOARDS

    @property
    def sm(self) -> int:
        """Compute capability x 10."""
        return _CHIPS[self.chip]


_AGX_XAVIER = (
    *("p2888-0001", "p2888-0003", "p2888-0004", "p2888-0005", "p2888-0006", "p2888-0008", "p2972-0000", "p2972-0006"),
    *("galen", "jetson-xavier", "galen-industrial", "jetson-xavier-industrial"),
)
BOARDS = (
    Board("agx-thor-t5000", "Jetson AGX Thor (T5000)", "tegra264", ("p3834-0008",), 128, 0),
    Board("thor-t4000", "Jetson T4000", "tegra264", ("p3834-0000",), 64, 0),
    Board("agx-orin-64gb", "Jetson AGX Orin 64GB", "tegra234", ("p3701-0005",), 64, 2),
    Board("agx-orin-32gb", "Jetson AGX Orin 32GB", "tegra234", ("p3701-0004",), 32, 2),
    Board("agx-orin-32gb-devkit", "Jetson AGX Orin 32GB kit", "tegra234", ("p3701-0000", "p3701-0001"), 32, 2),
    Board("agx-orin-industrial", "Jetson AGX Orin Industrial", "tegra234", ("p3701-0008",), 64, 2),
    Board("igx-orin", "IGX Orin", "tegra234", ("p3701-0002",)),
    Board("orin-nx-16gb", "Jetson Orin NX 16GB", "tegra234", ("p3767-0000", "p3767-0002"), 16, 2),
    # Sources disagree on one or two DLA cores.
    Board("orin-nx-8gb", "Jetson Orin NX 8GB", "tegra234", ("p3767-0001",), 8),
    Board("orin-nano-8gb", "Jetson Orin Nano 8GB", "tegra234", ("p3767-0003", "p3767-0005"), 8, 0),
    Board("orin-nano-4gb", "Jetson Orin Nano 4GB", "tegra234", ("p3767-0004",), 4, 0),
    Board("agx-xavier", "Jetson AGX Xavier", "tegra194", _AGX_XAVIER, None, 2),
    Board("xavier-nx", "Jetson Xavier NX", "tegra194", ("p3668-0000", "p3668-0001", "p3668-0003"), None, 2),
    Board(
        "nano-4gb",
        "Jetson Nano",
        "tegra210",
        ("p3448-0000", "p3448-0002", "p3450-0000", "p3450-0002", "jetson-nano"),
        4,
        0,
        supported=False,
    ),
    Board("nano-2gb", "Jetson Nano 2GB", "tegra210", ("p3448-0003",), 2, 0, supported=False),
    Board("tx2-nx", "Jetson TX2 NX", "tegra186", ("p3636-0001",), 4, 0, supported=False),
    Board("tx2", "Jetson TX2", "tegra186", ("p3310-1000", "p3489-0000", "p3489-0888", "quill"), None, 0, False),
    Board("tx1", "Jetson TX1", "tegra210", ("p2180-1000",), 4, 0, supported=False),
)
_BY_PART: Dict[str, Board] = {part: board for board in BOARDS for part in board.parts}


def identify_board(compatible: str, model: str = "") -> Optional[Board]:
    """The board that a device tree describes; None where it is no Jetson's.

    compatible, model: the texts of these nodes of its device tree, with their NULs. The part number decides:
    boards of different memory share one model text. A module that is not in the table is named after its part number,
    or else its model, so that it never shares engines with another kind.
    """
    entries = [entry for entry in compatible.split("\0") if entry.startswith("nvidia,")]
    chip = next((name for name in _CHIPS if f"nvidia,{name}" in entries), None)
    if chip is None:
        return None
    names = [_module_name(entry) for entry in entries]
    for name in names:
        if name in _BY_PART and _BY_PART[name].chip == chip:
            return _BY_PART[name]
    parts = [_module_name(entry) for entry in entries if "+" in entry]
    title = model.strip("\0 \n")
    name = f"{chip}-{slug(parts[0] if parts else title)}".rstrip("-")
    return Board(name, title or name, chip, tuple(parts[:1]))


def _module_name(entry: str) -> str:
    # "nvidia,p3768-0000+p3767-0005-super": the carrier board, the module on it, and its configuration.
    name = entry[len("nvidia,") :].rpartition("+")[2]
    found = _PART.match(name)
    return found.group() if found else name


def slug(text: str) -> str:
    """A name for file names and engine keys: "NVIDIA H200" -> "nvidia-h200"."""
    return _NO_WORD.sub("-", text.lower()).strip("-")
