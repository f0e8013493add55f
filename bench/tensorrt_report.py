"""Turn what bench/tensorrt_engines.py measured into tables, and bench/results/tensorrt-DATE.json. Runs on the host.

    python bench/tensorrt_report.py OUT_DIR [--reference onnxruntime.jsonl] [--save [--name one-gpu]]

OUT_DIR holds a JSON file for each case and the predictions of trained models; mAP is computed here, on the truth of the
set roadscene-frozen. --reference: predictions of the ONNX model itself on the same pictures. --name: of these figures,
where a day has several; bench/results/tensorrt-NAME-DATE.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgekit.control.evaluation.accuracy import evaluate
from edgekit.control.evaluation.truth import Truth
from edgekit.control.project import find_project
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.core.stats import mean_interval
from edgekit.files import write_json

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import RESULTS

_COLUMNS = (
    ("engine", "name"),
    ("build s", "build_s"),
    ("timing cache", "timing_cache"),
    ("size MiB", "size_mib"),
    ("layers", "layers"),
    ("in INT8", "quantised"),
    ("stream ms", "stream_ms"),
    ("graph ms", "graph_ms"),
    ("launch us: stream, graph", "launch_us"),
    ("kit / bare graph", "kit_share"),
    ("engine FPS", "engine_fps"),
    ("pipeline FPS", "pipeline_fps"),
    ("share", "share"),
    ("host ms", "host_ms"),
    ("GPU W", "power_w"),
    ("mAP50-95", "map50_95"),
    ("mAP50", "map50"),
)
_HOST_COLUMNS = (
    ("engine", "name"),
    ("preprocess us", "preprocess_us"),
    ("launch us", "launch_us_alone"),
    ("collect us", "collect_us"),
    ("one thread's share", "plain_share"),
    ("letterbox us: OpenCV", "opencv_us"),
    ("GPU, host's part: constant, changing", "letterbox_host_us"),
    ("GPU, until done: constant, changing", "letterbox_done_us"),
)


def main() -> int:
    """Print the table as Markdown; with --save write the figures to bench/results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--name", default="", help="told apart from other figures of the day by this")
    arguments = parser.parse_args()
    truth, labels = frozen_truth()
    cases = [
        json.loads(path.read_text()) for path in sorted(arguments.out_dir.glob("*.json")) if path.stem != "machine"
    ]
    rows = [row_of(case, accuracy(arguments.out_dir / f"{case['name']}.jsonl", truth, labels)) for case in cases]
    reference = accuracy(arguments.reference, truth, labels) if arguments.reference else {}
    machine = json.loads((arguments.out_dir / "machine.json").read_text())
    result = {"machine": machine, "reference_onnxruntime_fp32": reference, "rows": rows}
    print(render(result))
    if arguments.save:
        stem = "-".join(filter(None, ["tensorrt", arguments.name, f"{datetime.now(timezone.utc):%Y-%m-%d}"]))
        write_json(RESULTS / f"{stem}.json", result)
    return 0


def frozen_truth() -> tuple[Truth, list[str]]:
    """What is in the pictures of the demo's frozen set, and the demo's labels."""
    project = find_project(Path(__file__).resolve().parents[1])
    labels = (project.detectors_dir / "roadscene" / "labels.txt").read_text("utf-8").split()
    made = materialise(project, load_set(project, "roadscene-frozen"), lambda *_: None, labels=labels)
    assert made.truth is not None
    return made.truth, labels


def accuracy(predictions: Path, truth: Truth, labels: list[str]) -> dict[str, Any]:
    """Average precisions of a file of predictions; empty where there is none."""
    if not predictions.is_file():
        return {}
    found = evaluate(predictions, truth, labels)
    return {
        "map50_95": round(found.map50_95, 4),
        "map50": round(found.map50, 4),
        "per_condition": {name: round(value, 4) for name, value in found.per_condition.items()},
    }


