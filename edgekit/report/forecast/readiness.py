"""How ready each detector on each device is: one line a pair, whether or not it was ever measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgekit.core.progress import OnProgress
from edgekit.core.results import BenchResult
from edgekit.report.forecast.forecasting import forecast
from edgekit.report.forecast.outlook import Forecast, Known, Wish

# "ready": met, and most likely by the next release too; "at risk": met, and the next release may well miss a target;
# "met": by the newest release, and nothing can be forecast.
STATES = ("ready", "met", "at risk", "not met", "not measured", "no targets")
_NOTHING = Known()
READY_FROM = 0.9  # probability that the next release meets all targets too


@dataclass(frozen=True)
class Subject:
    """A detector on a device, and what is asked of it. shipped_engine: what `deploy` put there, None if unknown."""

    device: str
    detector: str
    targets: Mapping[str, float]
    shipped_engine: str | None = None


@dataclass(frozen=True)
class Readiness:
    """state: one of STATES. likely_from: releases from now until all targets are met with at least even chance, None
    if not within those that were forecast, or if nothing could be forecast."""

    subject: Subject
    state: str
    forecast: Forecast
    likely_from: int | None = None


def readiness(
    subjects: Sequence[Subject],
    results: Sequence[BenchResult],
    wish: Wish,
    known: Known = _NOTHING,
    on_progress: OnProgress = lambda *_: None,
) -> tuple[Readiness, ...]:
    """One entry for each subject, in their order; results are those of all of them, in order of recording.

    The subject's targets are used where the wish has none.
    """
    made = []
    for number, subject in enumerate(subjects):
        if number:
            on_progress("forecast", number, len(subjects))
        own = [one for one in results if (one.device, one.engine.detector) == (subject.device, subject.detector)]
        targets = wish.targets or subject.targets
        found = forecast(own, replace(wish, targets=targets), replace(known, shipped_engine=subject.shipped_engine))
        made.append(Readiness(subject, _state(found), found, _likely_from(found)))
    return tuple(made)


def subjects_measured(results: Sequence[BenchResult]) -> list[tuple[str, str]]:
    """(device, detector) of every pair among results, sorted."""
    return sorted({(one.device, one.engine.detector) for one in results})


def _state(found: Forecast) -> str:
    if not found.targets:
        return "no targets" if found.releases else "not measured"
    if found.met is None:
        return "not measured"
    if not found.met:
        return "not met"
    if not found.together:
        return "met"
    return "ready" if found.together[0] >= READY_FROM else "at risk"


def _likely_from(found: Forecast) -> int | None:
    if found.met:
        return 0
    return next((ahead for ahead, share in enumerate(found.together, start=1) if share >= 0.5), None)
