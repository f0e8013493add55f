"""The history: results added once, found again, never changed.

with open_history(address) as history:
    history.add(result)
    for result in history.results(Query(device="yard", branch="main")): ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType

from sqlalchemy import Engine, func, select

from edgekit.core.progress import OnProgress
from edgekit.core.results import BenchResult
from edgekit.errors import ConfigError
from edgekit.report.history.adding import Added, add_foreign_result, add_result, preview_result
from edgekit.report.history.address import parse_address, shown
from edgekit.report.history.connection import engine_of, reading, writing
from edgekit.report.history.foreign import ForeignResult, foreign_of
from edgekit.report.history.migrate import prepare, require
from edgekit.report.history.query import Query, only_row
from edgekit.report.history.records import Records
from edgekit.report.history.rows import Listed, listed_of, result_of, utc_text
from edgekit.report.history.schema import DOCUMENTS, FOREIGN, RESULTS
from edgekit.report.load import ResultsFolder

__all__ = ["Added", "History", "open_history"]

_PART = 500
_ALL = Query()


def open_history(address: str, *, create: bool = True) -> History:
    """The history at an address: a path, sqlite:///path or postgresql://user@host/database.

    create: make it if there is none; else NotFoundError says that there is none. Older tables are brought up to date.
    Raises UsageError if it cannot be reached, ConfigError if it is damaged or of a newer edgekit.
    """
    engine = engine_of(parse_address(address))
    try:
        (prepare if create else require)(engine)
    except BaseException:
        engine.dispose()
        raise
    return History(engine)


class History:
    """An open history. Every call is one transaction, and may be made by several processes at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> History:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @property
    def place(self) -> str:
        """Where it lies, for people; without a password."""
        return shown(self._engine.url)

    @property
    def records(self) -> Records:
        """The evaluations and refreshes in it."""
        return Records(self._engine)

    def add(self, result: BenchResult, *, live: bool = False) -> Added:
        """Keep a result. live: it was measured just now, so that the clock can be watched, see Listed.clock_back_of."""
        return self.add_all((result,), live=live)[0]

    def add_all(
        self, results: Iterable[BenchResult], *, live: bool = False, on_progress: OnProgress = lambda *_: None
    ) -> tuple[Added, ...]:
        """Keep many, in their order, a few hundred in a transaction; one that is refused keeps no other from it."""
        added: list[Added] = []
        rest = iter(results)
        while part := list(islice(rest, _PART)):
            with writing(self._engine) as connection:
                added += [add_result(connection, result, live=live) for result in part]
            on_progress("add to the history", len(added), 0)
        return tuple(added)

    def preview(self, results: Iterable[BenchResult]) -> tuple[Added, ...]:
        """What `add_all` would answer, with nothing written."""
        with reading(self._engine) as connection:
            return tuple(preview_result(connection, result) for result in results)

    def listed(self, query: Query = _ALL) -> tuple[Listed, ...]:
        """Results without their documents, newest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(query.newest_first(select(RESULTS))).mappings()
            return tuple(listed_of(row) for row in rows)

    def count(self, query: Query = _ALL) -> int:
        """How many there are, whatever the query's limit."""
        with reading(self._engine) as connection:
            return (
                connection.execute(select(func.count()).select_from(RESULTS).where(*query.conditions())).scalar() or 0
            )

    def read(self, query: Query = _ALL) -> ResultsFolder:
        """Whole results, oldest first, and one line for each that cannot be read: damaged, or of a newer edgekit."""
        results: list[BenchResult] = []
        problems: list[str] = []
        for result_id, document in self.documents(query):
            try:
                results.append(result_of(document, result_id))
            except ConfigError as error:
                problems.append(" ".join(str(error).split()))
        return ResultsFolder(tuple(results), tuple(problems))

    def results(self, query: Query = _ALL) -> list[BenchResult]:
        """Whole results, oldest first. Those that cannot be read are left out: `read` names them."""
        return list(self.read(query).results)

    def documents(self, query: Query = _ALL) -> Iterator[tuple[str, str]]:
        """(id, JSON text) of whole results, oldest first, some hundred in memory at a time."""
        with reading(self._engine) as connection:
            chosen = connection.execute(query.newest_first(select(RESULTS.c.sequence))).scalars().all()
            for part in _parts(list(reversed(chosen))):
                wanted = select(RESULTS.c.sequence, RESULTS.c.result_id, DOCUMENTS.c.document)
                joined = wanted.join(DOCUMENTS, DOCUMENTS.c.sequence == RESULTS.c.sequence)
                found = {row[0]: row for row in connection.execute(joined.where(RESULTS.c.sequence.in_(part)))}
                yield from (
                    (found[sequence].result_id, found[sequence].document) for sequence in part if sequence in found
                )

    def subjects(self) -> tuple[tuple[str, str], ...]:
        """(device, detector) of every pair that was measured."""
        pairs = select(RESULTS.c.device, RESULTS.c.detector).distinct().order_by(RESULTS.c.device, RESULTS.c.detector)
        with reading(self._engine) as connection:
            return tuple((row[0], row[1]) for row in connection.execute(pairs))

    def span(self) -> tuple[int, str, str]:
        """How many results there are, and when the first and the last were measured, "" without one."""
        with reading(self._engine) as connection:
            count, first, last = connection.execute(
                select(func.count(), func.min(RESULTS.c.created_at), func.max(RESULTS.c.created_at))
            ).one()
        return (count, utc_text(first), utc_text(last)) if count else (0, "", "")

    def find(self, result_id: str) -> tuple[Listed, BenchResult]:
        """A result by its id, or by a beginning that only it has. Raises NotFoundError and ConfigError."""
        with reading(self._engine) as connection:
            row = only_row(connection, RESULTS, "result_id", result_id, self.place, "result")
            where = DOCUMENTS.c.sequence == row["sequence"]
            document = connection.execute(select(DOCUMENTS.c.document).where(where)).scalar() or ""
        return listed_of(row), result_of(document, row["result_id"])

    def add_foreign(self, results: Iterable[ForeignResult]) -> tuple[Added, ...]:
        """Keep what another tool measured."""
        with writing(self._engine) as connection:
            return tuple(add_foreign_result(connection, result) for result in results)

    def foreign(self, tool: str | None = None, device: str | None = None) -> tuple[ForeignResult, ...]:
        """What other tools measured, as it was added."""
        wanted = select(FOREIGN.c.document).order_by(FOREIGN.c.sequence)
        wanted = wanted if tool is None else wanted.where(FOREIGN.c.tool == tool)
        wanted = wanted if device is None else wanted.where(FOREIGN.c.device == device)
        with reading(self._engine) as connection:
            return tuple(foreign_of(document) for document in connection.execute(wanted).scalars())

    def find_foreign(self, foreign_id: str) -> ForeignResult:
        """One of them by its id, or by a beginning that only it has. Raises NotFoundError."""
        with reading(self._engine) as connection:
            return foreign_of(only_row(connection, FOREIGN, "foreign_id", foreign_id, self.place, "result")["document"])


def _parts(items: Sequence[int]) -> Iterator[Sequence[int]]:
    return (items[start : start + _PART] for start in range(0, len(items), _PART))
