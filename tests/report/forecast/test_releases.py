"""What counts as a release, and what is left out of a history."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.results import Rate
from edgekit.errors import UsageError
from edgekit.report.forecast.releases import release_history
from tests.report.forecast.made_up_history import day, engine_of, reference, release, releases
from tests.report.made_up import CONDITIONS, result


def ids(releases) -> list:
    return [one.engine.engine_id for one in releases]


def test_engines_measured_beside_each_other_are_one_release_and_its_reference():
    """An FP32 engine measured for comparison would look like a release that halves the rate."""
    history = release_history([release(0, 30.0), reference(0, 15.0), reference(1, 16.0), release(1, 33.0)])
    assert ids(history.releases) == ["int8-0", "int8-1"]
    assert ids(history.references) == ["fp32-0", "fp32-1"]


def test_engines_measured_in_one_hour_by_two_commands_are_one_release_too():
    """Not everybody types --precision all; results of earlier versions name no session at all."""
    apart = [replace(one, session="") for one in (reference(0, 15.0), release(0, 30.0))]
    assert ids(release_history(apart).releases) == ["int8-0"]


def test_precisions_that_came_one_after_the_other_are_a_release_each():
    """FP32, then FP16, then INT8 is the way most projects go: each is an optimisation."""
    steps = [
        result(precision, created_utc=day(number), engine=engine_of(7, precision), result_id=precision)
        for number, precision in enumerate(("fp32", "fp16", "int8"))
    ]
    assert ids(release_history(steps).releases) == ["fp32-7", "fp16-7", "int8-7"]


def test_going_back_to_the_wider_engine_is_a_release_if_it_was_shipped():
    """INT8 lost too much and FP16 serves: then its rate is the present one."""
    fp16 = result("fp16", created_utc=day(2), engine=engine_of(0, "fp16"), result_id="fp16")
    results = [release(0, 30.0), fp16]
    assert ids(release_history(results).releases) == ["int8-0"]
    assert ids(release_history(results, shipped_engine="fp16-0").releases) == ["int8-0", "fp16-0"]


def test_an_engine_measured_again_later_keeps_its_place():
    """Measuring the baseline again, as the gate does, is no going back."""
    again = release(0, 30.0, run=1, created_utc=day(9))
    history = release_history([release(0, 30.0), release(1, 33.0), again])
    assert ids(history.releases) == ["int8-0", "int8-1"]
    assert [len(one.results) for one in history.releases] == [2, 1]


def test_the_loss_of_accuracy_is_against_the_widest_engine_of_the_model():
    """It is what INT8 cost; against another model's accuracy it would mean nothing."""
    history = release_history([reference(0, 15.0), release(0, 30.0, map50_95=0.49), release(1, 30.0, map50_95=0.3)])
    assert history.releases[0].map_loss_pct == pytest.approx(2.0)
    assert history.releases[0].loss_against == "fp32"
    assert history.releases[1].map_loss_pct is None


def test_disturbed_results_are_left_out_and_counted():
    """A throttled run would be taken for a bad release."""
    hot = release(1, 12.0)
    hot = replace(hot, measurement=replace(hot.measurement, disturbances=("throttled for 3 s",)))
    history = release_history([release(0, 30.0), hot])
    assert ids(history.releases) == ["int8-0"]
    assert history.left_out == {"disturbed while measuring": 1}


def test_results_of_other_conditions_are_left_out_and_the_difference_is_named():
    """A smaller picture is faster, and no release made it so."""
    small = release(0, 60.0, conditions=replace(CONDITIONS, frame_width=640, frame_height=360))
    history = release_history([small, release(1, 30.0)])
    assert ids(history.releases) == ["int8-1"]
    assert history.left_out == {"measured with frames of 640 x 360, not 1920 x 1080": 1}


def test_another_scenario_is_left_out_unless_it_is_asked_for():
    """Frames a second of four streams are not those of one."""
    streams = release(1, 90.0, conditions=replace(CONDITIONS, scenario="streams"))
    results = [release(0, 30.0), streams]
    assert release_history(results).left_out == {"of the scenario streams": 1}
    assert ids(release_history(results, scenario="streams").releases) == ["int8-1"]


def test_only_the_newest_releases_count_and_the_others_are_counted():
    """Years of releases must not take minutes, nor speak for today."""
    history = release_history(releases([30.0] * 70, runs=2))
    assert (len(history.releases), history.newest.engine.engine_id) == (60, "int8-69")
    assert history.left_out == {"of releases before the newest 60": 20}


def test_several_devices_are_refused_and_named():
    """A forecast over two devices would take the difference between them for progress."""
    with pytest.raises(UsageError) as refused:
        release_history([release(0, 30.0), release(1, 30.0, device="xavier-nx")])
    assert refused.value.why == "roadscene on local\nroadscene on xavier-nx"


def test_nothing_measured_is_an_empty_history():
    """A new project asks too."""
    history = release_history([])
    assert (history.releases, history.newest) == ((), None)


def test_a_clock_that_went_back_is_told():
    """The order of releases is all that a forecast is made from."""
    given = [release(1, 33.0), release(0, 30.0)]
    history = release_history(given)
    assert ids(history.releases) == ["int8-0", "int8-1"]
    assert history.clock == ("the clock went back once: releases are in the order of their times all the same",)


def test_what_the_history_saw_of_the_clock_is_told_too():
    """It knows the order of recording, which results sorted by their times no longer show."""
    history = release_history([release(0, 30.0), release(1, 33.0)], clock_back={"r1-0", "of another device"})
    assert history.clock == ("the clock went back once: releases are in the order of their times all the same",)


def test_rounds_of_a_session_out_of_order_are_told():
    """Files sorted by their times look well even where the clock was set back in between."""
    first = release(0, 30.0, session="s", round=2, created_utc=day(0, 1))
    second = release(0, 30.0, session="s", round=1, created_utc=day(0, 2), result_id="second")
    assert "went back within 1 session" in release_history([first, second]).clock[0]


def test_a_result_from_the_future_is_told():
    """A Jetson without a clock battery starts in 1970 or ahead of everybody."""
    assert release_history([release(0, 30.0)], now_utc="2000-12-31T00:00:00Z").clock == (
        "1 result from the future: a clock was, or is, wrong",
    )
    assert release_history([release(0, 30.0)], now_utc="2001-02-01T00:00:00Z").clock == ()


def test_a_run_without_any_rate_is_left_out():
    """It can only come from a damaged file, and must not end the forecast of all others."""
    bare = release(0, 30.0)
    bare = replace(bare, measurement=replace(bare.measurement, pipeline_rate=None, engine_rate=None))
    assert release_history([bare]).left_out == {"without a rate": 1}
    kept = replace(bare, measurement=replace(bare.measurement, pipeline_rate=Rate(1.0, 1.0, 1.0, 1, True, "stable")))
    assert len(release_history([kept]).releases) == 1
