"""How ready every detector on every device is."""

from __future__ import annotations

from dataclasses import replace

from edgekit.report.forecast.document import forecast_document
from edgekit.report.forecast.outlook import Wish
from edgekit.report.forecast.readiness import Subject, readiness, subjects_measured
from tests.report.forecast.made_up_history import release, releases

ASK = Wish({})
FAST = releases([30.0] * 8, runs=2, noise=0.01)


def on(device: str, results) -> list:
    return [replace(one, device=device, result_id=f"{device}-{one.result_id}") for one in results]


def state(results, targets, device: str = "local") -> str:
    return readiness([Subject(device, "roadscene", targets)], results, ASK)[0].state


def test_each_state_is_told_apart():
    """Green, yellow, red and "nobody knows" lead to different days."""
    assert state(FAST, {"fps": 20.0}) == "ready"
    assert state(FAST, {"fps": 29.3}) == "at risk"
    assert state(FAST, {"fps": 40.0}) == "not met"
    assert state(FAST, {"fps": 20.0, "watts": 10.0}) == "not measured"
    assert state(FAST, {}) == "no targets"
    assert state([], {"fps": 20.0}) == "not measured"


def test_a_target_met_by_too_few_releases_is_not_called_ready():
    """One lucky run is no evidence that the next release keeps it; it is met, and no probability is told."""
    [one] = readiness([Subject("local", "roadscene", {"fps": 20.0})], [release(0, 30.0)], ASK)
    assert (one.state, one.forecast.met, one.forecast.together) == ("met", True, ())


def test_each_pair_sees_only_its_own_results():
    """A Jetson's figures must not be held against this machine's target."""
    results = [*on("slow", releases([10.0] * 6)), *on("fast", releases([30.0] * 6))]
    subjects = [Subject(name, "roadscene", {"fps": 20.0}) for name in ("slow", "fast", "new")]
    assert [one.state for one in readiness(subjects, results, ASK)] == ["not met", "ready", "not measured"]
    assert subjects_measured(results) == [("fast", "roadscene"), ("slow", "roadscene")]


def test_targets_that_are_typed_stand_for_those_of_the_file():
    """ "What if it had to be 40?" must not need an edit."""
    [one] = readiness([Subject("local", "roadscene", {"fps": 20.0})], FAST, Wish({"fps": 40.0}))
    assert one.state == "not met"


def test_when_it_becomes_likely_is_told():
    """The question of every planning meeting."""
    growing = releases([10 * 1.1**number for number in range(10)], runs=2, noise=0.005)
    [one] = readiness([Subject("local", "roadscene", {"fps": 10 * 1.1**12.5})], growing, ASK)
    assert one.likely_from in (4, 5)
    [met] = readiness([Subject("local", "roadscene", {"fps": 11.0})], growing, ASK)
    assert met.likely_from == 0


def test_the_document_names_state_method_and_cause():
    """A script reads it, and should not have to guess."""
    [one] = readiness([Subject("local", "roadscene", {"fps": 20.0})], FAST, ASK)
    document = forecast_document(one)
    assert (document["device"], document["state"], document["schema"]) == ("local", "ready", 1)
    assert "docs/forecast.md" in document["method"]
    assert document["metrics"][0]["backtest"] == {"covered": 3, "checks": 3}
