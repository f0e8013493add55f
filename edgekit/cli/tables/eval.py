"""What `edgekit eval` shows people: one table of all figures, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.cli.console import table
from edgekit.core.evaluation import rows_of
from edgekit.core.gate import caveat_text, refusal_text, share_text, unsure_text
from edgekit.core.verification import REMEDIES

if TYPE_CHECKING:
    from edgekit.control.build import Order
    from edgekit.control.evaluation.running import Asked
    from edgekit.core.evaluation import EngineFigures, Evaluation, EvaluationRow

_SHOWN = 12


def evaluation_lines(evaluation: Evaluation) -> list[Any]:
    """The table, what the figures are, and whether the gate holds."""
    compared = evaluation.baseline is not None
    columns = ["", "name", "pictures", "objects", *(["baseline"] if compared else []), "mAP50-95"]
    columns += ["kept", "95 % interval", "verdict"] if compared else []
    rows = [_row(row, compared) for row in rows_of(evaluation)]
    right = ("pictures", "objects", "baseline", "mAP50-95", "kept", "95 % interval")
    return [
        *_heading(evaluation),
        "",
        table(columns, rows, right=right),
        "",
        *_verdict(evaluation),
        *_worst(evaluation),
    ]


def _heading(evaluation: Evaluation) -> list[str]:
    judged = f"{evaluation.candidate.name} of {evaluation.detector} on {evaluation.device}"
    lines = [f"{judged}{_timed(evaluation.candidate)}, judged on {evaluation.dataset}"]
    if evaluation.baseline is not None:
        lines.append(f"baseline: {evaluation.baseline.name}{_timed(evaluation.baseline)}")
    if evaluation.labelled_by == "model":
        lines.append(
            f"nobody labelled {evaluation.dataset}: these figures are agreement with the FP32 model, not accuracy"
        )
    return lines


def _timed(figures: EngineFigures) -> str:
    return f" (inference p50 {figures.inference.p50_ms:.1f} ms)" if figures.inference else ""


def _row(row: EvaluationRow, compared: bool) -> list[Any]:
    cells = [row.group if row.group != "all" else "", row.name, row.pictures, row.objects]
    if not compared:
        return [*cells, f"{row.map50_95:.3f}"]
    interval = None if row.low is None or row.high is None else f"{share_text(row.low)} to {share_text(row.high)}"
    base = None if row.baseline_map is None else f"{row.baseline_map:.3f}"
    kept = None if row.kept is None else share_text(row.kept)
    return [*cells, base, f"{row.map50_95:.3f}", kept, interval, row.verdict]


def _verdict(evaluation: Evaluation) -> list[str]:
    gate = evaluation.gate
    if gate is None:
        return [f"mAP50 {evaluation.candidate.accuracy.map50:.3f}"]
    caveat = [caveat_text(gate)] if caveat_text(gate) else []
    if not gate.passed:
        return [f"the gate refuses {gate.candidate}: {refusal_text(gate)}", *(caveat or [REMEDIES])]
    return [f"the gate lets {gate.candidate} pass{unsure_text(gate)}", *caveat]


def _worst(evaluation: Evaluation) -> list[Any]:
    if not evaluation.worst:
        return []
    compared = evaluation.baseline is not None
    columns = ("worst pictures", "objects", "missed", "invented", *(("baseline's",) if compared else ()))
    rows = [
        (
            frame.picture,
            frame.objects,
            frame.missed,
            frame.invented,
            *((f"{frame.baseline_missed} missed, {frame.baseline_invented} invented",) if compared else ()),
        )
        for frame in evaluation.worst[:_SHOWN]
    ]
    rest = len(evaluation.worst) - _SHOWN
    more = [f"and {rest} more on the page"] if rest > 0 else []
    return ["", table(columns, rows, right=columns[1:]), *more]


def plan_lines(asked: Asked) -> list[str]:
    """What `--dry-run` says."""
    orders = [order for order in (asked.candidate, asked.baseline) if order is not None]
    lines = [line for order in orders for line in _order_lines(order, asked)]
    if asked.against_model:
        lines.append(f"run the FP32 model on this machine on {len(asked.made.paths)} pictures of {asked.made.name}")
    if asked.made.truth is None:
        lines.append(f"take the FP32 model's answers for labels: {asked.made.name} has none")
    return lines


def _order_lines(order: Order, asked: Asked) -> list[str]:
    from edgekit.control.build import is_built

    name, where = f"{order.request.precision} engine {order.request.engine_id}", order.link.device
    build = [] if is_built(order) else [f"build {name} on {where}"]
    return [*build, f"run {name} on {where} on {len(asked.made.paths)} pictures of {asked.made.name}"]
