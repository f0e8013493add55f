"""`edgekit deploy`: put a detector into service, on one device or on many."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.console import Console, table
from edgekit.cli.options import JOBS, DevicesOption, JobsOption, PrecisionOption
from edgekit.cli.session import App
from edgekit.cli.tables.fleet import INTERRUPTED, on_each, outcome_value, tell_trouble
from edgekit.control.connect import link_to
from edgekit.control.deploy import Deployment, execute, plan
from edgekit.control.device_use import unmeasured
from edgekit.control.fleet import FleetOutcome, Told
from edgekit.control.groundwork import Groundwork
from edgekit.control.survey import Survey, survey
from edgekit.core.plan import Step
from edgekit.core.progress import OnProgress

if TYPE_CHECKING:
    from edgekit.control.inventory import Device


@dataclasses.dataclass(frozen=True)
class Planned:
    """What a deployment would do."""

    device: str
    engine_key: str
    steps: tuple[Step, ...]


_BY_THEMSELVES = (
    "devices that were given a release go on by themselves: each keeps it if it proves itself, else it goes back; "
    "edgekit status shows it"
)


def command(
    app: App,
    device: DevicesOption = None,
    precision: PrecisionOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try a release again that failed on the device before.")
    ] = False,
    jobs: JobsOption = JOBS,
) -> int:
    """Put a device's detector into service: probe, plan, build, verify, release, activate, probation.

    A second run with nothing changed does nothing. A new release has to prove itself on the device: if it fails, or
    misses the targets of devices.yaml, the device goes back to the one before by itself, also without this machine.

    A bench of the device by this project is waited for, a minute at most.

    With several devices or a group, all are worked on at once. The exit code is 8 if a deployment failed, 9 if devices
    could not be reached and all others are well.

    Examples:

        edgekit deploy --device local
        edgekit deploy --device xavier-nx --dry-run
        edgekit deploy --device xavier-nx --precision int8
        edgekit deploy --device street --device gate-1 --jobs 20
        edgekit deploy --device all --json
    """
    entries = app.inventory.select(device or ["local"])
    if precision:
        entries = tuple(dataclasses.replace(entry, precision=precision) for entry in entries)
    ground = Groundwork(app.project)
    if len(entries) == 1:
        return _one(app, ground, entries[0], dry_run=dry_run, retry=retry)
    return _several(app, ground, entries, dry_run=dry_run, retry=retry, jobs=jobs)


def _one(app: App, ground: Groundwork, entry: Device, *, dry_run: bool, retry: bool) -> int:
    state = ""

    def on_state(now: str) -> None:
        nonlocal state
        state = now

    try:
        with (
            app.console.progress() as on_progress,
            _kept(app, entry, on_progress, dry_run=dry_run),
            closing(link_to(app.project, entry)) as link,
        ):
            facts = survey(ground, entry, link, on_progress)
            steps = plan(facts)
            show_plan(app.console, facts, steps)
            if dry_run:
                app.console.result(Planned(entry.name, facts.profile.engine_key, steps))
                return 0
            deployment = execute(facts, steps, on_progress, on_state, retry=retry)
    except KeyboardInterrupt:
        given = "" if state != "probation" else f": {entry.name} was given the release and goes on by itself"
        app.console.note(f"interrupted{given}")
        return INTERRUPTED
    app.console.result(deployment, *_summary(deployment))
    return 0


def _several(app: App, ground: Groundwork, entries: Sequence[Device], *, dry_run: bool, retry: bool, jobs: int) -> int:
    def work(entry: Device, told: Told) -> tuple[str, Deployment | Planned]:
        told.state("probing")
        with (
            _kept(app, entry, told.progress, dry_run=dry_run),
            closing(link_to(app.project, entry)) as link,
        ):
            facts = survey(ground, entry, link, told.progress)
            steps = plan(facts)
            if dry_run:
                return ("planned" if steps else "unchanged"), Planned(entry.name, facts.profile.engine_key, steps)
            done = execute(facts, steps, told.progress, told.state, retry=retry)
            return ("healthy" if done.changed else "unchanged"), done

    done = on_each(app, entries, work, jobs=jobs)
    value = {"devices": [outcome_value(outcome) for outcome in done.outcomes], "counts": done.counts}
    app.console.result(value, _table(done))
    return tell_trouble(app.console, done, _BY_THEMSELVES)


def _kept(app: App, entry: Device, on_progress: OnProgress, *, dry_run: bool) -> AbstractContextManager[None]:
    """Looking spoils no figures; all else is kept from a device that is measured, whose service is stopped."""
    return nullcontext() if dry_run else unmeasured(app.project, entry, "a deployment", on_progress)


def show_plan(console: Console, facts: Survey, steps: tuple[Step, ...]) -> None:
    """The plan, on standard error: it is not the result."""
    console.note(f"{facts.device.name} is {facts.profile.engine_key}")
    if not steps:
        console.note("nothing to do: the device runs this release and is healthy")
    for number, step in enumerate(steps, start=1):
        console.note(f"  {number}. {step.action:9}{step.subject} ({step.reason})")


def _summary(deployment: Deployment) -> list[object]:
    rows = [
        (
            item.precision,
            item.engine_id,
            f"{item.accuracy.map50_95:.3f}" if item.accuracy else "not measured",
            f"{item.golden_distance:.1e}",
            f"{item.inference.p50_ms:.1f}",
        )
        for item in deployment.verifications
    ]
    checked = table(
        ("precision", "engine", "mAP50-95", "golden distance", "inference p50 ms"),
        rows,
        right=("mAP50-95", "golden distance", "inference p50 ms"),
    )
    where, release = f"{deployment.service} on {deployment.device}", f"release {deployment.release_id}"
    if not deployment.changed:
        return [checked, deployment.decision, f"{where} runs {release} already"]
    return [checked, deployment.decision, f"{where} is healthy with {release} ({deployment.duration_s:.1f} s)"]


def _table(done: FleetOutcome[Deployment | Planned]) -> object:
    rows = [
        (outcome.device, outcome.state, *_cells(outcome.value), f"{outcome.duration_s:.1f}")
        for outcome in done.outcomes
    ]
    return table(("device", "state", "precision", "release", "steps", "seconds"), rows, right=("seconds",))


def _cells(value: Deployment | Planned | None) -> tuple[str | None, ...]:
    if value is None:
        return None, None, None
    actions = ", ".join(dict.fromkeys(step.action for step in value.steps)) or "none"
    if isinstance(value, Planned):
        return None, None, actions
    return value.precision, value.release_id, actions
