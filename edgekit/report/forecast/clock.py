"""The order of results in time, and what is wrong with their times. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from edgekit.core.results import BenchResult
from edgekit.report.recorded.tables import say

_MAY_DIFFER = timedelta(minutes=10)  # the clock of this machine and that of the one that measured


def in_order(
    results: Sequence[BenchResult], clock_back: Collection[str], now_utc: str
) -> tuple[list[BenchResult], tuple[str, ...]]:
    """By time, results of one moment as they were given, and what is wrong with the times."""
    ordered = sorted(results, key=lambda result: result.created_utc)
    said = []
    back = sum(before.created_utc > after.created_utc for before, after in pairwise(results))
    back += sum(result.result_id in clock_back for result in results)
    if back:
        said.append(say("clock", "back_once" if back == 1 else "back", times=back))
    mixed = _sessions_out_of_order(ordered)
    if mixed:
        said.append(say("clock", "back_in_session" if mixed == 1 else "back_in_sessions", sessions=mixed))
    ahead = _ahead(ordered, now_utc)
    if ahead:
        said.append(say("clock", "future_one" if ahead == 1 else "future", results=ahead))
    return ordered, tuple(said)


def _sessions_out_of_order(ordered: Sequence[BenchResult]) -> int:
    """Sessions whose rounds do not follow each other in time."""
    last: dict[str, int] = {}
    mixed = set()
    for result in ordered:
        if result.session and result.round < last.get(result.session, 0):
            mixed.add(result.session)
        last[result.session] = result.round
    return len(mixed)


def _ahead(ordered: Sequence[BenchResult], now_utc: str) -> int:
    now = moment(now_utc)
    if now is None:
        return 0
    times = (moment(result.created_utc) for result in ordered)
    return sum(time is not None and time > now + _MAY_DIFFER for time in times)


def moment(utc: str) -> datetime | None:
    """A stamp that names its zone, else None."""
    try:
        found = datetime.fromisoformat(utc.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None
