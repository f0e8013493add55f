"""Host time for each frame outside the engine: this kit against Ultralytics' predict. Goal: at most half, 1.45 ms.

    python bench/host_time.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt

Compared: everything between a 1920x1080 BGR frame in memory and its boxes in frame pixels, less the time inside ONNX
Runtime. Both run the same ONNX file with the same thresholds, on the same frames in turns of ten, in one process, with
one thread for OpenCV, PyTorch and ONNX Runtime, so that a time is that of one core. Ours is stages_for: preprocess,
launch, collect in series; "other" is what launch takes around inference. Theirs is YOLO(model).predict(frame), less the
inference time that it reports itself; what is neither its preprocess nor its postprocess is "other". Without
`ultralytics` installed only ours is measured; it is no dependency, so install it in an environment of its own and run
this script there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from edgekit.core.engine import BuildRequest
from edgekit.core.stats import mean_interval
from edgekit.runtime.engines import build_engine, load_engine
from edgekit.runtime.frames import Frame
from edgekit.runtime.host_stages import stages_for
from edgekit.runtime.probe import probe_device
from edgekit.runtime.sources import open_source

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import add_model_arguments, detector_from, machine, save_result

GOAL_MS = 1.45
GOAL_RATIO = 0.5
TURN_FRAMES = 10

Sample = dict[str, float]


def main() -> int:
    """Measure, print, and write bench/results/host_time-DATE.{json,md} if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--turns", type=int, default=30, help=f"turns of {TURN_FRAMES} frames for each")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with open_source("memory://?width=1920&height=1080&frames=32") as source, tempfile.TemporaryDirectory() as folder:
        frames = [next(source) for _ in range(32)]
        contenders = {"edgekit": kit(arguments, folder)} | ultralytics(arguments)
        turns = take_turns(contenders, frames, arguments.turns)
    result = summarise(turns) | {"model": arguments.model.name} | machine()
    save_result("host_time", result, render(result), arguments)
    return 0


def kit(arguments: argparse.Namespace, folder: str) -> Callable[[Frame], Sample]:
    """One frame through this kit's stages, one after the other."""
    detector, profile = detector_from(arguments), probe_device()
    request = BuildRequest(detector, "fp32", profile.engine_key, str(arguments.model), folder)
    engine_id = build_engine(request, profile, lambda *_: None).engine_id
    engine = load_engine(str(Path(folder) / engine_id), detector, profile, threads=1)
    stages = stages_for(detector, engine)
    slot = stages.make_slot()

    def run(frame: Frame) -> Sample:
        started = time.perf_counter()
        fit = stages.preprocess(frame, slot, 0)
        prepared = time.perf_counter()
        stages.launch(slot, 1)
        launched = time.perf_counter()
        collected = stages.collect(slot, [fit])
        finished = time.perf_counter()
        pre, post = (prepared - started) * 1e3, (finished - launched) * 1e3
        other = (launched - prepared) * 1e3 - collected.inference_ms
        (found,) = collected.detections
        return {
            "host_ms": pre + post + other, "pre_ms": pre, "post_ms": post, "other_ms": other,
            "detections": float(len(found)),
        }  # fmt: skip

    return run


def ultralytics(arguments: argparse.Namespace) -> dict[str, Callable[[Frame], Sample]]:
    """One frame through Ultralytics' predict, if it is installed."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        import torch
        from ultralytics import YOLO
    except ImportError:
        print("ultralytics is not installed: only edgekit is measured", file=sys.stderr)
        return {}
    torch.set_num_threads(1)
    cv2.setNumThreads(1)  # importing ultralytics sets it
    model: Any = YOLO(str(arguments.model), task="detect")
    options = {
        "imgsz": (arguments.height, arguments.width), "conf": arguments.confidence, "iou": 0.45, "max_det": 300,
        "verbose": False, "device": "cpu", "save": False,
    }  # fmt: skip

    def run(frame: Frame) -> Sample:
        started = time.perf_counter()
        (answer,) = model.predict(frame.pixels, **options)
        total = (time.perf_counter() - started) * 1e3
        speed = answer.speed
        host = total - speed["inference"]
        pre, post = speed["preprocess"], speed["postprocess"]
        return {
            "host_ms": host, "pre_ms": pre, "post_ms": post, "other_ms": host - pre - post,
            "detections": float(len(answer.boxes)),
        }  # fmt: skip

    return {"ultralytics": run}


def take_turns(
    contenders: dict[str, Callable[[Frame], Sample]], frames: list[Frame], turns: int
) -> dict[str, list[Sample]]:
    """The median sample of each turn; the first two turns of everyone are warm-up."""
    medians: dict[str, list[Sample]] = {name: [] for name in contenders}
    for turn in range(turns + 2):
        chosen = [frames[(turn * TURN_FRAMES + step) % len(frames)] for step in range(TURN_FRAMES)]
        for name, run in contenders.items():
            samples = [run(frame) for frame in chosen]
            if turn >= 2:
                medians[name].append({key: statistics.median(each[key] for each in samples) for key in samples[0]})
    return medians


def summarise(turns: dict[str, list[Sample]]) -> dict[str, Any]:
    """Medians over turns, and the ratio of turns made one after the other with its interval."""
    result: dict[str, Any] = {
        name: {key: round(statistics.median(turn[key] for turn in taken), 4) for key in taken[0]}
        for name, taken in turns.items()
    }
    result |= {"turns": len(turns["edgekit"]), "frames_a_turn": TURN_FRAMES, "goal_ms": GOAL_MS}
    result["goal_ms_met"] = result["edgekit"]["host_ms"] <= GOAL_MS
    if "ultralytics" in turns:
        ratios = [ours["host_ms"] / theirs["host_ms"] for ours, theirs in zip(*turns.values(), strict=True)]
        _, low, high = mean_interval(ratios)
        result |= {"ratio_median": round(statistics.median(ratios), 4), "ratio_low": round(low, 4)}
        result |= {"ratio_high": round(high, 4), "goal_ratio": GOAL_RATIO}
        result["goal_ratio_met"] = result["ratio_median"] <= GOAL_RATIO
    return result


def render(result: dict[str, Any]) -> str:
    """The result for people, Markdown."""
    lines = [
        "# Host time for each 1080p frame outside the engine",
        "",
        f"Model {result['model']}; medians in ms of {result['turns']} turns of {result['frames_a_turn']} frames, "
        "one core.",
        "",
        "| | all | preprocess | postprocess | other | detections a frame |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("edgekit", "ultralytics"):
        if name in result:
            row = result[name]
            times = " | ".join(f"{row[key]:.2f}" for key in ("host_ms", "pre_ms", "post_ms", "other_ms"))
            lines.append(f"| {name} | {times} | {row['detections']:.0f} |")
    lines += ["", f"Goal {GOAL_MS} ms: {'met' if result['goal_ms_met'] else 'missed'}."]
    if "ratio_median" in result:
        lines.append(
            f"Ratio to Ultralytics {result['ratio_median']:.3f} (95 % interval of the mean {result['ratio_low']:.3f} "
            f"to {result['ratio_high']:.3f}); goal {GOAL_RATIO}: {'met' if result['goal_ratio_met'] else 'missed'}."
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
