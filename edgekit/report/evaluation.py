"""An evaluation as one HTML page: figures with their intervals, and the worst pictures. No script, nothing fetched."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.evaluation import Evaluation, EvaluationRow, WorstFrame, rows_of
from edgekit.core.gate import KEPT_MIN, STRATUM_KEPT_MIN, share_text
from edgekit.report.accuracy_gate import caveat_text, kept_text, refusal_text, unsure_text
from edgekit.report.evaluation_texts import evaluation_text
from edgekit.report.facts_scenes import accuracy_label, stratum_label
from edgekit.report.html import environment
from edgekit.report.samples import Sample, embedded

_TEMPLATE = "evaluation.html.j2"
_LONGEST_SIDE_PX = 1600
_QUALITY = 80
_APART_PCT = 11  # between texts above the plot
_NAMED = (("engine", re.compile(r"(\w+) engine (.+)")), ("model", re.compile(r"(?:the )?(\w+) model itself")))
_LEAST_FLOOR = 0.8  # the left end of the plot, unless a figure lies below it


@dataclass(frozen=True)
class Whisker:
    """A row of the plot: where its figure and the ends of its interval lie, in percent of the plot's width."""

    row: EvaluationRow
    name: str
    at_pct: float | None
    low_pct: float | None
    high_pct: float | None


@dataclass(frozen=True)
class Shown:
    """A frame with its picture; None if that can no longer be read."""

    frame: WorstFrame
    sample: Sample | None


def render_evaluation(evaluation: Evaluation, pictures: Path, *, lang: str = "en") -> str:
    """The page. pictures: the folder in which the drawings of the worst frames lie; they are embedded.

    lang: "en" or "zh".
    """
    t = functools.partial(evaluation_text, lang)
    rows = rows_of(evaluation)
    floor, ceiling = _span(rows)
    groups = [
        (t(title), [_whisker(row, _row_name(lang, row), floor, ceiling) for row in rows if row.group in kinds])
        for title, kinds in _GROUPS
    ]
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            evaluation=evaluation,
            t=t,
            candidate=engine_name(lang, evaluation.candidate.name),
            baseline=engine_name(lang, evaluation.baseline.name) if evaluation.baseline else "",
            stratum_label=functools.partial(stratum_label, lang),
            groups=[(title, whiskers) for title, whiskers in groups if whiskers],
            limits=_limits(floor, ceiling),
            shown=[Shown(frame, _sample(pictures / frame.picture)) for frame in evaluation.worst],
            verdict=_verdict(evaluation, lang),
            caveat=caveat_text(lang, evaluation.gate) if evaluation.gate else "",
            share=share_text,
        )
    )


_PARTS = {"stratum": "strata", "size": "sizes"}
_GROUPS = (("strata", ("all", "stratum")), ("sizes", ("size",)), ("classes", ("class",)))


def engine_name(lang: str, name: str) -> str:
    """ "INT8 engine 0123456789abcdef" or "FP32 model itself" of an evaluation; another name stands for itself."""
    for key, pattern in _NAMED:
        found = pattern.fullmatch(name)
        if found:
            values = dict(zip(("precision", "engine"), found.groups(), strict=False))
            return evaluation_text(lang, key, **values)
    return name


def _row_name(lang: str, row: EvaluationRow) -> str:
    if row.group == "all":
        return evaluation_text(lang, "all_pictures")
    return accuracy_label(lang, _PARTS.get(row.group, ""), row.name)


def _span(rows: tuple[EvaluationRow, ...]) -> tuple[float, float]:
    """The ends of the plot, so that every figure lies inside."""
    values = [value for row in rows for value in (row.kept, row.low, row.high) if value is not None]
    low = min([_LEAST_FLOOR + 0.1, *values])
    return max(0.0, int(low * 20) / 20), max([1.02, *values]) + 0.005


def _limits(floor: float, ceiling: float) -> list[tuple[str, float]]:
    """The lines of the plot, each with its text, or "" where that would run into another's."""
    places = {limit: _at(limit, floor, ceiling) for limit in (1.0, STRATUM_KEPT_MIN, KEPT_MIN)}
    named: list[float] = []
    for limit, at in places.items():
        if all(abs(at - places[other]) >= _APART_PCT for other in named):
            named.append(limit)
    return [(f"{100 * limit:g} %" if limit in named else "", at) for limit, at in places.items()]


def _whisker(row: EvaluationRow, name: str, floor: float, ceiling: float) -> Whisker:
    at, low, high = (None if value is None else _at(value, floor, ceiling) for value in (row.kept, row.low, row.high))
    return Whisker(row, name, at, low, high)


def _at(value: float, floor: float, ceiling: float) -> float:
    return 100 * (value - floor) / (ceiling - floor)


def _verdict(evaluation: Evaluation, lang: str) -> str:
    gate = evaluation.gate
    if gate is None:
        return ""
    if gate.passed:
        return evaluation_text(lang, "passed", kept=kept_text(lang, gate), unsure=unsure_text(lang, gate))
    return evaluation_text(lang, "refused", why=refusal_text(lang, gate))


def _sample(path: Path) -> Sample | None:
    return embedded(path, path.stem, _LONGEST_SIDE_PX, _QUALITY)
