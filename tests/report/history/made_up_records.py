"""Evaluations, gates, verifications and refreshes nobody made: synthetic values in the real formats."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core.evaluation import EngineFigures, Evaluation
from edgekit.core.gate import Gate, StratumKept
from edgekit.core.refresh import Evidence, FrameCounts, Refresh, RefreshStep
from edgekit.core.stats import summarise_latency
from edgekit.core.verification import Verification
from edgekit.core.wire import to_wire
from edgekit.files import write_json
from edgekit.report.history.evaluation_sources import of_evaluation
from edgekit.report.history.evaluations import EvaluationRecord
from tests.report.made_up import accuracy, engine

FP32, INT8 = engine("fp32").engine_id, engine("int8").engine_id
INFERENCE = summarise_latency([10.0, 11.0, 12.0])


def gate(kept: float = 0.99, **changes: Any) -> Gate:
    """INT8 against FP32: night keeps least, and the three pictures of fog say nothing."""
    verdict = "kept" if kept >= 0.985 else "lost"
    rows = (
        StratumKept("all", 220, 2000, 0.5, 0.5 * kept, kept, kept - 0.005, kept + 0.005, verdict),
        StratumKept("day", 100, 900, 0.6, 0.6 * kept, kept, kept - 0.01, kept + 0.01, "kept"),
        StratumKept("night", 100, 900, 0.4, 0.39, 0.975, 0.96, 0.99, "kept"),
        StratumKept("fog", 3, 20, 0.3, 0.1, 0.333, 0.1, 0.9, "not judged"),
    )
    made = Gate(f"FP32 engine {FP32}", f"INT8 engine {INT8}", "roadscene-frozen", "5" * 64, rows, 400)
    return replace(made, **changes)


def evaluation(precision: str = "int8", kept: float = 0.99, **changes: Any) -> Evaluation:
    """What `edgekit eval` gives; INT8 is held against FP32."""
    own = engine(precision).engine_id
    reference = EngineFigures(f"FP32 engine {FP32}", FP32, "fp32", accuracy(0.5), INFERENCE)
    candidate = EngineFigures(
        f"{precision.upper()} engine {own}", own, precision, accuracy(round(0.5 * kept, 6)), INFERENCE
    )
    compared = precision == "int8"
    made = Evaluation(
        device="local",
        detector="roadscene",
        dataset="roadscene-frozen",
        dataset_sha256="5" * 64,
        labelled_by="people",
        candidate=candidate,
        baseline=reference if compared else None,
        gate=gate(kept) if compared else None,
    )
    return replace(made, **changes)


def record(created_utc: str = "2001-01-01T00:00:00Z", *, kept: float = 0.99, **changes: Any) -> EvaluationRecord:
    """The record of an evaluation. changes: of the record, after its id was made."""
    made = of_evaluation(evaluation(kept=kept), created_utc, "0" * 12, "main")
    return replace(made, **changes)


def refresh(outcome: str = "promoted", created_utc: str = "2001-01-01T00:00:00.000Z", **changes: Any) -> Refresh:
    """A refresh with all its evidence."""
    against = replace(gate(1.02), baseline="INT8 engine aaaaaaaaaaaaaaaa")
    made = Refresh(
        device="local",
        service="roadscene",
        detector="roadscene",
        created_utc=created_utc,
        outcome=outcome,
        why="better than the engine that serves",
        cause="better",
        steps=(RefreshStep("survey", "INT8 engine serves", 0.5), RefreshStep("fetch", "3 new frames", 1.5)),
        frames=FrameCounts(60, 50, {"dark": 10}, 40, 10, 25),
        serving_set="roadscene-day",
        set_name="roadscene-day-local-1",
        set_sha256="9" * 64,
        set_pictures=300,
        serving_engine_id="a" * 16,
        unquantised_engine_id=FP32,
        candidate_engine_id=INT8,
        evidence=Evidence(gate(), against, against, "int8", 20.0, 10.0, new_strata=("light:night",)),
        duration_s=72.5,
        drift=0.31,
        serving_set_sha256="8" * 64,
        set_strata={"light:night": 37, "day": 263},
    )
    return replace(made, **changes)


def verification(precision: str = "int8", map50_95: float = 0.495) -> Verification:
    """The check of a build that measured its accuracy on the frozen set."""
    return Verification(engine(precision).engine_id, precision, 8, 0.001, accuracy(map50_95), INFERENCE)


def write_records(state_dir: Path) -> None:
    """What a deployment of INT8 and a refresh leave behind: two verifications, a gate, a refresh, deploy.json."""
    checked = [verification("fp32", 0.5), verification("int8")]
    for one in checked:
        path = state_dir / "verified" / "local" / f"{one.engine_id}-0123456789ab.json"
        write_json(path, to_wire(one))
        os.utime(path, (999_999_999, 999_999_999))
    judged = state_dir / "gates" / "local" / f"{INT8}-0123456789abcdef.json"
    write_json(judged, to_wire(gate()))
    os.utime(judged, (1_000_000_000, 1_000_000_000))  # 2001-09-09T01:46:40Z
    write_json(state_dir / "refreshes" / "local" / "2001-01-01T000000.000Z.json", to_wire(refresh()))
    told = {"detector": "roadscene", "verifications": [to_wire(one) for one in checked]}
    write_json(state_dir / "devices" / "local" / "deploy.json", told)
