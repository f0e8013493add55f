"""Which results, evaluations and refreshes are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, or_, select

from edgekit.errors import NotFoundError, UsageError
from edgekit.report.history.schema import RESULTS


@dataclass(frozen=True)
class Query:
    """Every given field narrows the choice; None leaves it open. A kind without such a field has no row, see `fits`.

    commit: its beginning. since, until: with a time zone; until itself is excluded. comparable: True for results that
    nothing disturbed, False for the others. limit: the newest so many.
    """

    device: str | None = None
    detector: str | None = None
    precision: str | None = None
    scenario: str | None = None
    branch: str | None = None
    commit: str | None = None
    session: str | None = None
    engine_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    comparable: bool | None = None
    limit: int | None = None

    def fits(self, table: Table) -> bool:
        """False if it asks for something that no row of this table has: a refresh is of no scenario."""
        asked = [*self._equal(), *(["git_commit"] if self.commit is not None else [])]
        return all(name in table.c for name in asked)

    def conditions(self, table: Table = RESULTS) -> Sequence[ColumnElement[bool]]:
        """What a row of a table that it fits must meet."""
        wanted: list[ColumnElement[bool]] = [table.c[name] == value for name, value in self._equal().items()]
        if self.commit is not None:
            wanted.append(table.c.git_commit.startswith(self.commit, autoescape=True))
        if self.since is not None:
            wanted.append(table.c.created_at >= naive_utc(self.since))
        if self.until is not None:
            wanted.append(table.c.created_at < naive_utc(self.until))
        return wanted

    def newest_first(self, statement: Select[Any], table: Table = RESULTS) -> Select[Any]:
        """A statement over a table, narrowed and ordered; rows of one moment as they were added."""
        ordered = statement.where(*self.conditions(table)).order_by(table.c.created_at.desc(), table.c.sequence.desc())
        return ordered if self.limit is None else ordered.limit(self.limit)

    def _equal(self) -> dict[str, str | bool]:
        equal = {
            "device": self.device,
            "detector": self.detector,
            "precision": self.precision,
            "scenario": self.scenario,
            "git_branch": self.branch,
            "session": self.session,
            "engine_id": self.engine_id,
            "comparable": self.comparable,
        }
        return {name: value for name, value in equal.items() if value is not None}


def only_row(connection: Connection, table: Table, column: str, wanted: str, place: str, what: str) -> dict[str, Any]:
    """The row with this id, else the only one whose id begins so. Raises NotFoundError, which names what there is."""
    found = table.c[column]
    match = or_(found == wanted, found.startswith(wanted, autoescape=True))
    rows = connection.execute(select(table).where(match).order_by(found).limit(6)).mappings().all()
    exact = [row for row in rows if row[column] == wanted]
    if len(exact or rows) == 1:
        return dict((exact or rows)[0])
    if not rows:
        raise NotFoundError(f"no {what} {wanted!r} in {place}", hint="edgekit history")
    plural = "refreshes" if what == "refresh" else f"{what}s"
    raise NotFoundError(
        f"{len(rows) if len(rows) < 6 else 'more than 5'} {plural} begin with {wanted!r}",
        why="\n".join(row[column] for row in rows[:5]),
        hint="give more of the id",
    )


def naive_utc(moment: datetime) -> datetime:
    """A moment as the tables hold it: UTC, without saying so."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None)


def parse_moment(text: str, *, what: str = "--since") -> datetime:
    """ "2026-11-20" or "2026-11-20T08:30:00Z"; without a zone it is UTC. Raises UsageError."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    except ValueError:
        raise UsageError(f"{what}: expected a date such as 2026-11-20 or 2026-11-20T08:30:00Z, got {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
