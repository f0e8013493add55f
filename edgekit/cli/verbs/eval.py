"""`edgekit eval`: how accurate an engine is, overall and in each stratum, and what it keeps of another's accuracy."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgekit.cli.history.keeping import keep_evaluation
from edgekit.cli.options import DetectorOption, DeviceOption
from edgekit.cli.session import App
from edgekit.cli.tables.eval import evaluation_lines, plan_lines
from edgekit.errors import UsageError, VerifyError

if TYPE_CHECKING:
    from edgekit.control.evaluation.running import Asked, Evaluated
    from edgekit.core.evaluation import Evaluation
    from edgekit.core.progress import OnProgress

_PAGE = "index.html"

PrecisionOption = Annotated[
    Literal["fp32", "fp16", "int8"] | None,
    typer.Option("--precision", help="Of the engine to judge. Default: fp16 with TensorRT, else fp32."),
]
OnOption = Annotated[
    str | None,
    typer.Option("--on", metavar="SET", help="A folder of calib_sets/. Default: the detector's frozen set."),
]
AgainstOption = Annotated[
    Literal["fp32", "fp16", "int8", "model"] | None,
    typer.Option(
        "--against",
        help="What to compare with: another engine of the device, or the model itself, run on this machine. "
        "Default: INT8 is compared with fp16 or fp32, others with nothing.",
    ),
]
CalibrationOption = Annotated[
    str | None,
    typer.Option("--calibration", metavar="SET", help="Judge INT8 made with this folder of calib_sets/."),
]
WorstOption = Annotated[
    int, typer.Option("--worst", min=0, max=200, metavar="N", help="Draw the N worst pictures. Takes --out.")
]


LangOption = Annotated[Literal["en", "zh"], typer.Option("--lang", help="The page in English or Chinese.")]


def command(
    app: App,
    device: DeviceOption = "local",
    detector: DetectorOption = None,
    precision: PrecisionOption = None,
    on: OnOption = None,
    against: AgainstOption = None,
    calibration: CalibrationOption = None,
    worst: WorstOption = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write a page and the worst pictures here.")
    ] = None,
    lang: LangOption = "en",
    gate: Annotated[
        bool, typer.Option("--gate", help="End with exit code 7 unless enough of the accuracy is kept.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be built and asked, and stop.")] = False,
) -> int:
    """Measure the accuracy of an engine (COCO mAP50-95), overall, by stratum, by object size and by class.

    The engine runs on its device; accuracy is computed here. An engine that is not there yet is built, what was asked
    before is not asked again. With something to compare with, each line says how much is kept, with a paired 95 %
    interval: 98.5 % overall and 95 % in every stratum are needed for INT8 to ship.

    A set without labels is judged by the model's own answers at FP32. That is agreement with the model, not accuracy.

    Examples:

        edgekit eval
        edgekit eval --precision int8
        edgekit eval --device xavier-nx --precision int8 --gate
        edgekit eval --precision int8 --calibration roadscene-day --against int8
        edgekit eval --precision int8 --worst 12 --out worst --lang zh
        edgekit eval --on yard --against model --json
    """
    from edgekit.control.connect import link_to
    from edgekit.control.evaluation.running import ask_for, evaluate_engines
    from edgekit.control.groundwork import Groundwork

    if worst and out is None:
        raise UsageError("--worst draws pictures, and nobody said where to", hint="add --out DIR")
    entry = app.device(device)
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        asked = ask_for(
            Groundwork(app.project),
            entry,
            link,
            on_progress,
            detector=detector,
            precision=precision,
            on=on,
            against=against,
            calibration=calibration,
        )
        _check_gate(asked, gate)
        if dry_run:
            plan = plan_lines(asked)
            app.console.result({"would": plan}, *plan)
            return 0
        evaluated = evaluate_engines(asked, on_progress)
        shown = _written(asked, evaluated, worst, out, lang, on_progress) if out else evaluated.evaluation
    keep_evaluation(app, evaluated.evaluation)
    app.console.result(shown, *evaluation_lines(shown))
    if out:
        app.console.note(f"page: {out / _PAGE}")
    return VerifyError.exit_code if gate and shown.gate and not shown.gate.passed else 0


def _check_gate(asked: Asked, gate: bool) -> None:
    if gate and asked.baseline is None and not asked.against_model:
        raise UsageError("--gate: there is nothing to compare with", hint="add --precision int8, or --against")


def _written(
    asked: Asked, evaluated: Evaluated, worst: int, out: Path, lang: str, on_progress: OnProgress
) -> Evaluation:
    """Write the page and the pictures; the evaluation with the worst frames in it."""
    from edgekit.control.evaluation.worst_frames import draw_worst, worst_frames
    from edgekit.files import write_bytes
    from edgekit.report.evaluation import render_evaluation

    spec = asked.detector.spec
    frames = draw_worst(evaluated, spec, worst_frames(evaluated, spec, worst), out, on_progress)
    evaluation = dataclasses.replace(evaluated.evaluation, worst=frames)
    write_bytes(out / _PAGE, render_evaluation(evaluation, out, lang=lang).encode("utf-8"))
    return evaluation
