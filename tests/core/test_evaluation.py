"""The lines of an evaluation, in the order in which they are shown."""

from __future__ import annotations

from edgekit.core.evaluation import EngineFigures, Evaluation, rows_of
from edgekit.core.gate import Gate, StratumKept
from edgekit.core.results import Accuracy
from edgekit.core.wire import from_wire, to_wire


def figures(name, scale):
    accuracy = Accuracy(
        "frozen",
        "0" * 64,
        40,
        0.7 * scale,
        0.9,
        {"day": 0.8 * scale, "night": 0.6 * scale},
        {"car": 0.7 * scale, "bus": 0.0},
        {"size:tiny": 0.4 * scale},
        {"small": 0.3 * scale, "large": 0.9 * scale},
    )
    return EngineFigures(name, "ab" * 8, name[:4].lower(), accuracy, None)


def kept(stratum, share, verdict="kept"):
    return StratumKept(stratum, 20, 60, 0.7, 0.7 * share, share, share - 0.01, share + 0.01, verdict)


GATE = Gate(
    "FP32 engine a", "INT8 engine b", "frozen", "0" * 64, (kept("all", 0.9), kept("rare", 0.0, "not judged")), 400
)
PAIR = Evaluation("local", "tiny", "frozen", "0" * 64, "people", figures("INT8 b", 0.9), figures("FP32 a", 1.0), GATE)


def test_an_engine_alone_has_figures_and_no_shares():
    """A share without a baseline would be one of nothing."""
    rows = rows_of(Evaluation("local", "tiny", "frozen", "0" * 64, "people", figures("FP32 a", 1.0), None, None))
    assert [(row.group, row.name) for row in rows] == [
        ("all", "all"),
        ("stratum", "day"),
        ("stratum", "night"),
        ("stratum", "size:tiny"),
        ("size", "small"),
        ("size", "large"),
        ("class", "car"),
        ("class", "bus"),
    ]
    assert all(row.kept is None and row.baseline_map is None for row in rows)


def test_shares_of_sizes_and_classes_are_told_and_those_of_nothing_are_not():
    """0 of 0 is not 100 %, and a row that was not judged shows no share that could be read as a verdict."""
    rows = {row.name: row for row in rows_of(PAIR)}
    assert round(rows["car"].kept, 6) == 0.9 and rows["car"].verdict is None
    assert rows["bus"].kept is None
    assert (rows["rare"].kept, rows["rare"].verdict) == (None, "not judged")
    assert (rows["all"].kept, rows["all"].verdict) == (0.9, "kept")


def test_it_travels_as_json_and_back():
    """--json is what scripts and other machines read."""
    assert from_wire(Evaluation, to_wire(PAIR)) == PAIR


def test_accuracy_of_older_records_is_still_read():
    """Verifications and results on disk lack strata and sizes."""
    old = to_wire(PAIR.candidate.accuracy)
    del old["per_stratum"], old["per_size"]
    read = from_wire(Accuracy, old)
    assert (read.per_stratum, read.per_size) == ({}, {})
