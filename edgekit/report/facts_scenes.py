"""Which scenes the calibration pictures of a report show, as pairs that every form prints alike. Pure."""

from __future__ import annotations

from itertools import groupby

from edgekit.core.coverage import Coverage, StratumCoverage
from edgekit.core.strata import AXES
from edgekit.report import numbers
from edgekit.report.coverage.texts import coverage_text, stratum_text
from edgekit.report.plots import SIZES
from edgekit.report.texts import text

Scenes = tuple[str, tuple[tuple[str, str], ...]]


def scene_facts(coverage: Coverage, lang: str) -> tuple[Scenes, ...]:
    """Axis -> (words, verdict) of its strata: "night 60 (20.0 %)", with "missing" or "thin" named in the words.

    Strata that neither set has are left out.
    """
    shown = [row for row in coverage.strata if row.verdict != "absent"]
    groups = groupby(shown, key=lambda row: row.stratum.partition(":")[0])
    return tuple((coverage_text(lang, axis), tuple(_told(row, lang) for row in rows)) for axis, rows in groups)


def scenes_note(coverage: Coverage, lang: str) -> str:
    """What was looked at, and what the verdicts mean."""
    beside = text(lang, "scenes_reference", count=coverage.reference_pictures, reference=coverage.reference)
    return text(
        lang,
        "scenes_note",
        pictures=coverage.pictures,
        set=coverage.name,
        reference=beside if coverage.reference else "",
    )


def stratum_label(lang: str, stratum: str) -> str:
    """ "Light: night" for "light:night". What is no stratum of core.strata stays as it is: it comes from a file."""
    axis, _, name = stratum.partition(":")
    if name not in AXES.get(axis, ()):
        return stratum
    return text(lang, "of_axis", axis=coverage_text(lang, axis), name=stratum_text(lang, stratum)[1])


def accuracy_label(lang: str, part: str, name: str) -> str:
    """What a row of an accuracy plot is called. part: of plots.ACCURACY_PARTS; conditions and classes are names."""
    if part == "sizes" and name in SIZES:
        return text(lang, f"size_{name}")
    return stratum_label(lang, name) if part == "strata" else name


def _told(row: StratumCoverage, lang: str) -> tuple[str, str]:
    counted = text(lang, "scenes_share", pictures=row.pictures, share=numbers.figure(100 * row.share, 0, "%"))
    verdict = coverage_text(lang, f"verdict_{row.verdict}")
    return " ".join(part for part in (stratum_text(lang, row.stratum)[1], counted, verdict) if part), row.verdict
