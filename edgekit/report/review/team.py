"""What the team gains, from what the project itself recorded: deployments, refreshes, gates, measurements. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from edgekit.core.refresh import OUTCOMES
from edgekit.report import numbers
from edgekit.report.review.lines import Line, Phrase
from edgekit.report.review.prices import Prices
from edgekit.report.review.records import ProjectRecords

# A refresh that came to an end of its own, whatever it decided: its work was done.
_ENDED = ("promoted", "kept", "refused", "reverted")


def team_lines(records: ProjectRecords, prices: Prices) -> Iterator[Line]:
    """The lines in reading order. What was never done is said to be not recorded, not zero."""
    yield _counted("devices_run", len(records.deployed), "deploys", devices=str(records.devices))
    yield _measured("deploy_time", "s", [one.duration_s for one in records.deployed if one.changed], "deploys")
    yield _counted("measurements", records.results, "results", first=records.first_utc[:10], last=records.last_utc[:10])
    yield from _builds(records)
    refused = sum(not gate.passed for gate in records.gates)
    yield _counted("int8_gates", len(records.gates), "gates", refused=str(refused))
    failed = sum(not passed for passed in records.regression_gates)
    yield _counted("regression_gates", len(records.regression_gates), "regression_gates", failed=str(failed))
    yield from _refreshes(records)
    yield from _hours(records, prices)


def _builds(records: ProjectRecords) -> Iterator[Line]:
    values = {"engines": str(len(records.builds_s))}
    if records.builds_s:
        yield Line("build_total", "min", 1, sum(records.builds_s) / 60, values=values)
    else:
        yield Line("build_total", "min", 1, None, missing=("builds",))


def _refreshes(records: ProjectRecords) -> Iterator[Line]:
    outcomes = Counter(one.outcome for one in records.refreshes)
    told = tuple(
        Phrase(f"outcome_{name}" if name in OUTCOMES else "outcome_other", {"name": name, "count": str(count)})
        for name, count in outcomes.most_common()
    )
    yield replace(_counted("refreshes", len(records.refreshes), "refreshes"), lists={"outcomes": told})
    ended = [one.duration_s / 60 for one in records.refreshes if one.outcome in _ENDED]
    yield _measured("refresh_time", "min", ended, "refreshes")
    frames = sum(sum(one.frames.refused.values()) for one in records.refreshes)
    if frames:
        yield _counted("frames_refused", frames, "refreshes")


def _hours(records: ProjectRecords, prices: Prices) -> Iterator[Line]:
    """Only what the user says it takes by hand, times how often the records show it."""
    by_hand = prices.hours_by_hand
    counts = {"deploy": len(records.deployed), "refresh": sum(one.outcome in _ENDED for one in records.refreshes)}
    done = [(name, count, getattr(by_hand, name)) for name, count in {**counts, "report": 1}.items() if count]
    known = [(name, count, hours) for name, count, hours in done if hours is not None]
    parts = tuple(
        Phrase(f"by_hand_{name}", {"count": str(count), "hours": numbers.figure(hours, 1, "h")})
        for name, count, hours in known
    )
    if not known:
        yield Line("hours_saved", "h", 1, None, missing=("hours_by_hand",))
        yield Line("hours_cost", "money", 0, None, missing=("hours_by_hand",))
        return
    total = sum(count * hours for _, count, hours in known)
    yield Line("hours_saved", "h", 1, total, lists={"parts": parts})
    if prices.engineer_hour is None:
        yield Line("hours_cost", "money", 0, None, missing=("engineer_hour",))
    else:
        yield Line("hours_cost", "money", 0, total * prices.engineer_hour)


def _counted(key: str, count: int, missing: str, **values: str) -> Line:
    return Line(key, "", 0, float(count), values=values) if count else Line(key, "", 0, None, missing=(missing,))


def _measured(key: str, unit: str, values: list[float], missing: str) -> Line:
    """The median, or what is missing."""
    return Line(key, unit, 1, median(values) if values else None, missing=() if values else (missing,))
