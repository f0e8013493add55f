"""The history as one HTML page: every series with its figures over time. No script, nothing fetched."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from edgekit.core.gate import share_text
from edgekit.report.history.charts import HEIGHT_PX, Dot, panels_of
from edgekit.report.history.figures import MAP_KEPT
from edgekit.report.history.kept import Yardstick, yardsticks
from edgekit.report.history.page_texts import page_text
from edgekit.report.history.series import Series
from edgekit.report.history.timeline import Timeline
from edgekit.report.html import environment

_TEMPLATE = "history.html.j2"


def render_history(found: Timeline, *, lang: str = "en") -> str:
    """The page of at least one entry. lang: "en" or "zh"."""
    t = functools.partial(page_text, lang)
    rows, sticks = found.kept, yardsticks(found.judged)
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            t=t,
            rows=rows,
            panels=panels_of(rows),
            stick=functools.partial(_stick, sticks),
            evaluations=found.evaluations,
            refreshes=found.refreshes,
            share=share_text,
            interval=_interval,
            minute=_minute,
            disturbed=[row for row in rows if not row.comparable],
            disordered=[row for row in rows if row.clock_back_of],
            height_px=HEIGHT_PX,
            told=functools.partial(_told, t),
        )
    )


def _stick(sticks: Mapping[tuple[str, str, str], Yardstick], one: Series) -> Yardstick | None:
    """What the mAP kept of a series is measured by, None where it has none."""
    drawn = any(line.key == MAP_KEPT.key for line in one.lines)
    return sticks.get((one.device, one.detector, one.precision)) if drawn else None


def _interval(low: float | None, high: float | None) -> str:
    return f"{100 * low:.1f}–{100 * high:.1f}" if low is not None and high is not None else ""


def _minute(created_utc: str) -> str:
    return created_utc[:16].replace("T", " ")


def _told(t: functools.partial[str], dot: Dot, digits: int) -> str:
    """What a dot says when it is pointed at."""
    row = dot.row
    parts = [f"{dot.value:.{digits}f}", row.created_utc.replace("T", " ").removesuffix("Z"), row.result_id]
    parts.append(f"{t('engine')} {row.engine_id[:12]}")
    return ", ".join([*parts, *([f"{t('commit')} {row.git_commit[:12]}"] if row.git_commit else [])])
