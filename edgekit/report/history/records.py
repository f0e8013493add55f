"""The evaluations and refreshes of a history, beside its results: `History.records`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Engine, Table, func, or_, select

from edgekit.core.gate import Gate
from edgekit.core.progress import OnProgress
from edgekit.core.refresh import Refresh
from edgekit.errors import ConfigError
from edgekit.report.history.adding import Added
from edgekit.report.history.adding_records import Record, add_record, preview_record
from edgekit.report.history.address import shown
from edgekit.report.history.connection import reading, writing
from edgekit.report.history.evaluations import EvaluationRecord, ListedEvaluation, evaluation_of, listed_evaluation
from edgekit.report.history.query import Query, only_row
from edgekit.report.history.refreshes import ListedRefresh, listed_refresh, refresh_of
from edgekit.report.history.schema import EVALUATION_DOCUMENTS, EVALUATIONS, REFRESH_DOCUMENTS, REFRESHES, RESULTS

_PART = 500
_ALL = Query()
_Whole = TypeVar("_Whole")


class Records:
    """Every call is one transaction, and may be made by several processes at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add_all(self, records: Iterable[Record], *, on_progress: OnProgress = lambda *_: None) -> tuple[Added, ...]:
        """Keep many, a few hundred in a transaction; one that is refused keeps no other from it."""
        added: list[Added] = []
        rest = iter(records)
        while part := list(islice(rest, _PART)):
            with writing(self._engine) as connection:
                added += [add_record(connection, record) for record in part]
            on_progress("add to the history", len(added), 0)
        return tuple(added)

    def preview(self, records: Iterable[Record]) -> tuple[Added, ...]:
        """What `add_all` would answer, with nothing written."""
        with reading(self._engine) as connection:
            return tuple(preview_record(connection, record) for record in records)

    def settled(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of these ids that are there and will not change: every evaluation, and refreshes that have ended."""
        found: set[str] = set()
        with reading(self._engine) as connection:
            for part in _parts(ids):
                evaluations = select(EVALUATIONS.c.evaluation_id).where(EVALUATIONS.c.evaluation_id.in_(part))
                ended = select(REFRESHES.c.refresh_id).where(
                    REFRESHES.c.refresh_id.in_(part), REFRESHES.c.unfinished.is_(False)
                )
                found.update(connection.execute(evaluations).scalars(), connection.execute(ended).scalars())
        return frozenset(found)

    def evaluations(self, query: Query = _ALL) -> tuple[ListedEvaluation, ...]:
        """Evaluations without their documents, newest first; none if the query asks for what they do not have."""
        if not query.fits(EVALUATIONS):
            return ()
        with reading(self._engine) as connection:
            chosen = query.newest_first(select(EVALUATIONS), EVALUATIONS)
            return tuple(listed_evaluation(row) for row in connection.execute(chosen).mappings())

    def judged(self, pairs: Collection[tuple[str, str]]) -> tuple[ListedEvaluation, ...]:
        """The evaluations of these engines on these devices, newest first. pairs: (device, engine id)."""
        devices = sorted({device for device, _ in pairs})
        found: list[Any] = []
        with reading(self._engine) as connection:
            for part in _parts(sorted({engine_id for _, engine_id in pairs})):
                of_engines = select(EVALUATIONS).where(EVALUATIONS.c.engine_id.in_(part))
                found += connection.execute(of_engines.where(EVALUATIONS.c.device.in_(devices))).mappings()
        newest_first = sorted(found, key=lambda row: (row["created_at"], row["sequence"]), reverse=True)
        return tuple(listed_evaluation(row) for row in newest_first if (row["device"], row["engine_id"]) in pairs)

    def refreshes(self, query: Query = _ALL) -> tuple[ListedRefresh, ...]:
        """Refreshes without their documents, newest first; none if the query asks for what they do not have."""
        if not query.fits(REFRESHES):
            return ()
        with reading(self._engine) as connection:
            chosen = query.newest_first(select(REFRESHES), REFRESHES)
            return tuple(listed_refresh(row) for row in connection.execute(chosen).mappings())

    def count(self, query: Query = _ALL) -> tuple[int, int]:
        """How many evaluations and refreshes there are, whatever the query's limit."""
        return self._count(EVALUATIONS, query), self._count(REFRESHES, query)

    def _count(self, table: Table, query: Query) -> int:
        if not query.fits(table):
            return 0
        with reading(self._engine) as connection:
            counted = select(func.count()).select_from(table).where(*query.conditions(table))
            return connection.execute(counted).scalar() or 0

    def find_evaluation(self, evaluation_id: str) -> tuple[ListedEvaluation, EvaluationRecord]:
        """An evaluation by its id, or by a beginning that only it has. Raises NotFoundError and ConfigError."""
        row, document = self._find(EVALUATIONS, EVALUATION_DOCUMENTS, "evaluation_id", evaluation_id, "evaluation")
        return listed_evaluation(row), evaluation_of(document, row["evaluation_id"])

    def find_refresh(self, refresh_id: str) -> tuple[ListedRefresh, Refresh]:
        """A refresh by its id, or by a beginning that only it has. Raises NotFoundError and ConfigError."""
        row, document = self._find(REFRESHES, REFRESH_DOCUMENTS, "refresh_id", refresh_id, "refresh")
        return listed_refresh(row), refresh_of(document, row["refresh_id"])

    def _find(self, table: Table, documents: Table, column: str, wanted: str, what: str) -> tuple[dict[str, Any], str]:
        with reading(self._engine) as connection:
            row = only_row(connection, table, column, wanted, shown(self._engine.url), what)
            chosen = select(documents.c.document).where(documents.c.sequence == row["sequence"])
            return row, connection.execute(chosen).scalar() or ""

    def evaluation_documents(self, query: Query = _ALL) -> Iterator[tuple[str, str]]:
        """(id, JSON text) of whole evaluations, oldest first."""
        return self._documents(EVALUATIONS, EVALUATION_DOCUMENTS, "evaluation_id", query)

    def refresh_documents(self, query: Query = _ALL) -> Iterator[tuple[str, str]]:
        """(id, JSON text) of whole refreshes, oldest first."""
        return self._documents(REFRESHES, REFRESH_DOCUMENTS, "refresh_id", query)

    def _documents(self, table: Table, documents: Table, column: str, query: Query) -> Iterator[tuple[str, str]]:
        if not query.fits(table):
            return
        with reading(self._engine) as connection:
            chosen = connection.execute(query.newest_first(select(table.c.sequence), table)).scalars().all()
            for part in _parts(list(reversed(chosen))):
                joined = select(table.c.sequence, table.c[column], documents.c.document).join(documents)
                found = {row[0]: row for row in connection.execute(joined.where(table.c.sequence.in_(part)))}
                yield from ((found[one][1], found[one][2]) for one in part if one in found)

    def whole_refreshes(self, query: Query = _ALL) -> tuple[Refresh, ...]:
        """Whole refreshes, newest first; one that cannot be read, of a newer edgekit, is left out."""
        found = (_readable(refresh_of, name, text) for name, text in self.refresh_documents(query))
        return tuple(reversed([one for one in found if one is not None]))

    def evaluations_of(self, engine_ids: Collection[str]) -> tuple[EvaluationRecord, ...]:
        """Whole evaluations of these engines, or against one of them, newest first."""
        found: list[Any] = []
        with reading(self._engine) as connection:
            for part in _parts(sorted(engine_ids)):
                named = or_(EVALUATIONS.c.engine_id.in_(part), EVALUATIONS.c.reference_engine_id.in_(part))
                wanted = select(
                    EVALUATIONS.c.created_at,
                    EVALUATIONS.c.sequence,
                    EVALUATIONS.c.evaluation_id,
                    EVALUATION_DOCUMENTS.c.document,
                ).join(EVALUATION_DOCUMENTS)
                found += connection.execute(wanted.where(named)).all()
        rows = sorted({row.sequence: row for row in found}.values(), key=lambda row: row[:2], reverse=True)
        read = (_readable(evaluation_of, row.evaluation_id, row.document) for row in rows)
        return tuple(one for one in read if one is not None)

    def gates(self, query: Query = _ALL) -> tuple[Gate, ...]:
        """The gates that engines were held to, oldest first."""
        found = (_readable(evaluation_of, name, text) for name, text in self.evaluation_documents(query))
        return tuple(one.gate for one in found if one is not None and one.gate is not None)

    def detectors_of(self, engine_ids: Collection[str]) -> dict[str, str]:
        """Engine id -> its detector, of those that a result, an evaluation or a refresh tells of."""
        known: dict[str, str] = {}
        columns = (
            (EVALUATIONS.c.engine_id, EVALUATIONS.c.detector),
            (REFRESHES.c.serving_engine_id, REFRESHES.c.detector),
            (REFRESHES.c.candidate_engine_id, REFRESHES.c.detector),
            (RESULTS.c.engine_id, RESULTS.c.detector),
        )
        with reading(self._engine) as connection:
            for part in _parts(sorted(engine_ids)):
                for engine_id, detector in columns:
                    rows = connection.execute(select(engine_id, detector).where(engine_id.in_(part)).distinct())
                    known.update((row[0], row[1]) for row in rows if row[1])
        return known


def _readable(read: Callable[[str, str], _Whole], name: str, document: str) -> _Whole | None:
    try:
        return read(document, name)
    except ConfigError:
        return None


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + _PART] for start in range(0, len(items), _PART))
