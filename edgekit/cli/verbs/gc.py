"""`edgekit gc`: free the disk of what no release needs."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated

import typer

from edgekit.cli.options import JOBS, DevicesOption, JobsOption
from edgekit.cli.session import App
from edgekit.cli.tables.fleet import on_each, show_each
from edgekit.control.connect import link_to
from edgekit.control.fleet import Told
from edgekit.control.inventory import Device
from edgekit.control.services import collect_garbage

_KEEP = 2


@dataclass(frozen=True)
class Freed:
    """What was deleted on a device, or would be, as paths in its device folder."""

    device: str
    removed: tuple[str, ...]
    freed_bytes: int
    dry_run: bool


def command(
    app: App,
    device: DevicesOption = None,
    keep: Annotated[
        int, typer.Option("--keep", min=1, max=1000, metavar="N", help="Good releases of each service to keep.")
    ] = _KEEP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted and stop.")] = False,
    jobs: JobsOption = JOBS,
) -> int:
    """Delete releases, engines and files on a device that no kept release needs.

    The release in service is always kept, and so is the one that is being tried. `edgekit deploy` does this too, after
    each new release, with --keep 2.

    Examples:

        edgekit gc --dry-run
        edgekit gc --device xavier-nx --keep 1
        edgekit gc --device all
    """
    entries = app.inventory.select(device or ["local"])
    done = on_each(app, entries, lambda entry, told: _collect(app, entry, keep, dry_run, told), jobs=jobs)
    return show_each(app.console, done, _text)


def _collect(app: App, entry: Device, keep: int, dry_run: bool, told: Told) -> tuple[str, Freed]:
    told.state("collecting")
    with closing(link_to(app.project, entry)) as link:
        answer = collect_garbage(link, keep, dry_run=dry_run)
    return "done", Freed(entry.name, answer.removed, answer.freed_bytes, dry_run)


def _text(done: Freed) -> str:
    if not done.removed:
        return f"nothing to delete on {done.device}"
    kinds = Counter(path.split("/", 1)[0] for path in done.removed)
    counted = ", ".join(f"{count} of {kind}" for kind, count in sorted(kinds.items()))
    word = "would free" if done.dry_run else "freed"
    head = f"{word} {done.freed_bytes / 2**20:.1f} MiB on {done.device}: {counted}"
    return "\n".join([head, *(f"  {path}" for path in done.removed)]) if done.dry_run else head
