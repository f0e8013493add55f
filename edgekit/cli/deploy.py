"""`edgekit deploy`: put a detector into service."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from edgekit.cli.console import table
from edgekit.cli.options import DeviceOption, PrecisionOption
from edgekit.cli.session import App
from edgekit.control.deploy import Deployment, Survey, execute, plan, survey
from edgekit.core.plan import Step


def command(
    app: App,
    device: DeviceOption = "local",
    precision: PrecisionOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
) -> None:
    """Put a device's detector into service: probe, plan, build, verify, release, activate, wait until healthy.

    A second run with nothing changed does nothing. If the new release sees no frame, the one before runs again.

    Examples:

        edgekit deploy --device local
        edgekit deploy --device local --dry-run
        edgekit deploy --device local --precision int8
    """
    entry = app.device(device)
    if precision:
        entry = dataclasses.replace(entry, precision=precision)
    with app.console.progress() as on_progress:
        facts = survey(app.project, entry, on_progress)
        steps = plan(facts)
        show_plan(app, facts, steps)
        if dry_run:
            app.console.result({"device": entry.name, "engine_key": facts.profile.engine_key, "steps": steps})
            return
        deployment = execute(facts, steps, on_progress)
    app.console.result(deployment, *_summary(deployment))


def show_plan(app: App, facts: Survey, steps: tuple[Step, ...]) -> None:
    """The plan, on standard error: it is not the result."""
    app.console.note(f"{facts.device.name} is {facts.profile.engine_key}")
    if not steps:
        app.console.note("nothing to do: the device runs this release and is healthy")
    for number, step in enumerate(steps, start=1):
        app.console.note(f"  {number}. {step.action:8}{step.subject} ({step.reason})")


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
