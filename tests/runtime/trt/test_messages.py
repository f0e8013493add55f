"""The builder's log, read: each line that people met means one thing to the manifest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from edgekit.runtime.trt.messages import nodes_without_kernel, sort_messages

CASES = json.loads((Path(__file__).resolve().parents[2] / "cases" / "trt_messages.json").read_text("utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_known_lines_keep_their_meaning(case) -> None:
    """A line that is not understood is a slower engine without a reason in its manifest."""
    found = dataclasses.asdict(sort_messages([(severity, text) for severity, text in case["lines"]]))
    expected = {name: tuple(value) if isinstance(value, list) else value for name, value in case["expected"].items()}
    assert expected == {name: found[name] for name in expected}


def test_the_node_without_kernel_is_named() -> None:
    """It tells which layer to look at; the rest of the line is about TensorRT's own source."""
    line = "10: [optimizer.cpp::computeCosts::1855] Could not find any implementation for node /a/Conv + /b/Add.)"
    assert nodes_without_kernel([line, line, "something else"]) == ("/a/Conv + /b/Add",)


def test_a_thousand_unknown_warnings_do_not_fill_the_manifest() -> None:
    """It travels with every release."""
    found = sort_messages([("WARNING", f"{number}: " + "x" * 1000) for number in range(1000)])
    assert len(found.notes) == 20
    assert max(len(note) for note in found.notes) == 300
