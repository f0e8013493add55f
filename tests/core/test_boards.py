"""Which Jetson a device tree describes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.core.boards import BOARDS, identify_board, slug

CASES = json.loads((Path(__file__).parents[1] / "cases/jetson/device_trees.json").read_text("utf-8"))


def tree(*entries: str) -> str:
    return "".join(f"{entry}\0" for entry in entries)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["board"])
def test_known_trees_name_their_module(case) -> None:
    """The module is the first part of every engine key."""
    board = identify_board(tree(*case["compatible"]), case["model"] + "\0")
    assert board is not None and case["module"] == board.module


@pytest.mark.parametrize(
    ("part", "module"),
    [
        (("p3767-0000"), "orin-nx-16gb"),
        (("p3767-0001"), "orin-nx-8gb"),
        (("p3767-0004"), "orin-nano-4gb"),
        (("p3767-0005"), "orin-nano-8gb"),
    ],
)
def test_modules_on_one_carrier_are_told_apart_by_their_part_number(part: str, module: str) -> None:
    """Their model texts are the same; an engine tuned on 16 GB may not load on 8."""
    board = identify_board(tree(f"nvidia,p3768-0000+{part}", "nvidia,tegra234"), "Engineering Reference")
    assert board is not None and module == board.module


def test_unknown_module_is_named_after_its_part_and_not_after_a_known_one() -> None:
    """A module newer than this table must neither fail nor share engines with another."""
    board = identify_board(tree("acme,carrier", "nvidia,p9999-0000+p3767-0099-super", "nvidia,tegra234"), "ACME box\0")
    assert board is not None
    assert (board.module, board.sm, board.dla_cores) == ("tegra234-p3767-0099", 87, None)
    unnamed = identify_board(tree("nvidia,tegra264"), "ACME Box 2\0")
    assert unnamed is not None and unnamed.module == "tegra264-acme-box-2"


@pytest.mark.parametrize("compatible", ["", tree("raspberrypi,4-model-b", "brcm,bcm2711"), tree("nvidia,tegra999")])
def test_other_machines_are_no_jetsons(compatible: str) -> None:
    """A Raspberry Pi has a device tree too."""
    assert identify_board(compatible, "Raspberry Pi 4") is None


def test_every_part_number_names_one_board() -> None:
    """A part in two rows would make the second unreachable."""
    parts = [part for board in BOARDS for part in board.parts]
    assert sorted(set(parts)) == sorted(parts)
    modules = [board.module for board in BOARDS]
    assert sorted(set(modules)) == sorted(modules) == sorted(map(slug, modules))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NVIDIA H200", "nvidia-h200"),
        ("NVIDIA GeForce RTX 4090", "nvidia-geforce-rtx-4090"),
        ("Orin (nvgpu)", "orin-nvgpu"),
    ],
)
def test_a_pc_is_named_after_its_gpu(name: str, expected: str) -> None:
    """It becomes part of keys and folder names."""
    assert expected == slug(name)
