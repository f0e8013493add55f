"""Results of several rounds put together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.limits import fps
from edgekit.core.results import BenchResult
from edgekit.core.rounds import by_engine, comparable, median_of, paired_ratio, range_of
from tests.report.made_up import result


def turn(precision: str, number: int, rate: float, **changes: object) -> BenchResult:
    return result(precision, fps=rate, **{"session": "s", "round": number, **changes})


def disturbed(made: BenchResult) -> BenchResult:
    return replace(made, measurement=replace(made.measurement, disturbances=("it throttled",)))


def test_engines_keep_the_order_in_which_they_were_first_measured():
    """The first is the baseline of all ratios."""
    made = [turn("fp32", 1, 10.0), turn("int8", 1, 20.0), turn("int8", 2, 21.0), turn("fp32", 2, 11.0)]
    assert by_engine(made) == ((made[0], made[3]), (made[1], made[2]))
    other = turn("fp32", 1, 10.0, device="yard")
    assert len(by_engine([*made, other])) == 3  # the same engine elsewhere is another matter


def test_a_disturbed_round_is_in_no_median_range_or_pair():
    """One throttled round would make every other engine look better."""
    made = [turn("fp32", 1, 10.0), disturbed(turn("fp32", 2, 1.0)), turn("fp32", 3, 12.0)]
    assert (median_of(made, fps), range_of(made, fps)) == (11.0, (10.0, 12.0))
    assert comparable(made) == (made[0], made[2])
    candidate = [turn("int8", number, 20.0) for number in (1, 2, 3)]
    found = paired_ratio(candidate, made, fps)
    assert found is not None and found.pairs == 2
    assert median_of([disturbed(made[0])], fps) is None and range_of([], fps) is None


def test_pairs_cancel_what_drifts_with_the_machine():
    """Both engines lose half their speed from round to round; their ratio is known exactly all the same."""
    rates = [(40.0, 20.0), (30.0, 15.0), (20.0, 10.0)]
    int8 = [turn("int8", number, pair[0]) for number, pair in enumerate(rates, 1)]
    fp32 = [turn("fp32", number, pair[1]) for number, pair in enumerate(rates, 1)]
    found = paired_ratio(int8, fp32, fps)
    assert found is not None and found.interval is not None
    assert (found.ratio, *found.interval) == pytest.approx((2.0, 2.0, 2.0))
    assert (found.baseline_id, found.candidate_id) == (fp32[0].engine.engine_id, int8[0].engine.engine_id)


def test_the_interval_is_that_of_students_t_on_logarithms():
    """Against the textbook: ratios 2 and 8, mean 4, t(1) = 12.706."""
    made = paired_ratio(
        [turn("int8", 1, 20.0), turn("int8", 2, 80.0)], [turn("fp32", 1, 10.0), turn("fp32", 2, 10.0)], fps
    )
    assert made is not None and made.interval is not None
    half = 4.0**12.706  # a standard error of log 2 times t
    assert made.ratio == pytest.approx(4.0)
    assert made.interval == pytest.approx((4.0 / half**0.5, 4.0 * half**0.5), rel=1e-3)


def test_a_single_pair_has_a_ratio_and_no_interval_and_strangers_have_none():
    """Runs of another session or device share no minutes."""
    one = paired_ratio([turn("int8", 1, 20.0)], [turn("fp32", 1, 10.0)], fps)
    assert one is not None and (one.ratio, one.interval) == (pytest.approx(2.0), None)
    assert paired_ratio([turn("int8", 1, 20.0)], [turn("fp32", 2, 10.0)], fps) is None
    assert paired_ratio([turn("int8", 1, 20.0)], [turn("fp32", 1, 10.0, session="t")], fps) is None
    assert paired_ratio([turn("int8", 1, 20.0)], [turn("fp32", 1, 10.0, device="yard")], fps) is None
