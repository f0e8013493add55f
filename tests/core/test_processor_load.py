"""Other programs' share of the processors, from texts of /proc."""

from __future__ import annotations

import pytest

from edgekit.core.processor_load import OtherLoad, ProcessorTimes, load_between, parse_program, parse_stat

STAT = """cpu  1000 10 500 8000 200 0 90 200 300 0
cpu0 500 5 250 4000 100 0 45 100 150 0
intr 12345
"""
# The form of man 5 proc_pid_stat; the name is what a program calls itself.
PROGRAM = "4711 (tmux: server) (x)) S 1 4711 4711 0 -1 4194560 1291 0 0 0 {user} {system} 0 0 20 0 1 0 100 9 7"


def test_idle_time_is_told_from_the_rest() -> None:
    """Guest time is in user time already: counted twice, a host of virtual machines would seem busier than it is."""
    assert parse_stat(STAT) == (10_000, 8_200)
    assert parse_stat("intr 1 2 3\n") is None
    assert parse_stat("cpu  1 2 x\n") is None


def test_a_programs_name_may_hold_anything() -> None:
    """Fields counted from the left would be wrong ones."""
    assert parse_program(PROGRAM.format(user=30, system=12)) == ("tmux: server) (x)", 42)
    assert parse_program("4711 (cut") is None
    assert parse_program("") is None


def test_our_own_work_is_no_disturbance() -> None:
    """100 ticks passed on all cores, 60 idle: 25 of the others were ours."""
    before = ProcessorTimes(1000, 500, {1: ("init", 5), 7: ("edgekit", 10), 8: ("python3", 100)})
    after = ProcessorTimes(1100, 560, {1: ("init", 5), 7: ("edgekit", 35), 8: ("python3", 112)})
    assert load_between(before, after, own=(7,)) == OtherLoad(15.0, ("python3",))


def test_the_busiest_are_named_once_most_first() -> None:
    """A browser has a dozen processes of one name; together they may be the busiest. A new one counts."""
    before = ProcessorTimes(0, 0, {1: ("chrome", 0), 2: ("chrome", 0), 3: ("cc1plus", 0)})
    after = ProcessorTimes(
        1000, 0, {1: ("chrome", 200), 2: ("chrome", 250), 3: ("cc1plus", 300), 4: ("ld", 20), 5: ("sh", 2)}
    )
    assert load_between(before, after, own=()).busiest == ("chrome", "cc1plus", "ld")


@pytest.mark.parametrize("total", [1000, 900])
def test_no_time_passed_is_not_measured(total) -> None:
    """Two looks within one tick, or counters that began anew, say nothing; 0 % would be a claim."""
    assert load_between(ProcessorTimes(1000, 500), ProcessorTimes(total, 500), own=()) == OtherLoad(None, ())
