"""What engines keep of their reference's accuracy beside the results that were measured with them."""

from __future__ import annotations

import pytest

from edgekit.report.history.kept import with_accuracy, with_kept, yardsticks
from edgekit.report.history.store import open_history
from tests.report.history.made_up_records import INT8, gate, record
from tests.report.history.test_store import numbered
from tests.report.made_up import accuracy, engine, result


@pytest.fixture
def listed(tmp_path):
    """Results of INT8 engines, and evaluations, as a history lists them."""

    def of(results, records):
        with open_history(str(tmp_path / "history.db")) as history:
            history.add_all(results)
            history.records.add_all(records)
            return history.listed(), history.records.evaluations()

    return of


def judged(number: int, engine_id: str = INT8, kept: float = 0.99, **changes):
    told = {"evaluation_id": f"e{number}", "engine_id": engine_id, "gate": gate(kept), **changes}
    return record(f"2001-01-01T00:{number:02}:00Z", **told)


def shares(rows):
    return {row.result_id: row.figures["map_kept_pct"] for row in rows}


def test_every_result_of_an_engine_says_what_its_engine_keeps_with_the_interval(listed):
    """Speed that was bought with accuracy is seen where the speed is."""
    other = engine("int8", engine_id="other")
    results = [numbered(1, engine=engine("int8")), numbered(2, engine=engine("int8")), numbered(3, engine=other)]
    rows = with_kept(*listed(results, [judged(1)]))
    assert shares(rows) == {"r00001": pytest.approx(99.0), "r00002": pytest.approx(99.0), "r00003": None}
    figures = next(row.figures for row in rows if row.result_id == "r00001")
    assert (figures["map_kept_low_pct"], figures["map_kept_high_pct"]) == (pytest.approx(98.5), pytest.approx(99.5))
    assert figures["fps"] is not None


def test_of_an_engine_that_was_judged_twice_the_newest_counts(listed):
    """Pictures were added to no set, but labels were corrected."""
    results = [numbered(1, engine=engine("int8"))]
    rows = with_kept(*listed(results, [judged(1, kept=0.98), judged(2, kept=0.99)]))
    assert shares(rows) == {"r00001": pytest.approx(99.0)}


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"dataset_sha256": "6" * 64}, id="other pictures"),
        pytest.param({"labelled_by": "model"}, id="agreement with the model"),
        pytest.param({"reference": "FP16 engine x"}, id="against another precision"),
        pytest.param({"reference": "INT8 engine x"}, id="against the INT8 engine before it"),
        pytest.param({"device": "yard"}, id="on another device"),
    ],
)
def test_shares_of_another_yardstick_stand_in_no_line_with_them(listed, odd):
    """98.9 % of one set's mAP after 99.4 % of another's is no loss."""
    results = [numbered(1, engine=engine("int8")), numbered(2, engine=engine("int8", engine_id="other"))]
    rows, evaluations = listed(results, [judged(1, "other", **odd), judged(2)])
    assert shares(with_kept(rows, evaluations)) == {"r00001": pytest.approx(99.0), "r00002": None}


def test_labels_of_people_go_before_the_models_own_answers_though_these_are_newer(listed):
    """Agreement is what remains where nobody labelled anything."""
    results = [numbered(1, engine=engine("int8"))]
    by_model = judged(3, labelled_by="model", dataset="field", dataset_sha256="7" * 64, kept=0.9)
    rows, evaluations = listed(results, [judged(1), by_model])
    (stick,) = yardsticks(evaluations).values()
    assert (stick.labelled_by, stick.dataset, stick.reference) == ("people", "roadscene-frozen", "FP32")
    assert shares(with_kept(rows, evaluations)) == {"r00001": pytest.approx(99.0)}


def test_results_without_an_accuracy_take_the_one_that_their_engine_was_given_later():
    """bench, then eval: the forecast asks for the loss of a release that was measured before it was judged."""
    measured = (result("fp32", map50_95=None), result("int8", map50_95=None))
    filled = with_accuracy(measured, [record()])
    assert [one.accuracy.map50_95 for one in filled] == [0.5, 0.495]  # also that of the engine it was held against
    own = result("int8", map50_95=0.3)
    assert with_accuracy([own], [record()]) == (own,)


def test_an_accuracy_of_another_device_or_of_a_model_is_not_taken():
    """Agreement looks like a splendid accuracy."""
    bare = result("int8", map50_95=None)
    assert with_accuracy([bare], [record(device="yard"), record(labelled_by="model")]) == (bare,)


def test_of_several_sets_the_one_that_the_other_results_were_judged_on_is_taken():
    """Only accuracies on one set compare."""
    newer = record("2001-03-01T00:00:00Z", accuracy=accuracy(0.9, dataset="yard", dataset_sha256="8" * 64))
    bare, judged_before = result("int8", map50_95=None), result("fp32")
    filled = with_accuracy([bare, judged_before], [newer, record()])
    assert filled[0].accuracy.map50_95 == 0.495
    assert with_accuracy([bare], [newer, record()])[0].accuracy.map50_95 == 0.9
