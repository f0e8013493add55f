"""Whether clocks are locked, from what boards print and from what the kernel says without root."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.core.jetson_clocks import ClockRange, clocks_locked, parse_cpu_clocks, parse_jetson_clocks

CASES = {
    case["board"]: "\n".join(case["lines"]) + "\n"
    for case in json.loads((Path(__file__).parents[1] / "cases/jetson/jetson_clocks.json").read_text("utf-8"))
}


def test_orin_nano_lets_its_clocks_vary() -> None:
    """GPU and memory count too: a CPU may be locked alone."""
    clocks = parse_jetson_clocks(CASES["Jetson Orin Nano Super devkit"])
    assert [clock.name for clock in clocks] == ["cpu0", "cpu4", "GPU", "EMC"]
    assert clocks[2] == ClockRange("GPU", 306_000_000, 1_020_000_000)
    assert clocks_locked(clocks) is False


def test_processors_without_a_gpu_line_are_read() -> None:
    """The text may end early, and cpu10 comes before cpu2."""
    clocks = parse_jetson_clocks(CASES["Jetson AGX Orin early unit"])
    assert [clock.name for clock in clocks] == ["cpu0", "cpu1", "cpu10", "cpu11", "cpu2"]


def test_without_root_there_is_no_answer_and_no_guess() -> None:
    """ "Not locked" would be a finding about a board that nobody looked at."""
    assert clocks_locked(parse_jetson_clocks(CASES["any board, run without root"])) is None


def test_the_kernel_answers_without_root() -> None:
    """jetson_clocks raises the lowest clock to the highest; lines the kernel left half empty are passed over."""
    assert clocks_locked(parse_cpu_clocks("policy0\t1907200\t1907200\npolicy2\t1907200\t1907200")) is True
    assert clocks_locked(parse_cpu_clocks("policy0\t1190400\t1907200\npolicy2\t\t")) is False
    assert clocks_locked(parse_cpu_clocks("")) is None


def test_memory_that_is_held_counts_as_locked() -> None:
    """jetson_clocks leaves the range of memory open and holds it by an override: seen on a Thor."""
    clocks = parse_jetson_clocks(CASES["Jetson AGX Thor devkit after jetson_clocks"])
    assert {"gpu-gpc-0", "gpu-nvd-0", "EMC"} <= {clock.name for clock in clocks}
    assert clocks_locked(clocks) is True