def row_of(case: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """One line of the table; keys of what was not measured are missing."""
    row: dict[str, Any] = {"name": case["name"], **found}
    if "cold" in case:
        row |= build_figures(case["cold"])
    if "replay" in case:
        row |= replay_figures(case["replay"])
    if "bench" in case:
        row |= bench_figures([each["measurement"] for each in case["bench"]], case.get("gpu_power_mean_w"))
    if "stages" in case:
        row |= host_figures(case["stages"])
    return row


def build_figures(built: dict[str, Any]) -> dict[str, Any]:
    """What the build told of itself."""
    manifest = built["manifest"]
    facts = manifest["build"]
    return {
        "build_s": round(facts["seconds"]["build"]),
        "timing_cache": facts["timing_cache"],
        "size_mib": round(manifest["file_bytes"] / 2**20, 1),
        "layers": f"{facts['layers_before']} to {len(facts['layers'])}",
        "quantised": f"{manifest['layers_quantised']} of {manifest['layers_total']}",
        "activation_mib": facts["activation_mib"],
        "host_peak_mib": facts["host_peak_mib"],
        "golden_distance": manifest["golden_distance"],
        "warnings": manifest["warnings"],
    }


def replay_figures(replay: dict[str, Any]) -> dict[str, Any]:
    """The engine alone, in milliseconds a frame."""
    launches = (replay["stream"]["launch_ms"] * 1e3, replay["graph"]["launch_ms"] * 1e3)
    return {
        "stream_ms": round(replay["stream"]["ms"], 3),
        "graph_ms": round(replay["graph"]["ms"], 3),
        "launch_us": f"{launches[0]:.0f}, {launches[1]:.0f}",
        "kit_share": replay["kit_share_of_graph"],
    }


def bench_figures(runs: list[dict[str, Any]], power_w: float | None) -> dict[str, Any]:
    """Medians over the runs of `bench`, and the shares of each."""
    shares = [run["pipeline_rate"]["fps"] / run["engine_rate"]["fps"] for run in runs]
    _, low, high = mean_interval(shares)
    return {
        "engine_fps": round(statistics.median(run["engine_rate"]["fps"] for run in runs)),
        "pipeline_fps": round(statistics.median(run["pipeline_rate"]["fps"] for run in runs)),
        "share": f"{statistics.median(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})",
        "shares": [round(share, 4) for share in shares],
        "share_mean_interval": [round(low, 4), round(high, 4)],
        "host_ms": round(statistics.median(run["stages"]["host"]["p50_ms"] for run in runs), 2),
        "power_w": power_w,
    }


def host_figures(stages: dict[str, Any]) -> dict[str, Any]:
    """The host's microseconds a frame in each verb, one frame after the other, and the ways into the input."""
    verbs, ways = stages["verbs_us"], stages["letterbox"]
    return {
        "preprocess_us": verbs["preprocess"],
        "launch_us_alone": verbs["launch"],
        "collect_us": verbs["collect"],
        "plain_share": stages["share_of_replay"]["plain"],
        "opencv_us": ways["opencv_us"],
        "letterbox_host_us": f"{ways['gpu_constant_host_us']}, {ways['gpu_changing_host_us']}",
        "letterbox_done_us": f"{ways['gpu_constant_until_done_us']}, {ways['gpu_changing_until_done_us']}",
    }


def table(rows: list[dict[str, Any]], columns: tuple[tuple[str, str], ...]) -> list[str]:
    """Lines of Markdown; what a row lacks is left empty."""
    lines = [f"| {' | '.join(title for title, _ in columns)} |", f"|{'---|' * len(columns)}"]
    return lines + [f"| {' | '.join(str(row.get(key, '')) for _, key in columns)} |" for row in rows]


def render(result: dict[str, Any]) -> str:
    """The tables, Markdown."""
    lines = table(result["rows"], _COLUMNS)
    with_host = [row for row in result["rows"] if "collect_us" in row]
    if with_host:
        lines += ["", *table(with_host, _HOST_COLUMNS)]
    reference = result["reference_onnxruntime_fp32"]
    if reference:
        lines.append(f"\nONNX Runtime FP32 on the same pictures: mAP50-95 {reference['map50_95']}.")
    gpu, profile = result["machine"]["gpu"], result["machine"]["profile"]
    lines.append(
        f"\n{gpu['name']}, driver {gpu['driver_version']}, power limit {gpu['power.limit']}, TensorRT "
        f"{profile['backend_version']}, Python {profile['python']}, {result['machine']['cpus']} cores of "
        f"{profile['cpu_name']}; edgekit {result['machine']['commit']}."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
