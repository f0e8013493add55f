"""The strongest power mode that needs no restart, by what each mode gates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.core.nvpmodel import PowerMode
from edgekit.core.power_mode_choice import asks_for_restart, choose_mode, mode_called

SAID = json.loads((Path(__file__).parents[1] / "cases/jetson/nvpmodel_set.json").read_text("utf-8"))
# Modes, gating and order of an Orin NX 16GB Super; the values are those of the vendor's file, which
# LineageOS/android_device_nvidia_concord carries. One CPU and GPU line of many is left.
ORIN_NX_SUPER = """
< PARAM TYPE=FILE NAME=TPC_POWER_GATING >
TPC_PG_MASK /sys/devices/gpu.0/tpc_pg_mask
<PARAM TYPE=CLOCK NAME=EMC >
MAX_FREQ /sys/kernel/nvpmodel_emc_cap/emc_iso_cap
# MAXN_SUPER is the NONE power model to release all constraints
< POWER_MODEL ID=0 NAME=MAXN_SUPER >
CPU_ONLINE CORE_4 1
FBP_POWER_GATING FBP_PG_MASK 2
TPC_POWER_GATING TPC_PG_MASK 240
GPU_POWER_CONTROL_ENABLE GPU_PWR_CNTL_EN on
GPU MAX_FREQ -1

< POWER_MODEL ID=1 NAME=10W >
CPU_ONLINE CORE_4 0
FBP_POWER_GATING FBP_PG_MASK 2
TPC_POWER_GATING TPC_PG_MASK 252
GPU MAX_FREQ 612000000

< POWER_MODEL ID=2 NAME=15W >
CPU_ONLINE CORE_4 0
FBP_POWER_GATING FBP_PG_MASK 2
TPC_POWER_GATING TPC_PG_MASK 252
GPU MAX_FREQ 612000000

< POWER_MODEL ID=3 NAME=25W >
FBP_POWER_GATING FBP_PG_MASK 2
TPC_POWER_GATING TPC_PG_MASK 240

< POWER_MODEL ID=4 NAME=40W >
FBP_POWER_GATING FBP_PG_MASK 2
TPC_POWER_GATING TPC_PG_MASK 240

# mandatory section to configure the default power mode
< PM_CONFIG DEFAULT=4 >
"""


@pytest.mark.parametrize("case", SAID, ids=lambda case: f"{case['board']} {case['command']}")
def test_every_recorded_question_for_a_restart_is_understood(case) -> None:
    """A mode that comes with the next start only must not be taken for the one that was measured."""
    assert asks_for_restart("\n".join(case["lines"])) is case["restart"]


@pytest.mark.parametrize(
    ("present", "best"),
    [("40W", "MAXN_SUPER"), ("25W", "MAXN_SUPER"), ("MAXN_SUPER", "MAXN_SUPER"), ("10W", "15W"), ("15W", "15W")],
)
def test_the_best_mode_gates_no_other_parts_than_the_present_one(present, best) -> None:
    """10W and 15W switch off two thirds of the GPU, which only a restart brings back."""
    choice = choose_mode(ORIN_NX_SUPER, present)
    assert choice.best is not None and choice.best.name == best
    assert choice.strongest == PowerMode(0, "MAXN_SUPER")
    assert choice.strongest_needs_restart is (best == "15W")


def test_boards_that_gate_nothing_may_have_any_mode() -> None:
    """A Xavier NX changes between all of its modes while it runs; its file names no gating."""
    conf = "< POWER_MODEL ID=2 NAME=MODE_15W_6CORE >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=8 NAME=MODE_20W_6CORE >\n"
    choice = choose_mode(conf, "MODE_15W_6CORE")
    assert choice.best == choice.strongest == PowerMode(8, "MODE_20W_6CORE")


@pytest.mark.parametrize("present", [None, "MODE_OF_ANOTHER_BOARD"])
def test_from_an_unknown_mode_no_other_is_in_reach(present) -> None:
    """What it gates is not known, so a restart might be needed."""
    choice = choose_mode(ORIN_NX_SUPER, present)
    assert choice.best is None and choice.strongest_needs_restart


def test_no_configuration_is_no_choice() -> None:
    """A PC has none."""
    assert choose_mode("", "MAXN").strongest is None and mode_called("", "MAXN") is None
    assert mode_called(ORIN_NX_SUPER, "25W") == PowerMode(3, "25W")
