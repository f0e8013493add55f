"""The review: every figure follows from measurements and the user's own prices, by rules that can be done by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.core.gate import Gate, StratumKept
from edgekit.core.refresh import FrameCounts, Refresh
from edgekit.report.load import ResultsFolder
from edgekit.report.review.forms import cells, render_review_html, render_review_markdown, review_document
from edgekit.report.review.making import make_review
from edgekit.report.review.prices import HandHours, Prices
from edgekit.report.review.records import Deployed, ProjectRecords
from edgekit.report.review.texts import _TABLE
from edgekit.report.summary import summarise
from edgekit.report.texts import LANGUAGES
from tests.report.made_up import disturbed, in_rounds, powered, result, with_streams
from tests.report.test_page import HOSTILE, Outline

FP32, INT8 = powered(result(), 9.0), powered(result("int8", map50_95=0.494), 7.0)
PRICES = Prices(
    currency="EUR",
    cameras=40,
    fps_per_camera=10.0,
    hours_per_year=8760.0,
    device_price=600.0,
    electricity_per_kwh=0.3,
    years=4.0,
    battery_wh=100.0,
    engineer_hour=80.0,
    hours_by_hand=HandHours(deploy=1.5, refresh=8.0, report=2.0),
)
GATE = Gate("FP32 engine 1", "INT8 engine 2", "frozen", "5" * 64, (), 400)
REFUSED = FrameCounts(refused={"x": 3})
RECORDS = ProjectRecords(
    devices=3,
    deployed=(Deployed("a", "roadscene", "int8", 12.0, True), Deployed("b", "roadscene", "int8", 2.0, False)),
    refreshes=(
        Refresh("a", "s", "roadscene", "2001-01-01", "promoted", "", duration_s=120.0),
        Refresh(
            "a", "s", "roadscene", "2001-01-02", "kept", "", duration_s=240.0, frames=FrameCounts(refused={"x": 3})
        ),
        Refresh("a", "s", "roadscene", "2001-01-03", "failed", "", duration_s=9.0),
    ),
    gates=(replace(GATE, rows=(StratumKept("all", 9, 9, 0.5, 0.4, 0.8, 0.7, 0.9, "lost"),)),),
    regression_gates=(True, False, True),
    builds_s=(60.0, 120.0),
    results=7,
    first_utc="2001-01-01T00:00:00Z",
    last_utc="2001-01-03T00:00:00Z",
)


def review_of(*results, prices=PRICES, records=RECORDS):
    made = summarise(
        results,
        ResultsFolder(tuple(results), ()),
        None,
        created_utc="2001-01-03T00:00:00Z",
        edgekit_version="0.0.0",
    )
    return make_review(made, prices, records)


def line(review, key):
    lines = (*review.figures, *review.business, *review.team)
    return next(one for one in lines if one.key == key)


def shown(review, key):
    return cells(line(review, key), review, "en")


def test_devices_by_hand():
    """19.6 and 39.2 FPS at 10 each are 1 and 3 cameras: 40 devices and 14, which would carry 120."""
    review = review_of(FP32, INT8)
    assert (line(review, "streams_divided").before, line(review, "streams_divided").after) == (1, 3)
    assert (line(review, "devices").before, line(review, "devices").after) == (40, 14)
    assert (line(review, "same_devices").before, line(review, "same_devices").after) == (40, 120)
    assert line(review, "devices").verdict == "better"


def test_of_several_rounds_the_slowest_decides_how_many_cameras_a_device_carries():
    """And power is the median's."""
    rounds = tuple(powered(made, watts) for made, watts in zip(in_rounds("int8", 33, 29, 36), (6.0, 7.0, 9.0)))
    review = review_of(*rounds)
    assert line(review, "streams_divided").after == 2
    assert line(review, "power_mean").after == 7.0


def test_energy_by_hand():
    """3 W idle and 0.3 or 0.1 J a frame above it; 400 frames a second in all."""
    review = review_of(FP32, INT8)
    before_w, after_w = 40 * 3 + 400 * 0.3, 14 * 3 + 400 * 0.1
    energy = line(review, "energy_year_load")
    assert (energy.before, energy.after) == pytest.approx((before_w * 8.76, after_w * 8.76))
    assert line(review, "energy_cost").after == pytest.approx(after_w * 8.76 * 0.3)
    assert line(review, "device_cost").after == 8400
    assert line(review, "total_cost").after == pytest.approx(8400 + 4 * after_w * 8.76 * 0.3)
    assert line(review, "battery_load").after == pytest.approx(100 / (after_w / 14))


def test_without_idle_power_energy_is_an_upper_bound_and_says_so():
    """Full speed all year is not what a camera asks for."""
    review = review_of(powered(result(), 9.0, idle_w=None), powered(INT8, 7.0, idle_w=None))
    assert line(review, "energy_year_full").after == pytest.approx(14 * 7 * 8.76)
    assert "upper bound" in shown(review, "energy_year_full").how
    mixed = review_of(powered(result(), 9.0, idle_w=None), INT8)
    assert line(mixed, "energy_year_full").after == pytest.approx(14 * 7 * 8.76)


def test_streams_that_were_run_count_only_if_both_engines_ran_them():
    """One engine measured with streams and one divided would be compared by two rules."""
    streams = with_streams(INT8, (1, 40.0), (2, 38.0))
    assert line(review_of(FP32, INT8, streams), "streams_divided").after == 3
    both = review_of(FP32, INT8, streams, with_streams(FP32, (1, 20.0), (2, 19.0)))
    assert (line(both, "streams_run").before, line(both, "streams_run").after) == (1, 2)


