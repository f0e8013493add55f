"""The coverage of a set as one HTML page: no script, no file beside it, nothing fetched."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from edgekit.core.coverage import Coverage, CoveragePictures, StratumCoverage
from edgekit.report.coverage.texts import coverage_text, stratum_text
from edgekit.report.html import environment
from edgekit.report.plots import Tick, nice_ceiling, ticks
from edgekit.report.recorded.saying import recorded
from edgekit.report.samples import Sample, embedded

_TEMPLATE = "coverage.html.j2"
_THUMBNAIL_PX = 240
_QUALITY = 72
_LINES = 40


@dataclass(frozen=True)
class ShareBar:
    """One stratum as a row: its name and the two bars, in percent of the plot's width."""

    name: str
    row: StratumCoverage
    width_pct: float
    reference_pct: float | None


@dataclass(frozen=True)
class Gallery:
    """Examples of one stratum. borrowed: they are the reference's, for the set has none."""

    group: str
    name: str
    verdict: str
    borrowed: bool
    pictures: tuple[Sample, ...]


def render_coverage(coverage: Coverage, pictures: CoveragePictures, *, created_utc: str, lang: str = "en") -> str:
    """The page. lang: "en" or "zh". Pictures that can no longer be read are left out."""
    shown = [row for row in coverage.strata if row.verdict != "absent"]
    ceiling = _ceiling(shown)
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            coverage=coverage,
            t=functools.partial(coverage_text, lang),
            recorded=functools.partial(recorded, lang),
            named=functools.partial(stratum_text, lang),
            groups=_groups(shown, ceiling, lang),
            ticks=_percent_ticks(ceiling),
            points=pictures.points,
            galleries=_galleries(shown, pictures, lang),
            twins=[[sample for path in pair if (sample := thumbnail(path))] for pair in pictures.twins],
            lines=_LINES,
            created_utc=created_utc,
        )
    )


def _ceiling(rows: Sequence[StratumCoverage]) -> float:
    return min(1.0, nice_ceiling(max([0.1, *(max(row.share, row.reference_share or 0.0) for row in rows)])))


def _percent_ticks(ceiling: float) -> tuple[Tick, ...]:
    return tuple(Tick(tick.at_pct, 100 * tick.value) for tick in ticks(ceiling, parts=2))


def _groups(rows: Sequence[StratumCoverage], ceiling: float, lang: str) -> list[tuple[str, list[ShareBar]]]:
    """Rows by axis, in their order."""
    found = []
    for _, group in groupby(rows, key=lambda row: row.stratum.partition(":")[0]):
        bars = [_bar(row, ceiling, lang) for row in group]
        found.append((stratum_text(lang, bars[0].row.stratum)[0], bars))
    return found


def _bar(row: StratumCoverage, ceiling: float, lang: str) -> ShareBar:
    reference = None if row.reference_share is None else 100 * row.reference_share / ceiling
    return ShareBar(stratum_text(lang, row.stratum)[1], row, 100 * row.share / ceiling, reference)


def _galleries(rows: Sequence[StratumCoverage], pictures: CoveragePictures, lang: str) -> list[Gallery]:
    """Examples of every stratum but the usual ones of an axis and the classes, what is missing first."""
    order = {"missing": 0, "thin": 1, "well": 2}
    wanted = [row for row in rows if not row.stratum.startswith("class:") and not row.stratum.endswith(_USUAL)]
    galleries = []
    for row in sorted(wanted, key=lambda row: order[row.verdict]):
        found = tuple(sample for path in pictures.examples.get(row.stratum, ()) if (sample := thumbnail(path)))
        if found:
            group, name = stratum_text(lang, row.stratum)
            galleries.append(Gallery(group, name, row.verdict, row.stratum in pictures.borrowed, found))
    return galleries


_USUAL = (":none", ":clear", ":few", ":usual")


def thumbnail(path: str) -> Sample | None:
    """A picture as a data URI of at most 240 px; None if it cannot be read."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    return embedded(path, name, _THUMBNAIL_PX, _QUALITY)
