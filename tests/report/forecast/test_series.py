"""From releases to levels, and what is noise between runs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.results import Rate
from edgekit.report.forecast.metrics import BY_KEY
from edgekit.report.forecast.releases import release_history
from edgekit.report.forecast.series import series_of
from tests.report.forecast.made_up_history import reference, release, releases

FPS = BY_KEY["fps"]


def series(results, metric=FPS):
    return series_of(metric, release_history(results).releases)


def test_the_noise_between_runs_is_found():
    """Taken too small, noise becomes progress; too large, progress becomes noise."""
    seen = series(releases([30.0] * 20, runs=6, noise=0.07, seed=3)).noise
    assert seen.estimate == pytest.approx(0.07, rel=0.2)
    assert seen.freedom == 100


def test_without_repeats_the_noise_is_what_the_metric_assumes():
    """One run a release says nothing about it."""
    found = series(releases([20.0, 30.0, 40.0])).noise
    assert (found.estimate, found.freedom) == (pytest.approx(FPS.noise), 0)


def test_rounds_of_one_session_are_one_run():
    """They share the heat and the neighbours of that hour: their agreement says little about the next day."""
    rounds = [
        release(0, fps, session="s", round=number, result_id=str(number))
        for number, fps in enumerate((30.0, 30.1, 29.9, 30.0))
    ]
    found = series(rounds)
    assert found.runs == (1,)
    assert found.noise.freedom == 0
    assert found.values[0] == pytest.approx(30.0, rel=0.001)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0])
def test_a_figure_that_is_no_number_is_left_out_and_counted(bad):
    """One broken file must not end in a forecast of NaN."""
    broken = release(1, 30.0)
    broken = replace(broken, measurement=replace(broken.measurement, pipeline_rate=Rate(bad, bad, bad, 1, True, "")))
    found = series([release(0, 30.0), broken, release(2, 31.0)])
    assert (found.releases, found.unusable) == ((0, 2), 1)
    assert np.isfinite(found.levels).all()


def test_a_loss_of_accuracy_is_read_from_two_engines():
    """The rate is measured in every run, the loss once for each engine."""
    results = [made for number in range(3) for made in (reference(number, 15.0), release(number, 30.0, map50_95=0.49))]
    found = series(results, BY_KEY["map_loss_pct"])
    assert found.values == pytest.approx((2.0, 2.0, 2.0))


def test_a_release_that_lacks_a_figure_is_passed_over():
    """Power is measured only since the sensor is there."""
    powered = release(1, 30.0)
    powered = replace(powered, measurement=replace(powered.measurement, power_mean_w=9.5))
    found = series([release(0, 30.0), powered], BY_KEY["watts"])
    assert (found.releases, found.values) == ((1,), (pytest.approx(9.5),))
