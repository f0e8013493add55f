"""Results nobody measured: obviously synthetic values in the real file format, for tests of reports only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np

from edgekit.core.coverage import Coverage, cover
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import EngineManifest
from edgekit.core.results import (
    Accuracy,
    BenchResult,
    Conditions,
    Energy,
    MachineRun,
    Measurement,
    Soak,
    SoakPart,
    StreamPoint,
)
from edgekit.core.stats import Rate, summarise_latency
from edgekit.core.tensors import ShapeProfile, TensorSpec
from edgekit.core.wire import digest, to_wire
from tests.made_up_engines import tensorrt_manifest

PROFILE = DeviceProfile(
    module="x86_64",
    backend="onnxruntime",
    backend_version="1.0.0",
    python="3.11.0",
    edgekit="0.0.0",
    cpu_count=2,
    memory_total_mib=8192,
    memory_available_mib=4096,
    disk_free_mib=10000,
    cpu_features=("avx2",),
    opencv="4.0.0",
    cpu_name="Made-up CPU",
)
CONDITIONS = Conditions(
    source="memory://?width=1920&height=1080&frames=32",
    frame_width=1920,
    frame_height=1080,
    batch=1,
    input_height=384,
    input_width=640,
    warmup_frames=20,
    duration_s=10.0,
    threads=2,
)
_SPEED = {"fp32": 1.0, "fp16": 1.5, "int8": 2.0}


def engine(precision: str = "fp32", **changes: Any) -> EngineManifest:
    """A manifest whose id follows from its precision."""
    made = EngineManifest(
        engine_id=digest(["engine", precision])[:16],
        engine_key=PROFILE.engine_key,
        detector="roadscene",
        backend="onnxruntime",
        precision=precision,
        file_name="engine.onnx",
        file_sha256="1" * 64,
        file_bytes=int(8_000_000 / _SPEED[precision]),
        model_sha256="2" * 64,
        calibration_sha256="3" * 64 if precision == "int8" else None,
        calibration_images=300 if precision == "int8" else 0,
        options_sha256="4" * 64,
        profile=ShapeProfile.fixed(1, 384, 640),
        inputs=(TensorSpec("images", (None, 3, 384, 640)),),
        outputs=(TensorSpec("output0", (None, 12, 5040)),),
        tool_versions={"onnx": "1.0.0", "onnxruntime": "1.0.0"},
        build_s=4.0 * _SPEED[precision],
        created_utc="2001-01-01T00:00:00Z",
        layers_total=180,
        layers_quantised=150 if precision == "int8" else 0,
    )
    return replace(made, **changes)


def accuracy(map50_95: float, **changes: Any) -> Accuracy:
    """Eight conditions that get harder."""
    names = ("day", "dusk", "rain", "snow", "night", "fog", "low-sun", "tiny")
    conditions = {name: round(map50_95 * (1.15 - 0.08 * index), 6) for index, name in enumerate(names)}
    made = Accuracy(
        "roadscene-frozen", "5" * 64, 220, map50_95, min(1.0, map50_95 * 1.4), conditions, {"car": map50_95}
    )
    return replace(made, **changes)


def result(
    precision: str = "fp32",
    *,
    fps: Optional[float] = None,
    map50_95: Optional[float] = 0.5,
    created_utc: str = "2001-01-02T00:00:00Z",
    stable: bool = True,
    **changes: Any,
) -> BenchResult:
    """One result. changes replace its top-level fields."""
    rate = 20.0 * _SPEED[precision] if fps is None else fps
    inference_ms = 1000 / rate
    rng = np.random.default_rng(7)
    means = {
        "capture": 0.05,
        "preprocess": 1.0,
        "inference": inference_ms,
        "decode": 0.25,
        "host": 1.3,
        "end_to_end": 1.3 + 2 * inference_ms,
    }
    stages = {name: summarise_latency(mean * rng.uniform(0.95, 1.15, 200)) for name, mean in means.items()}
    verdict = "stable" if stable else "windows differ by 25% of their mean: close other programs or run longer"
    made = BenchResult(
        result_id=f"{precision}-{created_utc}",
        created_utc=created_utc,
        device="local",
        profile=PROFILE,
        engine=engine(precision),
        conditions=CONDITIONS,
        measurement=Measurement(
            pipeline_rate=Rate(rate, rate * 0.98, rate * 1.02, 10, stable, verdict),
            engine_rate=Rate(rate * 1.03, rate * 1.01, rate * 1.05, 10, True, "stable"),
            stages={name: summary for name, summary in stages.items() if summary},
            frames=int(rate * 10),
            dropped=0,
            detections=1000,
            engine_load_s=0.2,
            memory_peak_mib=int(400 / _SPEED[precision]),
            cpu_utilisation_pct=150.0,
        ),
        accuracy=None if map50_95 is None else accuracy(map50_95),
        git_commit="0" * 40,
    )
    return replace(made, **changes)


def tensorrt_result(precision: str, **changes: Any) -> BenchResult:
    """A result of a board that nobody has. changes replace fields of the engine's manifest."""
    board = replace(PROFILE, module="xavier-nx", backend="tensorrt", backend_version="8.5.2.2", sm=72, l4t="35.4.1")
    made_by = tensorrt_manifest(precision, engine_id=f"{precision}-made-up", **changes)
    return replace(result(precision), profile=board, engine=made_by, device="made-up-board")


