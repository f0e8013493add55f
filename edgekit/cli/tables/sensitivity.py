"""What `edgekit sensitivity` shows: the plan, each engine as it is judged, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgekit.cli.console import facts, table
from edgekit.control.build import is_built
from edgekit.control.sensitivity.plan import Advice
from edgekit.control.sensitivity.record import Attempt, Search, load_search
from edgekit.control.sensitivity.search import Ground, ranking_quantiser
from edgekit.core.gate import StratumKept, share_text

_SHOWN_LAYERS = 10


def plan_of(ground: Ground, most_builds: int) -> dict[str, Any]:
    """What a search would do, by name, for people and programs alike."""
    begun, calibration = load_search(ground.path), ground.int8.calibration
    return {
        "detector": ground.int8.detector.name,
        "device": ground.device.name,
        "baseline": _engine(
            ground.baseline.request.precision, ground.baseline.request.engine_id, is_built(ground.baseline)
        ),
        "int8": _engine("int8", ground.int8.request.engine_id, is_built(ground.int8)),
        "calibrated_with": f"{calibration.name}, {len(calibration.paths)} pictures" if calibration else None,
        "judged_on": f"{ground.judged_on.name}, {len(ground.judged_on.paths)} pictures",
        "labelled": "by people" if ground.judged_on.truth else "no: agreement with the model is measured",
        "ranked_by": f"{ranking_quantiser(ground.int8)}, on this machine",
        "most_builds": most_builds,
        "kept_in_float_now": ", ".join(ground.int8.request.keep_float) or "nothing but the head's last layers",
        "done_already": f"{len(begun.attempts)} engines judged" if begun else "nothing",
    }


def _engine(precision: str, engine_id: str, built: bool) -> str:
    return f"{precision.upper()} engine {engine_id}, {'there already' if built else 'to be built'}"


def attempt_line(attempt: Attempt) -> str:
    """One engine in a line, as soon as it is judged."""
    count = len(attempt.keep_float)
    start = f"{count} {'layer' if count == 1 else 'layers'} in float"
    if attempt.gate is None:
        return f"{start}: {attempt.problem}"
    lost = ", ".join(f"{row.stratum} {share_text(row.kept)}" for row in attempt.gate.lost if row.stratum != "all")
    kept = f"keeps {share_text(attempt.gate.overall.kept)}{', lost: ' + lost if lost else ''}"
    return f"{start}: {kept}; {'enough' if attempt.passed else 'too little'}"


def shown(search: Search, advice: Advice) -> Iterator[Any]:
    """A search for people."""
    yield facts(_head(search))
    if search.harms:
        yield f"\nLayers, the worst first ({len(search.harms)} in 8 bits; harm: mAP50-95 lost with it alone in 8 bits)"
        yield table(("layer", "harm", "in float"), _layers(search, advice), right=("harm",))
    yield "\nINT8 engines"
    columns = ("in float", "INT8 layers", "kept", "weakest stratum", "verdict", "engine")
    yield table(columns, [_row(attempt) for attempt in search.attempts], right=("in float", "kept"))
    yield f"\n{advice.sentence}"
    if advice.keep_float is not None:
        yield "\n".join(["keep_float:", *(f"  - {name}" for name in advice.keep_float)])


def _head(search: Search) -> list[tuple[str, Any]]:
    gate = search.first.gate
    agreement = gate is not None and gate.labelled_by == "model"
    return [
        ("detector", search.detector),
        ("device", search.device),
        ("baseline", f"{search.baseline_precision.upper()} engine {search.baseline_engine_id}"),
        ("calibrated with", search.calibration),
        ("judged on", search.dataset + (": no labels, so agreement with the model, not accuracy" if agreement else "")),
        *([("inference p50", _speed(search))] if search.speed else []),
    ]


def _speed(search: Search) -> str | None:
    if search.speed is None:
        return None
    before = f"INT8 {search.speed.before_ms:.3g} ms, " if search.speed.before_ms else ""
    baseline = f"{search.baseline_precision.upper()} {search.speed.baseline_ms:.3g} ms"
    return f"{baseline}, {before}with layers in float {search.speed.after_ms:.3g} ms"


def _layers(search: Search, advice: Advice) -> list[tuple[Any, ...]]:
    recommended = set(advice.keep_float or ())
    return [
        (harm.layer, f"{harm.harm:.2%}", "yes" if harm.layer in recommended else "")
        for harm in search.harms[: max(_SHOWN_LAYERS, len(recommended))]
    ]


def _row(attempt: Attempt) -> tuple[Any, ...]:
    if attempt.gate is None:
        return (len(attempt.keep_float), None, None, None, attempt.problem, attempt.engine_id)
    return (
        len(attempt.keep_float),
        f"{attempt.layers_quantised} of {attempt.layers_total}",
        f"{share_text(attempt.gate.overall.kept)}",
        _weakest(attempt.gate.rows[1:]),
        "enough" if attempt.passed else "too little",
        attempt.engine_id,
    )


def _weakest(rows: tuple[StratumKept, ...]) -> str | None:
    judged = [row for row in rows if row.verdict != "not judged"]
    weakest = min(judged, key=lambda row: row.kept, default=None)
    return f"{weakest.stratum} {share_text(weakest.kept)} ({weakest.verdict})" if weakest else None
