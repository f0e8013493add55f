"""`edgekit refresh`: calibrate a device anew from what its cameras see, if that is proven better."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.history.keeping import keep_records
from edgekit.cli.options import JOBS, DevicesOption, JobsOption
from edgekit.cli.pages import write_page
from edgekit.cli.session import App
from edgekit.core.refresh import Refresh, RefreshStep
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.control.fleet import Told as FleetTold
    from edgekit.control.groundwork import Groundwork
    from edgekit.control.inventory import Device
    from edgekit.control.refresh.running import Wish

_REFUSED, _LOSES, _REVERTED = 5, 7, 8  # exit codes, as of edgekit.errors


def command(
    app: App,
    device: DevicesOption = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size", min=16, max=100_000, metavar="N", help="Pictures. Default: as many as the base set has."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Put a better engine in service without asking.")] = False,
    accept_equal: Annotated[
        bool, typer.Option("--accept-equal", help="Take the new engine also if it is as good, not proven better.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Judge anew, and try a release again that failed, though nothing is new.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and stop.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Show the refreshes so far and stop.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="With --history: write the newest, as .html or .md."),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", metavar="WHEN", help="Run by itself: daily, weekly or a time of systemd."),
    ] = None,
    unschedule: Annotated[bool, typer.Option("--unschedule", help="Do not run by itself any more.")] = False,
    jobs: JobsOption = JOBS,
) -> int:
    """Calibrate INT8 anew with the hard frames that a device has kept, and put it in service if it is proven better.

    Frames are fetched, screened and parted; some are held out. A set is chosen from the base set and the field, an
    engine is built beside the one that runs, and both answer the frozen set and the held-out frames. The new one is
    deployed with its probation only if it loses nothing and is better. Else everything stays as it was, and the reason
    is said and kept.

    Without --yes you are asked before anything that runs is changed. The exit code is 5 if what the device has kept was
    refused, 7 if the new engine loses too much, 8 if the device took it back; 0 also if nothing is new or better.

    Examples:

        edgekit refresh --device xavier-nx
        edgekit refresh --device xavier-nx --dry-run
        edgekit refresh --device street --yes --jobs 4
        edgekit refresh --device xavier-nx --history --out refresh.html
        edgekit refresh --device xavier-nx --schedule "Sun 03:00"
    """
    entries = app.inventory.select(device or ["local"])
    _check_options(schedule=schedule, unschedule=unschedule, history=history, dry_run=dry_run, out=out)
    if schedule is not None or unschedule:
        return _schedule(app, entries, schedule, _passed_on(size, accept_equal), dry_run=dry_run)
    if history:
        return _history(app, entries, out)
    from edgekit.control.groundwork import Groundwork
    from edgekit.control.refresh.running import Wish

    ground, wish = Groundwork(app.project), Wish(size, again, accept_equal)
    if dry_run:
        return _dry_run(app, ground, entries, wish)
    try:
        if len(entries) == 1:
            return _one(app, ground, entries[0], wish, yes=yes)
        return _several(app, ground, entries, wish, yes=yes, jobs=jobs)
    finally:
        keep_records(app)


def _check_options(*, schedule: str | None, unschedule: bool, history: bool, dry_run: bool, out: Path | None) -> None:
    if (schedule is not None) + unschedule + history > 1:
        raise UsageError("--schedule, --unschedule and --history: one at a time")
    if out is not None and not history:
        raise UsageError("--out writes a refresh of the history", hint="add --history")
    if history and dry_run:
        raise UsageError("--history changes nothing, there is nothing to try dry")


def _passed_on(size: int | None, accept_equal: bool) -> list[str]:
    return [*(["--size", str(size)] if size else []), *(["--accept-equal"] if accept_equal else [])]


def _one(app: App, ground: Groundwork, entry: Device, wish: Wish, *, yes: bool) -> int:
    from edgekit.cli.tables.fleet import INTERRUPTED
    from edgekit.cli.tables.refresh import record_items

    try:
        record = _refreshed(app, ground, entry, wish, yes=yes)
        # Asked once the bars are gone; the second run finds everything and only puts it in service.
        if record.outcome == "waiting" and _ask(app, record):
            record = _refreshed(app, ground, entry, wish, yes=True)
    except KeyboardInterrupt:
        app.console.note("interrupted: run the same command again, what is done is found again")
        return INTERRUPTED
    app.console.result(record, *record_items(record))
    return exit_code(record)


def _refreshed(app: App, ground: Groundwork, entry: Device, wish: Wish, *, yes: bool) -> Refresh:
    from edgekit.control.connect import link_to
    from edgekit.control.refresh.running import Told, refresh

    def on_step(step: RefreshStep) -> None:
        app.console.note(f"  {step.name:8}{step.result} ({step.seconds:.1f} s)")

    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        return refresh(ground, entry, link, wish, lambda record: yes, Told(on_progress, on_step))


def _ask(app: App, record: Refresh) -> bool:
    if app.console.as_json or not sys.stdin.isatty():
        return False
    app.console.note(f"{record.device}: {record.why}")
    return typer.confirm("Put it in service?", err=True)


def exit_code(record: Refresh) -> int:
    """0 unless somebody should look."""
    if record.outcome == "kept":
        return _LOSES if record.cause == "loses" else 0
    return {"refused": _REFUSED, "reverted": _REVERTED}.get(record.outcome, 0)


def _several(app: App, ground: Groundwork, entries: Sequence[Device], wish: Wish, *, yes: bool, jobs: int) -> int:
    from edgekit.cli.tables.fleet import on_each, outcome_value, tell_trouble
    from edgekit.cli.tables.refresh import outcomes_table
    from edgekit.control.connect import link_to
    from edgekit.control.refresh.running import Told, refresh

    def work(entry: Device, told: FleetTold) -> tuple[str, Refresh]:
        told.state("looking")
        with closing(link_to(app.project, entry)) as link:
            record = refresh(ground, entry, link, wish, lambda record: yes, Told(told.progress, state=told.state))
        return record.outcome, record

    done = on_each(app, entries, work, jobs=jobs)
    value = {"devices": [outcome_value(outcome) for outcome in done.outcomes], "counts": done.counts}
    app.console.result(value, outcomes_table([one.value for one in done.outcomes if one.value]))
    trouble = tell_trouble(app.console, done, "run the same command again, what is done is found again")
    return trouble or max((exit_code(one.value) for one in done.outcomes if one.value), default=0)


def _dry_run(app: App, ground: Groundwork, entries: Sequence[Device], wish: Wish) -> int:
    from edgekit.cli.tables.fleet import on_each, show_each
    from edgekit.cli.tables.refresh import preview_text
    from edgekit.control.connect import link_to
    from edgekit.control.refresh.preview import Preview, preview

    def work(entry: Device, told: FleetTold) -> tuple[str, Preview]:
        with closing(link_to(app.project, entry)) as link:
            return "planned", preview(ground, entry, link, wish.size, told.progress)

    return show_each(app.console, on_each(app, entries, work, jobs=JOBS), preview_text)


def _history(app: App, entries: Sequence[Device], out: Path | None) -> int:
    from edgekit.cli.tables.refresh import history_table
    from edgekit.control.refresh.history import load_history

    records = [one for entry in entries for one in load_history(app.project, entry.name)]
    records.sort(key=lambda one: one.created_utc, reverse=True)
    if out is not None:
        _write(app, out, records)
    value: dict[str, Any] = {"refreshes": records}
    if records:
        app.console.result(value, history_table(records))
    else:
        app.console.result(value, f"no refresh of {', '.join(entry.name for entry in entries)} yet")
    return 0


def _write(app: App, out: Path, records: Sequence[Refresh]) -> None:
    from edgekit.report.refresh.markdown import refresh_markdown
    from edgekit.report.refresh.page import refresh_page

    shown = next((one for one in records if one.evidence is not None), records[0] if records else None)
    if shown is None:
        raise UsageError("there is no refresh to write", hint="edgekit refresh --device NAME")
    write_page(app, out, refresh_page(shown) if out.suffix in (".html", ".htm") else refresh_markdown(shown))
    app.console.note(f"wrote {out}: the refresh of {shown.device}, {shown.created_utc}")


def _schedule(app: App, entries: Sequence[Device], when: str | None, options: Sequence[str], *, dry_run: bool) -> int:
    from edgekit.cli.tables.refresh import schedule_text, scheduled_text
    from edgekit.control.refresh.schedule import install, plan_schedule, remove

    if when is None:
        if dry_run:
            raise UsageError("--dry-run shows what --schedule would write; --unschedule writes nothing")
        removed = [remove(app.project, entry.name) for entry in entries]
        app.console.result({"removed": [_plain(one) for one in removed]}, *map(scheduled_text, removed))
        return 0
    plans = [plan_schedule(app.project, entry.name, when, options) for entry in entries]
    if dry_run:
        app.console.result({"planned": [_plain_plan(one) for one in plans]}, *map(schedule_text, plans))
        return 0
    done = [install(one) for one in plans]
    app.console.result({"scheduled": [_plain(one) for one in done]}, *map(scheduled_text, done))
    return 0


def _plain_plan(schedule: Any) -> dict[str, Any]:
    units = {str(path): text for path, text in schedule.units.items()}
    return {"device": schedule.device, "when": schedule.when, "next": schedule.next, "units": units}


def _plain(done: Any) -> dict[str, Any]:
    return {
        "device": done.schedule.device,
        "timer": done.schedule.timer,
        "next": done.schedule.next,
        "changed": done.changed,
        "active": done.active,
        "todo": done.todo,
    }
