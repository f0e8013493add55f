"""The line of time that `edgekit history` lists and draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.report.history.query import Query
    from edgekit.report.history.store import History
    from edgekit.report.history.timeline import Timeline


def line_of(history: History, query: Query, kind: str | None = None, *, limit: int | None = None) -> Timeline:
    """The entries of all kinds, or of one, as many as the query's limit of each; the newest `limit` of them all.

    kind: one of timeline.KINDS.
    """
    from edgekit.report.history.timeline import merged

    records = history.records
    results = history.listed(query) if kind in (None, "result") else ()
    return merged(
        results,
        records.evaluations(query) if kind in (None, "eval") else (),
        records.refreshes(query) if kind in (None, "refresh") else (),
        totals=_totals(history, query, kind),
        judged=records.judged({(row.device, row.engine_id) for row in results}),
        limit=limit,
    )


def _totals(history: History, query: Query, kind: str | None) -> dict[str, int]:
    evaluations, refreshes = history.records.count(query)
    totals = {"result": history.count(query), "eval": evaluations, "refresh": refreshes}
    return {name: total for name, total in totals.items() if kind in (None, name)}
