"""What the accuracy of the engines means, and the pictures that INT8 was calibrated with. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgekit.core.gate import KEPT_MIN, STRATUM_KEPT_MIN
from edgekit.core.results import Accuracy
from edgekit.report import numbers
from edgekit.report.meaning.runs import Meaning
from edgekit.report.summary import Report

_MOST_STRATA = 6


def accuracy_meanings(report: Report) -> Iterator[Meaning]:
    """What each engine keeps of the baseline's, and where it loses most."""
    base = report.comparison.baseline.accuracy
    for result in report.comparison.results[1:]:
        if base and result.accuracy and base.map50_95 > 0:
            int8 = result.engine.precision == "int8"
            yield from _kept(base, result.accuracy, report.name_of(result), report.names[0], int8=int8)
        elif base or result.accuracy:
            names = {"name": report.name_of(result), "base": report.names[0]}
            yield Meaning("kept_unknown", "open", names | {"unjudged": names["name"] if base else names["base"]})


def _kept(base: Accuracy, accuracy: Accuracy, name: str, base_name: str, *, int8: bool) -> Iterator[Meaning]:
    kept = accuracy.map50_95 / base.map50_95
    values = {
        "name": name,
        "base": base_name,
        "pct": numbers.share(kept),
        "before": numbers.figure(base.map50_95, 3),
        "after": numbers.figure(accuracy.map50_95, 3),
        "images": str(accuracy.images),
        "limit": numbers.figure(100 * KEPT_MIN, 1, "%"),
    }
    if not int8:
        yield Meaning("kept_float", "plain", values)
        return
    yield Meaning("kept" if kept >= KEPT_MIN else "lost", "good" if kept >= KEPT_MIN else "bad", values)
    weakest = _weakest(base.per_condition, accuracy.per_condition)
    if weakest and weakest[1] < 1:
        told = {"name": name, "stratum": weakest[0], "pct": numbers.share(weakest[1])}
        tone = "plain" if weakest[1] >= STRATUM_KEPT_MIN else "bad"
        yield Meaning("weakest", tone, told | {"limit": numbers.figure(100 * STRATUM_KEPT_MIN, 0, "%")})


def _weakest(base: Mapping[str, float], mine: Mapping[str, float]) -> tuple[str, float] | None:
    """The condition in which the least is kept, with the share."""
    shares = {name: mine[name] / value for name, value in base.items() if name in mine and value > 0}
    return min(shares.items(), key=lambda item: item[1]) if shares else None


def calibration_meanings(report: Report) -> Iterator[Meaning]:
    """How much of the network computes in INT8, and which scenes its calibration pictures lack."""
    for result in report.comparison.results:
        engine = result.engine
        if engine.precision == "int8" and 0 < engine.layers_quantised < engine.layers_total:
            values = {"part": str(engine.layers_quantised), "total": str(engine.layers_total)}
            yield Meaning("layers_in_int8", "plain", {"name": report.name_of(result), **values})
    coverage = report.coverage
    if coverage is None:
        return
    for key, strata in (("scenes_missing", coverage.missing), ("scenes_thin", coverage.thin)):
        if strata:
            more = len(strata) - _MOST_STRATA
            values = {"set": coverage.name, "more": f" +{more}" if more > 0 else ""}
            yield Meaning(key, "bad", values, strata=strata[:_MOST_STRATA])
    if not coverage.missing and not coverage.thin:
        yield Meaning("scenes_covered", "good", {"set": coverage.name, "pictures": str(coverage.pictures)})
