"""Pipeline FPS / engine-only FPS on this machine: what the kit loses around an engine. Goal: at least 0.95.

    python bench/pipeline_share.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt

Compared: the same engine, loaded once with its default threads. Alone it runs on one tensor that is ready, call after
call; in the pipeline it gets 1920x1080 frames that are letterboxed, inferred, decoded and suppressed. Slices of a
second alternate (edgekit.runtime.bench.pipeline), so that other load hits both. Each repetition is a process of its
own, as the command line starts it; the figure is the median share of all repetitions with the interval of their mean.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from edgekit.core.engine import BuildRequest
from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.core.stats import mean_interval
from edgekit.core.wire import from_wire, to_wire
from edgekit.runtime.engines import build_engine
from edgekit.runtime.probe import probe_device

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import add_model_arguments, detector_from, machine, save_result

GOAL = 0.95


def main() -> int:
    """Measure, print, and write bench/results/pipeline_share-PRECISION-DATE.{json,md} if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "int8"])
    parser.add_argument("--calibration", type=Path, help="folder of pictures for int8")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--duration", type=float, default=10.0, help="seconds for the pipeline, and as many alone")
    parser.add_argument("--threads", type=int, default=0, help="engine threads; 0: the default")
    arguments = parser.parse_args()
    detector = detector_from(arguments)
    profile = probe_device()
    with tempfile.TemporaryDirectory() as folder:
        calibration = str(arguments.calibration) if arguments.calibration else None
        build = BuildRequest(
            detector, arguments.precision, profile.engine_key, str(arguments.model), folder, calibration_dir=calibration
        )
        engine = Path(folder) / build_engine(build, profile, lambda *_: None).engine_id
        request = BenchRequest(str(engine), detector, duration_s=arguments.duration, threads=arguments.threads)
        answers = [measure(request, Path(folder)) for _ in range(arguments.repeat)]
    result = summarise(answers) | {"model": arguments.model.name, "precision": arguments.precision} | machine()
    save_result(f"pipeline_share-{arguments.precision}", result, render(result), arguments)
    return 0


def measure(request: BenchRequest, folder: Path) -> BenchAnswer:
    """One run in a fresh process, as the command line does it."""
    path = folder / "request.json"
    path.write_text(json.dumps(to_wire(request)))
    command = [sys.executable, "-m", "edgekit.runtime", "bench", str(path)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return from_wire(BenchAnswer, json.loads(printed.splitlines()[-1])["result"])


def summarise(answers: list[BenchAnswer]) -> dict[str, object]:
    """The median share and the rates behind it."""
    shares = [answer.measurement.pipeline_share for answer in answers]
    _, low, high = mean_interval(shares)
    return {
        "share_median": round(statistics.median(shares), 4),
        "share_low": round(low, 4),
        "share_high": round(high, 4),
        "shares": [round(share, 4) for share in shares],
        "pipeline_fps_median": statistics.median(answer.measurement.pipeline_rate.fps for answer in answers),
        "engine_fps_median": statistics.median(answer.measurement.engine_rate.fps for answer in answers),
        "host_p50_ms_median": statistics.median(answer.measurement.stages["host"].p50_ms for answer in answers),
        "detections": sum(answer.measurement.detections for answer in answers),
        "goal": GOAL,
        "goal_met": statistics.median(shares) >= GOAL,
        "verdicts": [
            [answer.measurement.engine_rate.verdict, answer.measurement.pipeline_rate.verdict] for answer in answers
        ],
        "conditions": asdict(answers[0].conditions),
    }


def render(result: dict[str, object]) -> str:
    """The result for people, Markdown."""
    verdict = "met" if result["goal_met"] else "missed"
    return f"""# Pipeline FPS / engine-only FPS

| | |
|---|---|
| model, precision | {result["model"]}, {result["precision"]} |
| share, median of {len(result["shares"])} runs | **{result["share_median"]:.3f}** (goal {GOAL}: {verdict}) |
| 95 % interval of the mean share | {result["share_low"]:.3f} to {result["share_high"]:.3f} |
| each run | {", ".join(f"{share:.3f}" for share in result["shares"])} |
| engine alone, median | {result["engine_fps_median"]:.1f} FPS |
| pipeline, median | {result["pipeline_fps_median"]:.1f} FPS |
| host stages (capture, preprocess, decode), p50 while overlapped | {result["host_p50_ms_median"]:.2f} ms |
"""


if __name__ == "__main__":
    sys.exit(main())