def test_what_is_missing_is_named_and_nothing_is_assumed():
    """An invented price in a review is found in the first meeting."""
    review = review_of(result(), result("int8"), prices=Prices(), records=ProjectRecords())
    assert all(one.after is None and one.missing for one in (*review.business, *review.team))
    assert shown(review, "devices").missing == "not computed: no fps_per_camera given, no cameras given"
    assert shown(review, "power_mean").missing == "not measured"
    assert shown(review, "refreshes").missing == "no refresh is recorded"
    assert shown(review, "hours_saved").missing == "not computed: no hours_by_hand given"


@pytest.mark.parametrize(
    ("changes", "key", "missing"),
    [
        pytest.param({"device_price": None}, "device_cost", ("device_price",), id="price"),
        pytest.param({"electricity_per_kwh": None}, "energy_cost", ("electricity_per_kwh",), id="electricity"),
        pytest.param({"years": None}, "total_cost", ("years",), id="years"),
        pytest.param({"cameras": None}, "devices", ("cameras",), id="cameras"),
        pytest.param({"hours_per_year": None}, "energy_year_load", ("hours_per_year",), id="hours"),
        pytest.param({"fps_per_camera": 100.0}, "devices", ("speed",), id="too-slow-for-one-camera"),
        pytest.param({"engineer_hour": None}, "hours_cost", ("engineer_hour",), id="hour"),
    ],
)
def test_each_missing_input_is_named_by_itself(changes, key, missing):
    """Only what is needed, so that people see what one more line of prices.yaml would bring."""
    assert line(review_of(FP32, INT8, prices=replace(PRICES, **changes)), key).missing == missing


def test_power_that_was_not_measured_stops_energy_and_no_more():
    """Devices are counted by speed alone."""
    review = review_of(result(), result("int8"))
    assert line(review, "devices").after == 14
    assert line(review, "energy_year_full").missing == ("watts",)
    assert line(review, "energy_cost").missing == ("watts",)


def test_a_disturbed_run_is_reckoned_with_in_no_way():
    """It may be the only one, and still must not buy devices."""
    review = review_of(disturbed(INT8))
    assert all(one.missing[0] == "disturbed" for one in review.business)
    assert "the run was disturbed" in shown(review, "devices").missing


def test_one_engine_alone_has_no_before():
    """And nothing is said to have changed."""
    review = review_of(INT8)
    assert review.before == ""
    assert all(one.before is None and one.change_pct is None for one in (*review.figures, *review.business))
    assert "no before" in render_review_html(review)


def test_the_team_gains_what_is_on_record():
    """Counts and medians of the project's own records; hours only by the user's own estimate."""
    review = review_of(FP32, INT8)
    assert line(review, "devices_run").after == 2
    assert line(review, "deploy_time").after == 12.0
    assert (line(review, "refreshes").after, line(review, "refresh_time").after) == (3, 3.0)
    assert line(review, "frames_refused").after == 3
    assert line(review, "build_total").after == 3.0
    assert shown(review, "int8_gates").how == "1 of them were refused"
    assert shown(review, "regression_gates").how == "1 of them regressed"
    assert line(review, "hours_saved").after == 2 * 1.5 + 2 * 8 + 2
    assert line(review, "hours_cost").after == 80 * 21


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("prices", [PRICES, Prices()], ids=["prices", "none"])
def test_the_forms_are_complete_in_every_language(lang, prices):
    """Page and text, with all lines and with all reasons."""
    review = review_of(FP32, INT8, prices=prices, records=RECORDS if prices is PRICES else ProjectRecords())
    outline = Outline(render_review_html(review, lang=lang))
    assert "script" not in outline.tags
    assert all(address.startswith("data:") for address in outline.addresses)
    written = render_review_markdown(review, lang=lang)
    for one in (*review.figures, *review.business, *review.team):
        told = cells(one, review, lang)
        assert told.name in outline.text
        assert told.now or told.missing
        assert told.name in written


def test_the_document_has_every_line_with_its_reason():
    """A budget tool reads it; NaN is no JSON."""
    document = json.loads(json.dumps(review_document(review_of(FP32, INT8)), allow_nan=False))
    devices = next(one for one in document["business"] if one["key"] == "devices")
    assert (devices["before"], devices["now"], devices["missing"]) == (40, 14, [])
    assert "40 cameras" in devices["how"]
    assert next(one for one in document["business"] if one["key"] == "device_cost")["unit"] == "EUR"
    empty = review_document(review_of(result(), result("int8"), prices=Prices()))
    assert all(one["how"] for one in empty["business"])


def test_text_from_files_cannot_become_markup():
    """Currency and device names are typed by people and boards."""
    bad = replace(INT8, device=HOSTILE)
    review = review_of(bad, prices=replace(PRICES, currency=HOSTILE))
    outline = Outline(render_review_html(review))
    assert "script" not in outline.tags
    written = render_review_markdown(review)
    assert "<script>" not in written
    assert all(row.endswith("|") for row in written.splitlines() if row.startswith("|"))


@pytest.mark.parametrize("key", sorted(_TABLE))
def test_every_text_of_a_review_is_there_in_every_language(key):
    """A page that is half English is not shown to anybody."""
    english, chinese = _TABLE[key]
    assert english.strip()
    assert chinese.strip()
    assert english.count("{") == chinese.count("{")


def test_noise_and_unsteady_runs_are_told_where_people_decide():
    """Devices were ordered on a run that a browser had disturbed."""
    review = review_of(result(stable=False), result("int8", fps=20.3))
    for words in (Outline(render_review_html(review)).text, render_review_markdown(review)):
        assert "A rate was not steady" in words
        assert "(within the noise)" in words
    assert "not steady" not in render_review_markdown(review_of(FP32, INT8))
