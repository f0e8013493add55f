"""The whole forecast, from result files nobody measured to probabilities."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.results import Rate
from edgekit.core.wire import to_wire
from edgekit.report.forecast.forecasting import forecast
from edgekit.report.forecast.outlook import Wish
from tests.report.forecast.made_up_history import reference, release, releases

FPS_25 = Wish({"fps": 25.0})


def growing(count: int, first_fps: float = 10.0) -> list:
    """Every second release gains 12 %."""
    return releases([first_fps * 1.12 ** (number // 2) for number in range(count)], runs=2, noise=0.01, seed=3)


def figure(found, key: str = "fps"):
    return next(one for one in found.metrics if one.key == key)


def test_a_made_up_history_is_recovered():
    """Twelve releases, every second one gains 12 %: what is told must be what was put in."""
    found = forecast(growing(12), FPS_25)
    fps = figure(found)
    assert fps.now == pytest.approx(10 * 1.12**5, rel=0.02)
    assert fps.met is False
    assert fps.effective == 5
    assert [share >= 0.5 for share in fps.moved] == [number % 2 == 0 for number in range(1, 12)]
    assert fps.left.low <= math.log(25 / fps.now) / math.log(1.12) <= fps.left.high
    assert fps.progress_pct == pytest.approx(100 * math.log(fps.now / 10) / math.log(2.5), abs=3)
    assert fps.noise_pct == pytest.approx(1.0, abs=0.7)
    low, high = fps.ahead[3].low, fps.ahead[3].high  # four releases more are two gains more
    assert low <= 10 * 1.12**7 <= high


def test_the_nearer_a_target_the_likelier():
    """A probability that does not order targets is none."""
    chances = [figure(forecast(growing(12), Wish({"fps": fps}))).ahead[0].probability for fps in (12, 17, 18, 19, 25)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.99
    assert chances[-1] < 0.05


def test_the_same_results_and_seed_give_the_same_forecast():
    """It goes into a release decision, and somebody will ask again."""
    assert forecast(growing(8), FPS_25) == forecast(growing(8), FPS_25)
    assert forecast(growing(8), FPS_25) != forecast(growing(8), replace(FPS_25, seed=1))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_releases_are_too_little_history_and_what_there_is_is_told(count):
    """With four points every line fits."""
    found = forecast(growing(count), FPS_25)
    fps = figure(found)
    assert (fps.state, len(fps.values), fps.ahead) == ("too little history", count, ())
    assert (found.missing, found.together, fps.met) == (("fps",), (), False)


def test_no_results_are_no_forecast():
    """The first run of a new project."""
    found = forecast([], FPS_25)
    assert (figure(found).state, found.met, found.releases) == ("not measured", None, ())


def test_a_figure_that_was_never_measured_is_not_measured_and_not_zero():
    """Zero watts would meet every target."""
    found = forecast(growing(8), Wish({"fps": 12.0, "watts": 15.0}))
    assert (figure(found, "watts").state, figure(found, "watts").met) == ("not measured", None)
    assert (found.met, found.missing, found.together) == (None, ("watts",), ())


def test_a_missed_target_stays_missed_where_another_was_not_measured():
    """Else one missing sensor would hide that the rate is too low."""
    assert forecast(growing(8), Wish({"fps": 500.0, "watts": 15.0})).met is False


def test_broken_figures_do_not_reach_the_forecast():
    """NaN in one file would make the whole JSON unreadable."""
    broken = release(3, 11.0, run=3)
    broken = replace(broken, measurement=replace(broken.measurement, pipeline_rate=Rate(math.nan, 0, 0, 1, True, "")))
    found = forecast([*growing(8), broken], FPS_25)
    assert figure(found).unusable == 1
    json.dumps(to_wire(found), allow_nan=False)


def test_targets_that_move_together_are_likelier_met_together_than_independent_ones():
    """Rate and latency are two views of one release."""
    results = growing(14)
    alone = forecast(results, Wish({"fps": 23.0}, ahead=3))
    chance = alone.together[2]
    p99 = figure(alone, "p99_ms").ahead[2].median
    both = forecast(results, Wish({"fps": 23.0, "p99_ms": p99}, ahead=3))
    singles = [one.ahead[2].probability for one in both.targets]
    assert singles[0] == chance
    assert both.together[2] > np.prod(singles) + 0.02
    assert both.together[2] <= min(singles)


def test_a_plateau_promises_little():
    """Early success is no reason to expect more of it."""
    rates = [10 * 1.15 ** min(number, 5) for number in range(16)]
    fps = figure(forecast(releases(rates, runs=2, noise=0.01), Wish({"fps": rates[-1] * 1.15})))
    assert fps.ahead[0].probability < 0.1
    assert fps.ahead[2].probability < 0.25


def test_the_backtest_stands_beside_the_forecast():
    """Whoever reads an interval should know how it did so far."""
    found = figure(forecast(growing(12), FPS_25)).backtest
    assert (found.checks, found.is_telling) == (7, True)
    assert 4 <= found.covered <= 7
    assert not figure(forecast(growing(7), FPS_25)).backtest.is_telling


def test_the_loss_of_accuracy_has_steps_of_its_own_size():
    """A loss moves by tenths of a percent; with the steps of a rate it would be forecast to be -10 %."""
    results = [
        made
        for number in range(8)
        for made in (reference(number, 15.0), release(number, 30.0, map50_95=0.4925 + 0.0005 * (number % 2)))
    ]
    loss = figure(forecast(results, Wish({"map_loss_pct": 1.8})), "map_loss_pct")
    assert loss.now == pytest.approx(1.4)
    assert 0.5 < loss.ahead[0].low < loss.ahead[0].high < 2.5
    assert loss.ahead[0].probability > 0.8
