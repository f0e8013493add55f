"""`edgekit gate`: no regression beyond noise, for CI."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli.gate.options import (
    AlphaOption,
    BaselineOption,
    CandidateOption,
    DbOption,
    DetectorOption,
    DeviceOption,
    DryRunOption,
    JunitOption,
    MapLossOption,
    MarkdownOption,
    MeasureOption,
    PrecisionOption,
    RegressionOption,
    ResultsOption,
    RoundsOption,
    ScenarioOption,
    SecondsOption,
    StrictOption,
    SudoOption,
    TuneOption,
)
from edgekit.cli.pages import write_page
from edgekit.cli.session import App
from edgekit.errors import EdgekitError, NotFoundError, TargetMissedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgekit.cli.history.reading import Recorded
    from edgekit.core.gate import Gate
    from edgekit.core.results import BenchResult
    from edgekit.report.gate.naming import Named
    from edgekit.report.gate.outcome import GateReport
    from edgekit.report.gate.sides import Sides

_ENGINE_ID = re.compile(r"[0-9a-f]{16}")


def command(
    app: App,
    baseline: BaselineOption,
    candidate: CandidateOption = None,
    device: DeviceOption = None,
    detector: DetectorOption = None,
    precision: PrecisionOption = None,
    max_regression_pct: RegressionOption = 2.0,
    max_map_loss_pct: MapLossOption = 1.5,
    alpha: AlphaOption = 0.05,
    strict: StrictOption = False,
    measure: MeasureOption = False,
    rounds: RoundsOption = 5,
    seconds: SecondsOption = None,
    scenario: ScenarioOption = None,
    tune: TuneOption = False,
    ask_sudo_password: SudoOption = False,
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    results: ResultsOption = None,
    db: DbOption = None,
    dry_run: DryRunOption = False,
) -> int:
    """Compare what was measured last with a baseline: exit code 10 if a figure became worse beyond noise.

    A regression is worse by more than is allowed, and by more than chance explains: what was measured in turns is
    compared in pairs, other runs by session, and the tests are corrected for the number of figures. Runs under other
    conditions, and runs that something disturbed, are not compared. Exit code 2: nothing could be compared.

    --measure needs no history, only the baseline's engine on the device. A running service is stopped meanwhile.

    Examples:

        edgekit gate --baseline main
        edgekit gate --baseline main --measure --rounds 8 --seconds 5
        edgekit gate --baseline main --junit gate.xml --markdown gate.md
        edgekit gate --baseline 0123456789ab --device xavier-nx --max-regression-pct 5 --strict
        edgekit gate --baseline last-release/ --json
    """
    from edgekit.cli.history.reading import load_recorded
    from edgekit.report.gate.judging import judge
    from edgekit.report.gate.outcome import GateReport, Limits

    if measure and precision:
        raise UsageError("--measure judges the deployed engine", hint="name another with --candidate ENGINE")
    if not measure and (seconds or scenario or tune):
        raise UsageError("--seconds, --scenario and --tune say how to measure", hint="add --measure")
    recorded = load_recorded(app, results, db, device, detector)
    limits = Limits(max_regression_pct, max_map_loss_pct, alpha, strict)
    if measure:
        from edgekit.cli.gate.measure import Turns, measured_sides, show_turns

        asked = Turns(baseline, candidate, device, detector, scenario, seconds, rounds, tune, ask_sudo_password)
        if dry_run:
            return show_turns(app, recorded.found.results, asked)
        sides = measured_sides(app, recorded.found.results, asked, limits)
        if isinstance(sides, GateReport):
            return _tell(app, sides, junit, markdown)
    else:
        sides = _recorded_sides(app, recorded, baseline, candidate, device, detector, precision)
        if dry_run:
            return _show_sides(app, sides)
    return _tell(app, judge(sides, limits, accuracy=_accuracy_gate(app, sides, recorded)), junit, markdown)


def _recorded_sides(
    app: App,
    recorded: Recorded,
    baseline: str,
    candidate: str | None,
    device: str | None,
    detector: str | None,
    precision: str | None,
) -> Sides:
    from edgekit.report.gate.sides import select_sides
    from edgekit.report.load import results_of

    pool = results_of(recorded.found, recorded.place, device, detector)
    return select_sides(
        pool,
        named_baseline(app, pool, baseline),
        candidate=candidate,
        deployed_engine_id=_deployed(app, pool[-1]),
        precision=precision,
    )


def named_baseline(app: App, pool: Sequence[BenchResult], name: str) -> Named:
    """What a name means among the results of one device and detector, or in a file or folder of that name.

    Raises NotFoundError saying what there is.
    """
    from edgekit.report.gate.naming import FILES, Named, find_named, names_known
    from edgekit.report.load import load_result, load_results

    named = find_named(pool, name)
    if named is not None:
        return named
    path = Path(name)
    if path.is_dir():
        found = load_results(path)
        for problem in found.problems:
            app.console.warn(f"result left out: {problem}")
        return Named(FILES, name, found.results)
    if path.is_file():
        return Named(FILES, name, (load_result(path),))
    raise NotFoundError(
        f"no result, branch, commit, engine or file is called {name!r}",
        why=names_known(pool),
        hint="measure it there: edgekit bench --fps    (a result records the branch and the commit it was measured on)",
    )


def _deployed(app: App, result: BenchResult) -> str | None:
    from edgekit.control.deploy import load_deployment

    if not any(entry.name == result.device for entry in app.inventory.devices):
        return None
    deployment = load_deployment(app.project, result.device)
    return deployment.engine_id if deployment and deployment.detector == result.engine.detector else None


def _accuracy_gate(app: App, sides: Sides, recorded: Recorded) -> Gate | None:
    """How the two engines did on the same labelled pictures, if `edgekit eval` or a deployment judged them."""
    ours, theirs = sides.candidate.newest, sides.baseline.newest
    if ours.accuracy is None or not _ENGINE_ID.fullmatch(ours.engine.engine_id):
        return None
    engine_id = ours.engine.engine_id
    for gate in recorded.gates(engine_id) if recorded.gates else _gates_of_project(app, engine_id):
        if (
            gate.labelled_by == "people"
            and gate.baseline.endswith(f" {theirs.engine.engine_id}")
            and gate.dataset_sha256 == ours.accuracy.dataset_sha256
        ):
            return gate
    return None


def _gates_of_project(app: App, engine_id: str) -> Iterator[Gate]:
    from edgekit.control.records import read_record
    from edgekit.core.gate import Gate

    for path in sorted((app.project.state_dir / "gates").glob(f"*/{engine_id}-*.json")):
        gate = read_record(Gate, path)
        if gate is not None:
            yield gate


def _show_sides(app: App, sides: Sides) -> int:
    from edgekit.cli.tables.gate import sides_lines

    value = {
        "would": "compare",
        **{
            name: {"name": side.name, "engine_id": side.engine_id, "results": [r.result_id for r in side.results]}
            for name, side in (("baseline", sides.baseline), ("candidate", sides.candidate))
        },
    }
    app.console.result(value, *sides_lines(sides))
    return 0


def _tell(app: App, report: GateReport, junit: Path | None, markdown: Path | None) -> int:
    from edgekit.cli.tables.gate import report_lines
    from edgekit.report.gate.junit import render_junit
    from edgekit.report.gate.markdown import render_markdown
    from edgekit.report.gate.outcome import gate_document

    for path, text in ((junit, render_junit(report)), (markdown, render_markdown(report))):
        if path is not None:
            write_page(app, path, text)
    _keep(app, report)
    app.console.result(gate_document(report), *report_lines(report))
    if report.failed:
        return TargetMissedError.exit_code
    return 0 if report.passed else UsageError.exit_code


def _keep(app: App, report: GateReport) -> None:
    """For later reports; that it cannot be kept is no reason to fail a gate."""
    import json
    from datetime import datetime, timezone

    from edgekit.report.gate.outcome import gate_document

    now = datetime.now(timezone.utc)
    document = {"created_utc": now.isoformat(timespec="seconds"), **gate_document(report)}
    try:
        path = app.project.state_dir / "gate-reports" / f"{now:%Y%m%dT%H%M%S%f}.json"
        write_page(app, path, json.dumps(document, indent=2, allow_nan=False) + "\n")
    except EdgekitError as error:
        app.console.warn(f"the outcome was not kept: {error}")
