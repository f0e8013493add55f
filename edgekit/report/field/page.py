"""Frames that a device has kept as one HTML page: no script, no file beside it, nothing fetched."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from edgekit.report.coverage.page import thumbnail
from edgekit.report.coverage.texts import stratum_text
from edgekit.report.field.summary import Count, FieldSummary
from edgekit.report.field.texts import field_text, reason_text, refusal_text
from edgekit.report.html import environment
from edgekit.report.plots import Tick, nice_ceiling, ticks
from edgekit.report.recorded.saying import recorded
from edgekit.report.samples import Sample

_TEMPLATE = "field.html.j2"
_LINES = 12


@dataclass(frozen=True)
class FieldExample:
    """A picture that is safe to read, with a line about it."""

    path: str
    caption: str


@dataclass(frozen=True)
class FieldGallery:
    """Examples of one reason. total: how many pictures have it."""

    total: int
    examples: tuple[FieldExample, ...]


@dataclass(frozen=True)
class FieldVerdict:
    """What became of the frames that were fetched. batch_refusal: why none is to be used, or "".

    refused: reason -> sentences, one a frame, the worst reason first.
    """

    accepted: int
    known: int
    batch_refusal: str
    refused: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    @property
    def refused_count(self) -> int:
        """How many frames were refused."""
        return sum(len(sentences) for sentences in self.refused.values())


@dataclass(frozen=True)
class FieldPictures:
    """What the page shows: usable frames by the reason for which they were kept, and refused ones by that for which
    they were refused, now or before."""

    kept: Mapping[str, FieldGallery]
    refused: Mapping[str, FieldGallery]
    before: Mapping[str, FieldGallery]


@dataclass(frozen=True)
class _Bar:
    name: str
    note: str
    count: Count
    width_pct: float


@dataclass(frozen=True)
class _Gallery:
    name: str
    note: str
    total: int
    pictures: tuple[tuple[Sample, str], ...]


def render_field(
    summary: FieldSummary, verdict: FieldVerdict, pictures: FieldPictures, *, created_utc: str, lang: str = "en"
) -> str:
    """The page. lang: "en" or "zh". Pictures that can no longer be read are left out."""
    t = functools.partial(field_text, lang)
    ceiling = _ceiling(summary)
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            summary=summary,
            verdict=verdict,
            t=t,
            refusal=functools.partial(refusal_text, lang),
            recorded=functools.partial(recorded, lang),
            first=_moment(summary.first_unix_s),
            last=_moment(summary.last_unix_s),
            unseen=[_stratum(lang, name) for name in _unseen(summary)],
            plots=_plots(summary, lang, ceiling),
            ticks=tuple(Tick(tick.at_pct, 100 * tick.value) for tick in ticks(ceiling, parts=2)),
            galleries=_kept_galleries(pictures, lang),
            refused_galleries=_refused_galleries(pictures.refused, lang),
            before_galleries=_refused_galleries(pictures.before, lang),
            lines=_LINES,
            created_utc=created_utc,
        )
    )


def _stratum(lang: str, name: str) -> str:
    """A stratum in words; one that this version does not know, as the device calls it."""
    try:
        return field_text(lang, "colon").join(stratum_text(lang, name))
    except KeyError:
        return name


def _unseen(summary: FieldSummary) -> tuple[str, ...]:
    return summary.health.unseen if summary.health else ()


def _ceiling(summary: FieldSummary) -> float:
    counts = (*summary.reasons, *summary.strata, *summary.streams)
    return min(1.0, nice_ceiling(max([0.1, *(count.share for count in counts)])))


def _plots(summary: FieldSummary, lang: str, ceiling: float) -> list[tuple[str, str, list[_Bar]]]:
    """(title, note, bars) of each plot that has any."""
    reasons = [_bar(*reason_text(lang, count.name), count, ceiling) for count in summary.reasons]
    strata = [_bar(_stratum(lang, count.name), "", count, ceiling) for count in summary.strata]
    unnamed = field_text(lang, "single_camera")
    streams = [_bar(count.name or unnamed, "", count, ceiling) for count in summary.streams]
    found = [
        (field_text(lang, "reasons"), field_text(lang, "reasons_note"), reasons),
        (field_text(lang, "strata"), field_text(lang, "strata_note"), strata),
        (field_text(lang, "streams"), "", streams),
    ]
    return [plot for plot in found if plot[2]]


def _bar(name: str, note: str, count: Count, ceiling: float) -> _Bar:
    return _Bar(name, note, count, 100 * count.share / ceiling)


def _kept_galleries(pictures: FieldPictures, lang: str) -> list[_Gallery]:
    made = [_gallery(*reason_text(lang, name), one) for name, one in pictures.kept.items()]
    return [gallery for gallery in made if gallery.pictures]


def _refused_galleries(pictures: Mapping[str, FieldGallery], lang: str) -> list[_Gallery]:
    made = [_gallery(refusal_text(lang, why), "", one) for why, one in pictures.items()]
    return [gallery for gallery in made if gallery.pictures]


def _gallery(name: str, note: str, shown: FieldGallery) -> _Gallery:
    samples = [(sample, one.caption) for one in shown.examples if (sample := thumbnail(one.path))]
    return _Gallery(name, note, shown.total, tuple(samples))


def _moment(unix_s: float | None) -> str:
    if unix_s is None:
        return ""
    return datetime.fromtimestamp(unix_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
