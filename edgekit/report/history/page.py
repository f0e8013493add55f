"""The history as one HTML page: every series with its figures over time. No script, nothing fetched."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from edgekit.report.history.charts import HEIGHT_PX, Dot, panels_of
from edgekit.report.history.page_texts import page_text
from edgekit.report.history.rows import Listed
from edgekit.report.html import environment

_TEMPLATE = "history.html.j2"


def render_history(newest_first: Sequence[Listed], *, lang: str = "en") -> str:
    """The page of at least one result. lang: "en" or "zh"."""
    t = functools.partial(page_text, lang)
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            t=t,
            rows=newest_first,
            panels=panels_of(newest_first),
            disturbed=[row for row in newest_first if not row.comparable],
            disordered=[row for row in newest_first if row.clock_back_of],
            height_px=HEIGHT_PX,
            told=functools.partial(_told, t),
        )
    )


def _told(t: functools.partial[str], dot: Dot, digits: int) -> str:
    """What a dot says when it is pointed at."""
    row = dot.row
    parts = [f"{dot.value:.{digits}f}", row.created_utc.replace("T", " ").removesuffix("Z"), row.result_id]
    parts.append(f"{t('engine')} {row.engine_id[:12]}")
    return ", ".join([*parts, *([f"{t('commit')} {row.git_commit[:12]}"] if row.git_commit else [])])
