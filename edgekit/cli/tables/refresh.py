"""How `edgekit refresh` shows a refresh, a history, a plan and a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.cli.console import table
from edgekit.core.gate import kept_text, refusal_text, unsure_text
from edgekit.core.refresh import Refresh
from edgekit.report.numbers import moment
from edgekit.report.refresh.markdown import COLUMNS, Comparison, compared

if TYPE_CHECKING:
    from edgekit.control.refresh.preview import Preview
    from edgekit.control.refresh.schedule import Schedule, Scheduled


def record_items(record: Refresh) -> list[Any]:
    """One refresh: a table for each comparison, then what came of it."""
    items: list[Any] = []
    unquantised = record.evidence.unquantised if record.evidence else None
    for one in compared(record):
        if not one.limited:
            items += [f"{one.title}: {one.measure} on {one.gate.dataset}", _rows(one), ""]
    if unquantised is not None:
        verdict = refusal_text(unquantised) or f"it {kept_text(unquantised)}{unsure_text(unquantised)}"
        items += [f"On {unquantised.dataset}, against {unquantised.baseline}: {verdict}", ""]
    items += [f"note: {note}" for note in record.notes]
    items.append(f"{record.device}: {record.outcome}. {record.why}")
    if record.hint:
        items.append(f"  {record.hint}")
    return items


def _rows(one: Comparison) -> Any:
    return table(("stratum", *COLUMNS), [(row.stratum, *one.cells(row)) for row in one.gate.rows], right=COLUMNS[:4])


def outcomes_table(records: Sequence[Refresh]) -> Any:
    """One line a device."""
    rows = [(one.device, one.outcome, one.frames.accepted, one.set_name or None, one.why) for one in records]
    return table(("device", "outcome", "new frames", "set", "why"), rows, right=("new frames",))


def history_table(records: Sequence[Refresh]) -> Any:
    """One line a refresh, newest first."""
    rows = [
        (
            moment(one.created_utc),
            one.device,
            one.outcome,
            one.frames.accepted,
            sum(one.frames.refused.values()),
            one.set_name or None,
            _before_after(one),
            one.why,
        )
        for one in records
    ]
    columns = ("when", "device", "outcome", "new", "refused", "set", "held out", "why")
    return table(columns, rows, right=("new", "refused"))


def _before_after(record: Refresh) -> str | None:
    """Of the held-out field frames, all together."""
    gate = record.evidence.holdout if record.evidence else None
    return None if gate is None else f"{gate.overall.baseline_map:.3f} -> {gate.overall.map50_95:.3f}"


def preview_text(seen: Preview) -> str:
    """What a refresh would do."""
    lines = [
        f"{seen.device}: {seen.precision.upper()} engine {seen.serving_engine_id} serves, of {seen.serving_set}",
        f"  fetch    {seen.kept} frames kept there, {seen.to_fetch} of them not here yet",
        "  screen   what is unreadable, dark, there twice, mislabelled or floods is left out",
        f"  sets     {seen.field_set} and {seen.holdout_set}, which nothing is calibrated with",
        f"  choose   {seen.size} pictures of {seen.base_set} and {seen.field_set}",
        "  build    INT8 on the device, beside what runs",
        "  judge    on the frozen set and on held-out frames, against the engine that serves",
        "  promote  only if it loses nothing and is better: devices.yaml, release, probation",
    ]
    return "\n".join(lines)


def schedule_text(schedule: Schedule) -> str:
    """The units as they would be written."""
    return "\n".join(f"# {path}\n{text}" for path, text in schedule.units.items())


def scheduled_text(done: Scheduled) -> str:
    """What was written or taken away, and what is left to do."""
    schedule = done.schedule
    if not schedule.when:
        lines = [f"{schedule.device}: " + ("not scheduled any more" if done.changed else "was not scheduled")]
    else:
        following = f", next {schedule.next}" if schedule.next else ""
        state = "runs by itself" if done.active else "written, not started"
        lines = [f"{schedule.device}: {state}, {schedule.when}{following}: {schedule.timer}"]
    lines += [f"  {path}" for path in done.changed]
    lines += [f"  to do: {command}" for command in done.todo]
    return "\n".join(lines)
