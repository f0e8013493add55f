from __future__ import annotations

import re
from dataclasses import replace

from edgekit.report.gate.markdown import MARKER, render_markdown
from tests.report.gate.test_junit import report


def test_a_comment_has_its_marker_first_and_a_row_for_each_figure():
    """The script that updates a comment looks for the marker, or adds a new comment to every push."""
    made = report(noise_pct=0.5)
    text = render_markdown(made)
    assert text.startswith(MARKER + "\n### ❌ edgekit gate: roadscene on local\n")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == len(made.rows) + 2
    assert {line.count("|") for line in table} == {9}
    assert "❌ **regression**" in text and "How each figure was judged" in text
    assert "not measured on either side: energy a frame, mean power" in text


def test_names_from_result_files_make_no_markup():
    """A device called @everyone or a|b must not mention anybody or break the table."""
    odd = replace(report(), device="a|b @everyone <img src=x> [x](http://y)\n# top", detector="`x`")
    text = render_markdown(odd)
    assert not re.search(r"(?<!\\)@everyone|(?<!\\)<img|\n# top|(?<!\\)\[x\]", text)
    assert "a\\|b" in text


def test_a_gate_that_passes_says_so_first():
    text = render_markdown(report(0.0, noise_pct=0.3))
    assert "✅ edgekit gate" in text and "**Passed" in text
