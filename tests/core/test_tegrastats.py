"""tegrastats of all releases, line by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.core.power_rails import RailReading, board_power
from edgekit.core.tegrastats import TegraSample, interval_argument, parse_tegrastats

CASES = json.loads(
    (Path(__file__).resolve().parents[1] / "cases" / "jetson" / "tegrastats.json").read_text("utf-8"),
)


def named(case):
    return f"{case['board']} | {case['release']}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_every_known_line_keeps_its_meaning(case):
    """A new release may add a line; it may not change what an old one says."""
    assert parse_tegrastats(case["line"]) == TegraSample(**case["expected"])


# Of each board the total by its rule; lines of boards that are told apart by their rails alone.
TOTALS = [
    ("Jetson Nano 4GB", "nano-4gb", 1.022),
    ("Jetson AGX Xavier 32GB", "agx-xavier", 3.346),
    ("Jetson Xavier NX 8GB", "xavier-nx", 4.067),
    ("Jetson AGX Orin 64GB", "agx-orin-64gb", 6.755),
    ("Jetson Orin Nano 8GB Super devkit, MAXN_SUPER", "orin-nano-8gb", 5.790),
    ("Jetson Orin NX 8GB (Super firmware)", "orin-nx-8gb", 13.195),
    ("Jetson AGX Thor T5000", "agx-thor-t5000", 19.780),
]


@pytest.mark.parametrize(("board", "module", "watts"), TOTALS)
def test_a_line_gives_what_its_board_draws(board, module, watts):
    """Rails that look alike mean the whole of one board and a part of another."""
    line = next(case["line"] for case in CASES if case["board"] == board)
    sample = parse_tegrastats(line)
    readings = [RailReading(name, milliwatts=mw) for name, mw in sample.rails_mw.items()]
    assert board_power(module, readings).watts == pytest.approx(watts)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "NVPM WARN: fan mode is not set!",
        "/usr/bin/tegrastats: 8: exec: not found",
        "Cannot access fuse info",
        "RAM none/7620MB",
        "VDD_IN 5000mW/5000mW",
        "\0\ufffd RA",
    ],
)
def test_what_is_no_line_is_none(line):
    """Warnings come before the first line; a part of one that was cut off would be half a figure."""
    assert parse_tegrastats(line) is None


def test_a_rail_that_is_off_may_be_below_zero_and_a_line_that_is_cut_off_loses_the_rail():
    """-392 would be read as 392, and "1622mW/1" as a whole figure is one only if nothing was cut off before it."""
    assert parse_tegrastats("RAM 1/2MB VDD_GPU -392mW/-392mW").rails_mw == {"VDD_GPU": -392}
    assert parse_tegrastats("RAM 1/2MB VDD_IN 5000mW/5000mW VDD_SOC 1622m").rails_mw == {"VDD_IN": 5000}
    assert parse_tegrastats("RAM 1/2MB VDD_IN 5000mW/").rails_mw == {}


def test_the_interval_is_whole_milliseconds_and_never_none():
    """0 would make it write as fast as it can."""
    assert interval_argument(0.1) == ("--interval", "100")
    assert interval_argument(0.0) == ("--interval", "1")
