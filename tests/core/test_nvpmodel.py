"""Power modes go by name: what nvpmodel prints on boards of four JetPacks, and which mode is the strongest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.core.nvpmodel import PowerMode, parse_power_mode, parse_power_modes, stored_power_mode, strongest_mode

CASES = Path(__file__).parents[1] / "cases/jetson"
ANSWERS = json.loads((CASES / "nvpmodel.json").read_text("utf-8"))
BOARDS = json.loads((CASES / "power_modes.json").read_text("utf-8"))
# The headers of /etc/nvpmodel.conf of an AGX Orin 64GB, from the vendor's file; parameters between them.
CONF = """< POWER_MODEL ID=0 NAME=MAXN >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=MODE_15W >
< POWER_MODEL ID=2 NAME=MODE_30W >
< POWER_MODEL ID=3 NAME=MODE_50W >
< PM_CONFIG DEFAULT=2 >
"""


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: f"{case['board']} {case['command']}")
def test_every_recorded_answer_keeps_its_mode(case) -> None:
    """Warnings come before, between or not at all; a line counted from the top would be one of them."""
    assert case["mode"] == parse_power_mode("\n".join(case["lines"]) + "\n")


@pytest.mark.parametrize("case", BOARDS, ids=lambda case: case["board"])
def test_strongest_mode_of_every_known_table(case) -> None:
    """Neither the first nor the last: an Orin Nano's is 0 or 2, a Xavier NX, which has no MAXN, has it at 8."""
    found = strongest_mode(tuple(PowerMode(number, name) for number, name in case["modes"]))
    assert found is not None and found.name == case["strongest"]


def test_modes_of_a_board_are_in_its_configuration() -> None:
    """So that a remedy can name the number that this very board takes."""
    assert [mode.name for mode in parse_power_modes(CONF)] == ["MAXN", "MODE_15W", "MODE_30W", "MODE_50W"]
    assert parse_power_modes("") == () and strongest_mode(()) is None


def test_kept_choice_is_named_by_the_configuration() -> None:
    """The status file holds a number alone, which means another mode on the next board."""
    assert stored_power_mode("pmode:0002 fmode:fan_mode_quiet\n", CONF) == "MODE_30W"
    assert stored_power_mode("pmode:0007\n", CONF) is None
    assert stored_power_mode("", CONF) is None
