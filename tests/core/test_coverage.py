"""Coverage says what is missing and what is thin, against a reference or without one."""

from __future__ import annotations

from edgekit.core.coverage import ENOUGH, Coverage, cover


def rows(*args, **options):
    return {row.stratum: row for row in cover(*args, **options)}


def test_without_a_reference_every_stratum_of_a_judged_axis_is_expected():
    found = rows([("light:day", "tag:yard")] * 20 + [("light:dusk",)] * 3)
    assert {name: row.verdict for name, row in found.items()} == {
        "light:day": "well",
        "light:dusk": "thin",
        "light:night": "missing",
        "tag:yard": "well",
    }
    assert found["light:day"].share == round(20 / 23, 4)
    assert found["light:day"].reference_pictures is None


def test_a_reference_decides_what_is_missing():
    """A yard without fog needs no fog; one whose nights the set lacks does."""
    found = rows([("light:day",)] * 50, [("light:day",)] * 15 + [("light:night",)] * 5)
    assert found["light:night"].verdict == "missing"
    assert (found["light:night"].reference_pictures, found["light:night"].reference_share) == (5, 0.25)
    assert found["light:dusk"].verdict == "absent"
    assert found["light:day"].verdict == "well"


def test_half_the_share_of_the_reference_is_thin():
    reference = [("light:day",)] * 50 + [("light:night",)] * 50
    assert rows([("light:day",)] * 80 + [("light:night",)] * 20, reference)["light:night"].verdict == "thin"
    assert rows([("light:day",)] * 70 + [("light:night",)] * 30, reference)["light:night"].verdict == "well"
    assert rows([("light:night",)] * (ENOUGH - 1), reference)["light:night"].verdict == "thin"


def test_every_class_of_the_detector_is_asked_for():
    found = rows([("class:car",)] * 30, classes=("car", "bus"))
    assert found["class:bus"].verdict == "missing"
    assert found["class:car"].verdict == "well"


def test_a_set_without_pictures_covers_nothing():
    assert cover([]) == ()
    assert rows([], [("light:night",)])["light:night"].share == 0.0


def test_the_lists_of_a_coverage_follow_its_rows():
    coverage = Coverage("yard", "0" * 64, 23, cover([("light:day",)] * 20 + [("light:dusk",)] * 3))
    assert coverage.missing == ("light:night",)
    assert coverage.thin == ("light:dusk",)