def write_results(folder: Path, *results: BenchResult) -> Path:
    """The results as files, named by their id."""
    folder.mkdir(parents=True, exist_ok=True)
    for made in results:
        write_document(folder / f"{made.result_id.replace(':', '')}.json", to_wire(made))
    return folder


def write_document(path: Path, document: Dict[str, Any]) -> None:
    """JSON as the kit writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def powered(
    made: BenchResult, watts: float, *, idle_w: Optional[float] = 3.0, error_share: float = 0.01
) -> BenchResult:
    """The same run with a power sensor beside it, for 10 s."""
    joules = 10 * watts
    energy = Energy(
        of="module input",
        sensor="INA3221",
        samples=100,
        sampled_s=10.0,
        longest_gap_s=0.11,
        mean_w=watts,
        max_w=1.2 * watts,
        joules=joules,
        error_joules=error_share * joules,
        frames=int(made.measurement.rate.fps * 10),
        idle_w=idle_w,
        rails_w={"VDD_IN": watts},
    )
    machine = MachineRun(45.0, 61.5, "tj-thermal", 83.0, 412, 2100, (918.0, 918.0))
    return replace(made, measurement=replace(made.measurement, energy=energy, machine=machine))


def disturbed(made: BenchResult, why: str = "the GPU was throttled for 2.1 s") -> BenchResult:
    """The same run, which something disturbed."""
    return replace(made, measurement=replace(made.measurement, disturbances=(why,)))


def in_rounds(precision: str, *rates_fps: float, session: str = "s1") -> Tuple[BenchResult, ...]:
    """Runs of one engine in one session, one a round."""
    return tuple(
        result(precision, fps=fps, session=session, round=number, result_id=f"{precision}-round-{number}")
        for number, fps in enumerate(rates_fps, start=1)
    )


def with_streams(made: BenchResult, *points: Tuple[int, float]) -> BenchResult:
    """A run with several streams: (number, FPS of all together) each, shared evenly."""
    told = tuple(
        StreamPoint(streams, Rate(fps, fps * 0.98, fps * 1.02, 10, True, "stable"), fps / streams, fps / streams, 0)
        for streams, fps in points
    )
    return replace(
        made,
        result_id=f"{made.result_id}-streams",
        conditions=replace(made.conditions, scenario="streams", streams=points[-1][0]),
        measurement=replace(made.measurement, engine_rate=None, stream_points=told),
    )


def with_soak(made: BenchResult, **changes: Any) -> BenchResult:
    """An hour in twelve parts."""
    parts = tuple(SoakPart(300.0 * part, 40.0 - 0.1 * part, 55.0, 400 + part, 50.0 + part, 7.0) for part in range(12))
    soak = replace(Soak(parts, (-3.0, -3.2, -2.8), (12.0, -1.0, 25.0)), **changes)
    return replace(
        made,
        result_id=f"{made.result_id}-soak",
        conditions=replace(made.conditions, scenario="soak", duration_s=3600.0),
        measurement=replace(made.measurement, engine_rate=None, soak=soak),
    )


def coverage(**changes: Any) -> Coverage:
    """Of the pictures that `engine("int8")` was calibrated with: no fog, little dusk."""
    mine = [("light:day", "weather:clear")] * 295 + [("light:dusk", "weather:clear")] * 5
    theirs = [("light:day", "weather:fog")] * 20 + [("light:dusk", "weather:clear")] * 80
    made = Coverage(
        "roadscene", "3" * 64, 300, cover(mine, theirs), reference="roadscene-frozen", reference_pictures=100
    )
    return replace(made, **changes)
