"""Which results are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import ColumnElement, Select

from edgekit.errors import UsageError
from edgekit.report.history.schema import RESULTS


@dataclass(frozen=True)
class Query:
    """Every given field narrows the choice; None leaves it open.

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

    def conditions(self) -> Sequence[ColumnElement[bool]]:
        """What a row of the table of results must meet."""
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
        wanted: list[ColumnElement[bool]] = [
            RESULTS.c[name] == value for name, value in equal.items() if value is not None
        ]
        if self.commit is not None:
            wanted.append(RESULTS.c.git_commit.startswith(self.commit, autoescape=True))
        if self.since is not None:
            wanted.append(RESULTS.c.created_at >= naive_utc(self.since))
        if self.until is not None:
            wanted.append(RESULTS.c.created_at < naive_utc(self.until))
        return wanted

    def newest_first(self, statement: Select[Any]) -> Select[Any]:
        """A statement over the table of results, narrowed and ordered; results of one moment as they were added."""
        ordered = statement.where(*self.conditions()).order_by(RESULTS.c.created_at.desc(), RESULTS.c.sequence.desc())
        return ordered if self.limit is None else ordered.limit(self.limit)


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
