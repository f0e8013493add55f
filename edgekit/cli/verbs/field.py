"""`edgekit field`: the hard frames that a device has kept."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edgekit.cli.options import DeviceOption
from edgekit.cli.pages import open_page, write_page
from edgekit.cli.session import App
from edgekit.control.connect import link_to
from edgekit.errors import CalibrationError

if TYPE_CHECKING:
    from edgekit.control.field.frames import Fetched
    from edgekit.control.field.screen import Screened
    from edgekit.control.inventory import Device
    from edgekit.core.collecting import FieldHealth
    from edgekit.report.field.summary import FieldSummary


def command(
    app: App,
    device: DeviceOption = "local",
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Bring the frames here and judge them, as refresh would.")
    ] = False,
    page: Annotated[bool, typer.Option("--page", help="Fetch, and write a page with the pictures.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to write the page. Default: .edgekit/reports."),
    ] = None,
    lang: Annotated[Literal["en", "zh"], typer.Option("--lang", help="The page in English or Chinese.")] = "en",
    open_: Annotated[bool, typer.Option("--open", help="Write the page and open it.")] = False,
    judge_again: Annotated[
        bool, typer.Option("--judge-again", help="Fetch, and judge frames that were refused before once more.")
    ] = False,
) -> int:
    """Show the hard frames that a device has kept: why, of which scenes and cameras, and how far they have drifted.

    A service keeps frames where `collect:` of its device in devices.yaml says so: uncertain or flickering objects, rare
    classes, scenes unlike the calibration set, and a few at random. Look at them before they change anything.

    With --fetch they come to this machine, .edgekit/field, and each is judged: unreadable, dark, repeated or
    mislabelled frames are refused, as is all of it where too much is bad or one camera gives nearly everything. What is
    here is not fetched again, nothing is deleted on the device, and no set is changed: edgekit refresh does that.

    The exit code is 5 if the new frames are refused as a whole.

    Examples:

        edgekit field --device yard
        edgekit field --device yard --fetch --json
        edgekit field --device yard --page --open
        edgekit field --device yard --page --lang zh --out yard.html
        edgekit field --device yard --judge-again
    """
    entry = app.device(device)
    page = page or open_ or out is not None
    if not (fetch or page or judge_again):
        return _show(app, entry)
    fetched, screened, health = _fetch(app, entry, judge_again=judge_again)
    return _show_fetched(app, fetched, screened, health, page=page, out=out, lang=lang, open_=open_)


def _show(app: App, entry: Device) -> int:
    """What the device says, and nothing more."""
    from edgekit.cli.tables.field import summary_lines
    from edgekit.control.field.frames import kept_on_device
    from edgekit.report.field.summary import summarise_field

    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        health = _health(link, entry.service)
        kept = kept_on_device(link, entry.service, on_progress)
    summary = summarise_field(entry.name, entry.service, kept.frames, health)
    app.console.result(
        {"summary": summary, "damaged": kept.damaged, "refused": kept.refused}, *summary_lines(summary, here=False)
    )
    for text in kept.damaged:
        app.console.warn(f"on the device: {text}")
    if kept.refused:
        app.console.warn(f"{len(kept.refused)} frames are not counted: {kept.refused[0].detail}")
    if summary.frames:
        app.console.note(f"next: edgekit field --device {entry.name} --page --open    (look at them)")
    return 0


def _fetch(app: App, entry: Device, *, judge_again: bool) -> tuple[Fetched, Screened, FieldHealth | None]:
    from edgekit.control.detectors import load_detector
    from edgekit.control.field.frames import fetch_frames, field_folder
    from edgekit.control.field.ledger import forget_judged
    from edgekit.control.field.screen import screen

    detector = load_detector(app.project, entry.detector)
    if judge_again:
        count = forget_judged(field_folder(app.project, entry.name, entry.service))
        app.console.note(f"{count} frames that were refused before are judged again")
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        health = _health(link, entry.service)
        fetched = fetch_frames(app.project, entry, link, on_progress)
        return fetched, screen(app.project, fetched, detector, on_progress), health


def _health(link: Any, service: str) -> FieldHealth | None:
    from edgekit.control.services import ask_state, find_service

    state = find_service(ask_state(link), service)
    return state.health.field if state and state.running and state.health else None


def _show_fetched(
    app: App,
    fetched: Fetched,
    screened: Screened,
    health: FieldHealth | None,
    *,
    page: bool,
    out: Path | None,
    lang: str,
    open_: bool,
) -> int:
    from edgekit.cli.tables.field import fetched_lines, summary_lines
    from edgekit.report.field.summary import summarise_field

    kept = [frame.kept for frame in fetched.frames]
    summary = summarise_field(fetched.device, fetched.service, kept, health)
    path = _write_page(app, summary, fetched, screened, out, lang) if page else None
    lines = [*summary_lines(summary, here=True), *fetched_lines(fetched, screened)]
    app.console.result(_document(summary, fetched, screened, path), *lines, *([f"page: {path}"] if path else []))
    for text in (*(f"on the device: {line}" for line in fetched.damaged), *screened.notes):
        app.console.warn(text)
    if open_ and path:
        open_page(path)
    if screened.batch_refusal:
        app.console.warn(f"none of the new frames is to be used: {screened.batch_refusal}")
        return CalibrationError.exit_code
    if screened.accepted:
        app.console.note(f"next: edgekit refresh --device {fetched.device}")
    return 0


def _document(summary: FieldSummary, fetched: Fetched, screened: Screened, path: Path | None) -> dict[str, Any]:
    return {
        "summary": summary,
        "folder": str(fetched.folder),
        "fetched": fetched.new,
        "fetched_mib": fetched.new_mib,
        "gone": fetched.gone,
        "damaged": fetched.damaged,
        "accepted": [one.frame.kept.sha256 for one in screened.accepted],
        "refused": screened.refused,
        "batch_refusal": screened.batch_refusal,
        "known": screened.known,
        "notes": screened.notes,
        "page": str(path) if path else None,
    }


def _write_page(
    app: App, summary: FieldSummary, fetched: Fetched, screened: Screened, out: Path | None, lang: str
) -> Path:
    from datetime import datetime, timezone

    from edgekit.cli.tables.field import page_pictures, verdict_of
    from edgekit.control.field.screen import safe_to_show
    from edgekit.report.field.page import render_field

    path = out or app.project.state_dir / "reports" / f"field-{fetched.device}.html"
    safe = safe_to_show(app.project, fetched, screened)
    content = render_field(
        summary,
        verdict_of(screened),
        page_pictures(safe, fetched, screened),
        created_utc=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        lang=lang,
    )
    return write_page(app, path, content)
