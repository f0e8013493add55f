"""Results, evaluations and refreshes on one line of time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from edgekit.report.history.evaluations import ListedEvaluation
from edgekit.report.history.kept import with_kept
from edgekit.report.history.refreshes import ListedRefresh
from edgekit.report.history.rows import Listed

KINDS = ("result", "eval", "refresh")
Entry = Listed | ListedEvaluation | ListedRefresh


@dataclass(frozen=True)
class Timeline:
    """The newest entries, newest first. totals: how many of each kind there are. judged: evaluations of the engines
    that the results were measured with, newest first, whether they are among the entries or not."""

    entries: tuple[Entry, ...]
    totals: dict[str, int]
    judged: tuple[ListedEvaluation, ...] = ()

    @property
    def kept(self) -> tuple[Listed, ...]:
        """The results with what their engines keep of the accuracy, see kept.with_kept."""
        return with_kept(self.results, self.judged)

    @property
    def total(self) -> int:
        """How many there are of all kinds."""
        return sum(self.totals.values())

    @property
    def results(self) -> tuple[Listed, ...]:
        """Those that are results."""
        return tuple(one for one in self.entries if isinstance(one, Listed))

    @property
    def evaluations(self) -> tuple[ListedEvaluation, ...]:
        """Those that are evaluations."""
        return tuple(one for one in self.entries if isinstance(one, ListedEvaluation))

    @property
    def refreshes(self) -> tuple[ListedRefresh, ...]:
        """Those that are refreshes."""
        return tuple(one for one in self.entries if isinstance(one, ListedRefresh))


def merged(
    *newest_first: Sequence[Entry],
    totals: dict[str, int],
    judged: tuple[ListedEvaluation, ...] = (),
    limit: int | None = None,
) -> Timeline:
    """Entries of several kinds, each newest first, as one line; those of one moment in the order of the kinds."""
    ordered = sorted((one for kind in newest_first for one in kind), key=lambda one: one.created_utc, reverse=True)
    return Timeline(tuple(islice(ordered, limit)), totals, judged)
