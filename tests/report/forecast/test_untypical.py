"""What stands out in the newest release."""

from __future__ import annotations

from dataclasses import replace
from typing import List

import pytest

from edgekit.core.coverage import Coverage, StratumCoverage
from edgekit.core.results import BenchResult
from edgekit.report.forecast.releases import release_history
from edgekit.report.forecast.untypical import untypical_steps
from tests.made_up_engines import tensorrt_manifest
from tests.report.forecast.made_up_history import reference, release
from tests.report.made_up import CONDITIONS, PROFILE

GAINS = (1.80, 1.84, 1.78, 1.82)


def with_gains(*gains: float) -> List[BenchResult]:
    """A release for each gain over its FP32."""
    return [
        made for number, gain in enumerate(gains) for made in (reference(number, 10.0), release(number, 10.0 * gain))
    ]


def changed(result: BenchResult, **engine: object) -> BenchResult:
    return replace(result, engine=replace(result.engine, **engine))


def found_in(results, **given) -> dict:
    return {one.kind: one for one in untypical_steps(release_history(results), results, **given)}


def test_a_gain_far_under_the_usual_one_is_told_with_its_cause():
    """ "INT8 usually gains 12 %, this build 6 %": somebody should look before it ships."""
    flag = found_in(with_gains(*GAINS, 1.2))["int8_gain"]
    assert flag.what.startswith("INT8 gains 20 % over FP32; in 4 releases before it gained 81 %")
    assert "unquantised" in flag.cause
    assert flag.command == "edgekit inspect int8-4 --device local --layers"


@pytest.mark.parametrize("newest", [1.79, 1.9, 2.5], ids=["as usual", "a bit more", "far more"])
def test_a_usual_or_better_gain_is_no_news(newest):
    """A flag at every release is read by nobody."""
    assert "int8_gain" not in found_in(with_gains(*GAINS, newest))


def test_gains_that_always_scattered_allow_more():
    """What is usual is learned from the history, not set."""
    assert "int8_gain" not in found_in(with_gains(1.2, 1.9, 1.4, 2.2, 1.15))


def test_two_gains_are_no_habit():
    """With so few nothing is untypical yet."""
    assert "int8_gain" not in found_in(with_gains(1.8, 1.8, 1.2))


def test_more_layers_left_in_float_are_told():
    """A new operator without an INT8 kernel shows here first."""
    results = with_gains(*GAINS)
    results[-1] = changed(results[-1], layers_quantised=100)
    flag = found_in(results)["layers"]
    assert flag.what == "44 % of the layers are not quantised, 17 % were in the INT8 release before"


def coverage(name: str, well: int, missing: int) -> Coverage:
    rows = [
        StratumCoverage(f"s{n}", 20, 0.1, None, None, "well" if n < well else "missing") for n in range(well + missing)
    ]
    return Coverage(name, "a" * 64, 100, tuple(rows))


def test_a_set_that_covers_less_is_told_where_coverage_is_known():
    """Normal scenes alone cost mAP where it is dark."""
    results = with_gains(*GAINS)
    results[-1] = changed(results[-1], calibration_sha256="9" * 64)
    known = {"3" * 64: coverage("yard", 9, 1), "9" * 64: coverage("yard-day", 5, 5)}
    flag = found_in(results, coverage=known)["coverage"]
    assert flag.what == "the calibration set covers 50 % of the strata well, the one before 90 %"
    assert flag.command == "edgekit calib inspect yard-day"
    assert "coverage" not in found_in(results)


def test_a_smaller_set_is_told_also_without_coverage():
    """The number of pictures is in every manifest."""
    results = with_gains(*GAINS)
    results[-1] = changed(results[-1], calibration_sha256="9" * 64, calibration_images=60)
    assert found_in(results)["pictures"].what == "calibrated with 60 pictures, with 300 before"


def test_skipped_kernels_are_told():
    """The build was short of memory: the engine is slower than it could be."""
    build = tensorrt_manifest("int8").build
    results = with_gains(*GAINS)
    results[-1] = changed(results[-1], build=replace(build, skipped_tactics=7))
    assert found_in(results)["tactics"].what == "the builder could not try 7 kernels, 0 before"


def test_answers_farther_from_the_model_are_told():
    """Ranges that do not fit show here before they show in mAP."""
    results = with_gains(*GAINS)
    results = [changed(one, golden_distance=0.01) for one in results]
    results[-1] = changed(results[-1], golden_distance=0.05)
    assert "5.0 times as far" in found_in(results)["distance"].what


def test_another_version_and_another_input_are_told():
    """Part of such a step is not the release's own."""
    results = with_gains(*GAINS)
    newer = replace(PROFILE, backend_version="2.0.0")
    results[-1] = replace(results[-1], profile=newer, conditions=replace(CONDITIONS, input_width=320))
    flags = found_in(results)
    assert flags["backend"].what == "built with ONNX Runtime 2.0.0, the release before with ONNX Runtime 1.0.0"
    assert flags["input"].what == "its input is 320 x 384, that of the release before 640 x 384"


def test_another_power_mode_is_told_and_what_was_measured_in_the_old_one_does_not_count():
    """MAXN after 15 W is a leap that no release made."""
    results = [replace(one, profile=replace(PROFILE, power_mode="15W")) for one in with_gains(*GAINS)]
    results.append(replace(release(4, 40.0), profile=replace(PROFILE, power_mode="MAXN")))
    history = release_history(results)
    assert [one.engine.engine_id for one in history.releases] == ["int8-4"]
    assert history.left_out == {"measured with power mode 15W, not MAXN": 8}
    assert found_in(results)["power_mode"].what == "measured in power mode MAXN, what came before it in 15W"
    results.append(replace(release(5, 41.0), profile=replace(PROFILE, power_mode="MAXN")))
    assert "power_mode" not in found_in(results)  # it changed with the release before


def test_a_first_release_has_nothing_to_differ_from():
    """No release, or one, is no history."""
    assert found_in(with_gains(1.8)) == {}
    assert untypical_steps(release_history([]), []) == ()
