"""The page of `edgekit history plot`: every figure where it belongs, and nothing that a file could have put there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.refresh import OUTCOMES
from edgekit.report.history.charts import HEIGHT_PX, MOST, _drawn, panels_of
from edgekit.report.history.page import render_history
from edgekit.report.history.page_texts import _TABLE, page_text
from edgekit.report.history.series import SHOWN
from edgekit.report.history.store import open_history
from edgekit.report.history.timeline import merged
from tests.report.history.made_up_records import record, refresh
from tests.report.history.test_store import disturbed, numbered
from tests.report.made_up import engine


@pytest.fixture
def listed(tmp_path):
    def of(*results, live: bool = False):
        with open_history(str(tmp_path / "history.db")) as history:
            history.add_all(results, live=live)
            return history.listed()

    return of


def fps_chart(rows, key="fps"):
    (panel,) = panels_of(rows)
    return next(chart for chart in panel.charts if chart.figure.key == key)


@pytest.fixture
def line(tmp_path):
    """A line of time of results and records."""

    def of(results, records=()):
        with open_history(str(tmp_path / "history.db")) as history:
            history.add_all(results, live=True)
            history.records.add_all(records)
            kinds = history.listed(), history.records.evaluations(), history.records.refreshes()
            return merged(*kinds, totals={}, judged=kinds[1])

    return of


def test_a_change_of_a_thousandth_is_not_drawn_over_the_whole_height():
    """Two runs that agree would look like a landslide, and both ends of the plot would bear the same number."""
    low, high = _drawn(2171.9, 2173.7)
    assert (low, high) == pytest.approx((2172.8 - 21.737, 2172.8 + 21.737))
    assert _drawn(20.0, 30.0) == (20.0, 30.0)
    assert _drawn(0.747, 0.747) == (0.747, 0.747)
    assert _drawn(-1.0, 0.0) == (-1.0, 0.0)


def test_dots_go_from_left_to_right_in_time_and_up_with_the_value(listed):
    """A plot drawn upside down turns every gain into a loss."""
    chart = fps_chart(listed(*(numbered(number, fps=fps) for number, fps in enumerate((20.0, 30.0, 25.0)))))
    assert [dot.value for dot in chart.dots] == [20.0, 30.0, 25.0]
    across = [dot.at_pct for dot in chart.dots]
    assert across == sorted(across)
    assert all(0 <= at_pct <= 100 for at_pct in across)
    tops = [dot.top_px for dot in chart.dots]
    assert tops[1] < tops[2] < tops[0]
    assert (chart.low, chart.high) == pytest.approx((19.6, 30.6))  # the ends of the intervals fit into the plot
    assert all(0 <= dot.high_px < dot.top_px < dot.low_px <= HEIGHT_PX for dot in chart.dots)


def test_the_first_result_of_another_engine_is_marked_and_disturbed_ones_are_not_drawn(listed):
    """A jump is explained by the release it came with."""
    other = engine(engine_id="another")
    chart = fps_chart(listed(numbered(1), disturbed(2), numbered(3, engine=other), numbered(4, engine=other)))
    assert [(dot.row.result_id, dot.release) for dot in chart.dots] == [
        ("r00001", False),
        ("r00003", True),
        ("r00004", False),
    ]


def test_a_long_series_is_drawn_with_its_newest_results(listed):
    """A thousand dots in a line show nothing."""
    (panel,) = panels_of(listed(*(numbered(number) for number in range(MOST + 5))))
    assert panel.shown == MOST
    assert panel.charts[0].dots[-1].row.result_id == f"r{MOST + 4:05}"
    assert panel.series.results == MOST + 5


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_tells_what_is_drawn_and_what_is_not(line, lang):
    """What was left out without a word is missed by nobody."""
    back = replace(numbered(0), result_id="back")
    found = line([numbered(1, fps=20.0), numbered(2, fps=22.0), disturbed(3), back])
    page = render_history(found, lang=lang)
    assert page_text(lang, "left_out", count=1) in page
    assert "throttled at 97 C" in page
    assert page_text(lang, "clock_is", other="r00003") in page
    assert page.count("<svg") == 4  # FPS, p99, memory and mAP were measured; power and energy were not
    assert page_text(lang, "watts") not in page
    assert "://" not in page  # nothing is fetched, nothing linked


def test_names_out_of_files_are_text_on_the_page(line):
    """A result file comes from another machine; its device may be called anything."""
    page = render_history(line([numbered(1, device="<script>alert(1)</script>", git_branch='"><img src=x>')]))
    assert "<script" not in page
    assert "<img" not in page


def test_what_engines_kept_is_drawn_at_the_places_of_their_results(line):
    """Speed and its price one below the other: a gain of FPS that cost accuracy is seen at one glance."""
    new, unjudged = engine("int8", engine_id="new"), engine("int8", engine_id="unjudged")
    results = [numbered(n, engine=one) for n, one in enumerate((engine("int8"), unjudged, new, new))]
    found = line(results, [record(kept=0.97), record(kept=0.995, evaluation_id="e", engine_id="new")])
    fps, kept = fps_chart(found.kept), fps_chart(found.kept, "map_kept_pct")
    assert [dot.value for dot in kept.dots] == pytest.approx([97.0, 99.5, 99.5])
    assert [dot.at_pct for dot in kept.dots] == [fps.dots[index].at_pct for index in (0, 2, 3)]
    assert [dot.release for dot in kept.dots] == [False, True, False]
    assert all(dot.high_px < dot.top_px < dot.low_px for dot in kept.dots)
    (panel,) = panels_of(found.kept)
    assert [chart.figure.key for chart in panel.charts][:2] == ["fps", "map_kept_pct"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_evaluations_and_refreshes_are_told_with_their_verdicts(line, lang):
    """Why the line moved: what was judged, and what became of each refresh."""
    outcomes = [refresh(outcome, f"2001-01-0{day}T00:00:00.000Z") for day, outcome in enumerate(OUTCOMES, start=1)]
    by_model = record(kept=0.97, labelled_by="model", evaluation_id="e")
    page = render_history(line([numbered(1, engine=engine("int8"))], [record(), by_model, *outcomes]), lang=lang)
    for key in ("passed", "not_passed", "agreement_mark", *(f"outcome_{outcome}" for outcome in OUTCOMES)):
        assert page_text(lang, key) in page, key
    assert page_text(lang, "kept_share", kept="99.0 %", reference="FP32") in page
    assert page_text(lang, "kept_of", reference="FP32", dataset="roadscene-frozen").replace("'", "&#39;") in page
    assert "98.5–99.5" in page and "night 97.5 %" in page
    assert "roadscene-day → roadscene-day-local-1" in page
    assert "://" not in page


def test_a_project_that_was_never_benched_has_a_page_too(line):
    """A refresh runs on machines where nobody measures."""
    page = render_history(line([], [record(), refresh()]))
    assert page_text("en", "refreshes") in page and "2001-01-01 00:00" in page
    assert "<svg" not in page


def test_every_figure_that_is_drawn_has_words_in_both_languages():
    """A missing word is found here, not when the first board with a power sensor is drawn."""
    assert set(SHOWN) <= set(_TABLE)
    assert all(all(words) for words in _TABLE.values())
