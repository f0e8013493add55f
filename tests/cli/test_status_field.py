"""What `edgekit status` shows of services that collect frames."""

from __future__ import annotations

import time
from dataclasses import replace

from rich.console import Console

from edgekit.cli.verbs import status as module
from edgekit.control.fleet import Outcome
from edgekit.core.activation import Journal
from edgekit.core.collecting import FieldHealth
from edgekit.core.deployment import ServiceState, StateAnswer
from edgekit.core.service import Health
from edgekit.errors import UnreachableError

NOW_S = time.time()
HEALTH = Health("street", "r" * 16, 7, 900, 1200, 15.0, 20.0, 0, "e" * 16, "int8", NOW_S - 60, NOW_S)
FIELD = FieldHealth(kept=312, kept_mib=96.5, added=20, removed=3, drift=0.412, unseen=("light:night",), looked_at=600)


def outcome(name, *healths):
    journal = Journal("street")
    services = tuple(ServiceState("street", "r" * 16, True, False, 7, 0, journal, health, 0.5) for health in healths)
    return Outcome(name, "answered", StateAnswer((), services))


def shown(*outcomes):
    rows = [("x",) * 10 for each in outcomes for _ in module._field_rows(each)]
    console = Console(width=200)
    with console.capture() as printed:
        console.print(module._table(rows, [cells for each in outcomes for cells in module._field_rows(each)]))
    return [line.split() for line in printed.get().splitlines()]


def test_kept_frames_and_drift_stand_beside_the_service():
    """The first place where anyone looks."""
    early = replace(HEALTH, field=replace(FIELD, drift=None))
    away = Outcome("away", "unreachable", None, UnreachableError("it is off"))
    lines = shown(outcome("gate", replace(HEALTH, field=FIELD)), outcome("yard", early), outcome("hall", HEALTH), away)
    assert lines[0][-2:] == ["kept", "drift"]
    assert [line[10:] for line in lines[1:]] == [["312", "41", "%"], ["312", "-"], ["-", "-"], ["-", "-"]]


def test_the_table_is_as_narrow_as_before_where_nothing_is_collected():
    """Most devices collect nothing, and terminals are 80 wide."""
    lines = shown(outcome("gate", HEALTH), outcome("empty"))
    assert "kept" not in lines[0] and len(lines) == 3
