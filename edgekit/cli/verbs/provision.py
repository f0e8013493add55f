"""`edgekit provision`: make devices ready, and take that back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.options import JOBS, DevicesOption, JobsOption
from edgekit.cli.session import App
from edgekit.cli.sudo_password import password_source
from edgekit.cli.tables.fleet import on_each, show_each
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.control.fleet import Told
    from edgekit.control.inventory import Device
    from edgekit.control.provision import Provisioned


def command(
    app: App,
    device: DevicesOption = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take it all back: services, engines, releases, user, units.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be changed and stop.")] = False,
    ask_sudo_password: Annotated[
        bool, typer.Option("--ask-sudo-password", "-K", help="Ask for the password of sudo on the devices, once.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --undo: do not ask whether that is meant.")] = False,
    jobs: JobsOption = JOBS,
) -> int:
    """Prepare a device, once: user and groups, folders, systemd units, Python packages, device code.

    Everything is sent from here; the device needs no internet. JetPack's own TensorRT and OpenCV are used. pycuda
    is compiled on the first device of each kind and kept for the others. Beside this verb only `bench --tune` needs
    root on the device: by sudo, without a password where that is allowed, else with --ask-sudo-password or the
    variable EDGEKIT_SUDO_PASSWORD.

    A second run finds nothing to change, and needs no password. --undo sets a device back first that a `bench --tune`
    has left tuned.

    Examples:

        edgekit provision --device xavier-nx --dry-run
        edgekit provision --device xavier-nx --ask-sudo-password
        edgekit provision --device street
        edgekit provision --device xavier-nx --undo
    """
    entries = _jetsons(app, device or [])
    if undo and not dry_run and not yes:
        _confirm(entries)
    ask_password = password_source(ask_sudo_password)
    done = on_each(
        app, entries, lambda entry, told: _work(app, entry, told, ask_password, undo=undo, dry_run=dry_run), jobs=jobs
    )
    return show_each(app.console, done, _undone_text if undo else _text)


def _work(
    app: App, entry: Device, told: Told, ask_password: Callable[[], str | None], *, undo: bool, dry_run: bool
) -> tuple[str, Provisioned]:
    from edgekit.control.device_use import unmeasured
    from edgekit.control.provision import provision, unprovision
    from edgekit.control.ssh.host_keys import known_hosts_path
    from edgekit.control.ssh.link import SSHLink

    told.state("undoing" if undo else "provisioning")
    act = unprovision if undo else provision
    kept = nullcontext() if dry_run else unmeasured(app.project, entry, "provisioning", told.progress)
    with kept, closing(SSHLink(entry, known_hosts_path(app.project))) as link:
        done = act(link, entry, ask_password, dry_run=dry_run, on_progress=told.progress)
    if not done.changed:
        return "unchanged", done
    return "planned" if dry_run else "undone" if undo else "provisioned", done


def _jetsons(app: App, names: Sequence[str]) -> tuple[Device, ...]:
    if not names:
        raise UsageError("which device?", hint="edgekit provision --device NAME, a group, or all")
    chosen = tuple(entry for entry in app.inventory.select(names) if entry.kind == "jetson")
    if not chosen:
        raise UsageError(
            f"{', '.join(names)}: this machine needs no provisioning", why="it runs device code as it is installed here"
        )
    return chosen


def _confirm(entries: Sequence[Device]) -> None:
    names = ", ".join(entry.name for entry in entries)
    question = f"Stop all services of edgekit on {names}, and remove them with all engines and releases?"
    if not sys.stdin.isatty():
        raise UsageError(f"--undo removes everything of edgekit from {names}", hint="add --yes if that is meant")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def _text(done: Provisioned) -> str:
    if not done.changed:
        return f"{done.device} is ready; nothing to change"
    head = f"{done.device} would be provisioned:" if done.dry_run else f"{done.device} is ready:"
    return "\n".join([head, *(f"  {line}" for line in (*done.changed, *done.notes))])


def _undone_text(done: Provisioned) -> str:
    if not done.changed:
        return f"{done.device} was not provisioned; nothing to take back"
    head = f"on {done.device} this would be taken back:" if done.dry_run else f"taken back from {done.device}:"
    return "\n".join([head, *(f"  {line}" for line in done.changed)])
