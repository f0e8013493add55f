"""What was usual, and how it went: only of results that may stand in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.report.history.series import series_of, sparkline
from edgekit.report.history.store import open_history
from tests.report.history.test_store import disturbed, numbered
from tests.report.made_up import CONDITIONS, engine


@pytest.fixture
def series(tmp_path):
    def of(*results):
        with open_history(str(tmp_path / "history.db")) as history:
            history.add_all(results)
            return series_of(history.listed())

    return of


def test_a_series_says_now_against_what_was_usual_before(series):
    """The newest result in its own median would hide half of every jump."""
    (one,) = series(*(numbered(number, fps=fps) for number, fps in enumerate((20.0, 22.0, 21.0, 42.0))))
    fps = next(line for line in one.lines if line.key == "fps")
    assert fps.values == (20.0, 22.0, 21.0, 42.0)
    assert (fps.newest, fps.median, fps.low, fps.high) == (42.0, 21.5, 20.0, 42.0)
    assert fps.change_pct == pytest.approx(100)
    assert (one.first_utc, one.last_utc) == ("2001-01-01T00:00:00Z", "2001-01-01T00:03:00Z")


def test_results_of_other_conditions_and_disturbed_ones_stand_in_no_line_together(series):
    """A line that falls because the camera became another one tells a regression that is none."""
    found = series(
        numbered(1),
        numbered(2, engine=replace(engine(), model_sha256="9" * 64)),  # another release of the model: the same line
        disturbed(3),
        numbered(4, conditions=replace(CONDITIONS, batch=2)),
        numbered(5, device="yard"),
    )
    assert [(one.device, one.results, one.left_out) for one in found] == [
        ("yard", 1, 0),
        ("local", 1, 0),
        ("local", 2, 1),
    ]


def test_a_figure_that_was_never_measured_has_no_line(series):
    """A line at zero watts would be drawn for every PC."""
    (one,) = series(numbered(1), numbered(2))
    assert {line.key for line in one.lines} == {"fps", "p99_ms", "memory_mib", "map50_95"}
    assert series_of(()) == ()


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ((1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0), "▁▂▃▄▅▆▇█"),
        ((5.0, 5.0, 5.0), "▄▄▄"),
        ((7.0,), "▄"),
        ((), ""),
        ((0.0, 1.0) * 40, "▁█" * 20),
    ],
)
def test_bars_go_from_the_lowest_to_the_highest_value(values, bars):
    """Equal values are no trend, and a long history must fit a line."""
    assert sparkline(values) == bars
