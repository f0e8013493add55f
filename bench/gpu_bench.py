"""`edgekit bench` on a GPU machine that has only device code's Python: measured there, made results of a project here.

There, with Python 3.8 and engines of this kit in ENGINES_DIR/<name>/:

    python bench/gpu_bench.py measure ENGINES_DIR OUT.jsonl [--rounds 3] [--seconds 6] [--commit C] [--scenarios engine]

Here, where edgekit runs:

    python bench/gpu_bench.py results OUT.jsonl PROJECT DEVICE [--predictions DIR]
    python bench/gpu_bench.py table OUT.jsonl [--save]

`measure` calls the verb `bench` for the scenarios engine, pipeline and streams, the engines in turns. `results` writes
what came out as results of PROJECT, with the accuracy of DIR/<name>.jsonl on the frozen set, so that `edgekit report`,
`history` and `gate` work with them. Nothing here says how fast a Jetson is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import machine, save_result
from gpu_machine import gpu_machine
from tensorrt_engines import verb
from tensorrt_stages import detector_of

from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.core.wire import from_wire, to_wire

SCENARIOS: dict[str, dict[str, Any]] = {
    "engine": {},
    "pipeline": {},
    "streams": {"source": "memory://?width=1280&height=720&frames=32", "streams": 4},
}


def measure(arguments: argparse.Namespace) -> None:
    """Every engine in every scenario, in turns; each answer is a line, written as soon as it is there."""
    work = arguments.out.parent
    profile, facts = verb("probe", {}, work), {"gpu": gpu_machine(), **machine()}
    engines = sorted(path.parent for path in arguments.engines_dir.glob("*/engine.json"))
    with arguments.out.open("a") as out:
        for number in range(arguments.rounds):
            for kind in arguments.scenarios:
                for engine in engines if number % 2 == 0 else engines[::-1]:
                    print(f"round {number + 1}, {kind}, {engine.name}", flush=True)
                    told = {"round": number, "name": engine.name, "profile": profile, "commit": arguments.commit}
                    told["machine"], told["engine"] = facts, json.loads((engine / "engine.json").read_text())
                    told["answer"] = measured(engine, kind, arguments.seconds, work)
                    told["created_utc"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
                    out.write(json.dumps(told) + "\n")
                    out.flush()


def measured(engine: Path, kind: str, seconds: float, work: Path) -> dict[str, Any]:
    """The answer of the verb `bench`, or {"error": ...}."""
    request = BenchRequest(str(engine), detector_of(engine), warmup_frames=200, duration_s=seconds, scenario=kind)
    try:
        answer: dict[str, Any] = verb("bench", to_wire(replace(request, **SCENARIOS[kind])), work)
    except RuntimeError as error:
        print(error, file=sys.stderr, flush=True)
        return {"error": str(error)}
    return answer


def results(arguments: argparse.Namespace) -> None:
    """A result file for each answer."""
    from edgekit.control.bench.measuring import save_result as save_bench_result
    from edgekit.control.project import Project
    from edgekit.core.device import DeviceProfile
    from edgekit.core.engine import EngineManifest
    from edgekit.core.results import BenchResult

    project = Project(arguments.project.resolve())
    project.results_dir.mkdir(parents=True, exist_ok=True)
    accuracies = _accuracies(arguments.predictions)
    for number, told in enumerate(_answers(arguments.out)):
        answer = from_wire(BenchAnswer, told["answer"], "answer")
        engine = from_wire(EngineManifest, told["engine"], "engine")
        result = BenchResult(
            result_id=f"{told['created_utc']:.19}-{engine.precision}-{number:04}".replace(":", "").replace("-", "", 2),
            created_utc=told["created_utc"],
            device=arguments.device,
            profile=from_wire(DeviceProfile, told["profile"], "profile"),
            engine=engine,
            conditions=answer.conditions,
            measurement=answer.measurement,
            accuracy=accuracies.get(told["name"]),
            git_commit=told["commit"] or None,
            session=f"{arguments.out.stem}-{answer.conditions.scenario}",
            round=told["round"],
            preflight=answer.preflight,
            scenario_name=answer.conditions.scenario,
        )
        print(save_bench_result(project.results_dir, result))


def _answers(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [told for told in lines if "error" not in told["answer"]]


def _accuracies(folder: Path | None) -> dict[str, Any]:
    """Name -> Accuracy on the frozen set."""
    from tensorrt_report import frozen_truth

    from edgekit.control.evaluation.accuracy import evaluate

    if folder is None:
        return {}
    truth, labels = frozen_truth()
    return {path.stem: evaluate(path, truth, labels) for path in sorted(folder.glob("*.jsonl"))}


def table(arguments: argparse.Namespace) -> None:
    """The figures, as bench/results/gpu-bench-DATE.{json,md}."""
    answers = _answers(arguments.out)
    rows = {name: row_of([told for told in answers if told["name"] == name]) for name in _names(answers)}
    result = {"engine_key": answers[0]["engine"]["engine_key"], "commit": answers[0]["commit"], "rows": rows}
    save_result("gpu-bench", {**result, **answers[0]["machine"]}, render(result), arguments)


def _names(answers: list[dict[str, Any]]) -> list[str]:
    return sorted({told["name"] for told in answers})


def row_of(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over rounds, by scenario."""
    by_kind = {
        kind: [told["answer"]["measurement"] for told in answers if told["answer"]["conditions"]["scenario"] == kind]
        for kind in SCENARIOS
    }
    row: dict[str, Any] = {}
    for kind, runs in by_kind.items():
        row[kind] = {name: median_of(find(run) for run in runs) for name, find in _FIGURES.items()}
        row[kind]["rounds"] = len(runs)
        row[kind]["disturbances"] = sorted({text for run in runs for text in run["disturbances"]})
    row["streams"]["levels"] = [run.get("streams") for run in by_kind["streams"]]
    return row


_FIGURES: dict[str, Any] = {
    "engine_fps": lambda run: run["engine_rate"] and run["engine_rate"]["fps"],
    "engine_fps_without_graph": lambda run: (run.get("engine_rate_without_graph") or {}).get("fps"),
    "pipeline_fps": lambda run: run["pipeline_rate"] and run["pipeline_rate"]["fps"],
    "p50_ms": lambda run: run["stages"].get("end_to_end", {}).get("p50_ms"),
    "p99_ms": lambda run: run["stages"].get("end_to_end", {}).get("p99_ms"),
    "watts": lambda run: run["energy"] and run["energy"]["mean_w"],
    "idle_watts": lambda run: run["energy"] and run["energy"]["idle_w"],
    "joules_per_frame": lambda run: run["energy"] and run["energy"]["joules"] / run["energy"]["frames"],
    "error_joules_per_frame": lambda run: run["energy"] and run["energy"]["error_joules"] / run["energy"]["frames"],
    "gpu_utilisation_pct": lambda run: run["machine"]["gpu_utilisation_pct"],
    "gpu_memory_peak_mib": lambda run: run["machine"]["gpu_memory_peak_mib"],
}


def median_of(values: Any) -> float | None:
    """None where nothing was measured."""
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 5) if known else None


def render(result: dict[str, Any]) -> str:
    """The figures for people, Markdown."""
    lines = [
        f"# `edgekit bench` on {result['engine_key']}",
        "",
        "| engine | engine FPS: CUDA graph, without | times | pipeline FPS | end to end ms: p50, p99 "
        "| GPU board W (idle) | mJ a frame: pipeline | engine | GPU load % | GPU MiB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in result["rows"].items():
        alone, whole = row["engine"], row["pipeline"]
        graph, plain = alone["engine_fps"], alone["engine_fps_without_graph"]
        lines.append(
            f"| {name} | {graph:.0f}, {_number(plain, 0)} | {_number(plain and graph / plain, 2)} | "
            f"{whole['pipeline_fps']:.0f} | {_number(whole['p50_ms'], 2)}, {_number(whole['p99_ms'], 2)} | "
            f"{_number(whole['watts'], 1)} ({_number(whole['idle_watts'], 1)}) | {_millijoules(whole)} | "
            f"{_millijoules(alone)} | {_number(whole['gpu_utilisation_pct'], 0)} | "
            f"{_number(whole['gpu_memory_peak_mib'], 0)} |"
        )
    return "\n".join(lines) + "\n"


def _millijoules(figures: dict[str, Any]) -> str:
    told, error = figures["joules_per_frame"], figures["error_joules_per_frame"]
    return "" if told is None else f"{told * 1e3:.1f} ± {error * 1e3:.1f}"


def _number(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{value:.{digits}f}"


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    measuring, making, telling = (verbs.add_parser(name) for name in ("measure", "results", "table"))
    measuring.add_argument("engines_dir", type=Path)
    for one in (measuring, making, telling):
        one.add_argument("out", type=Path, metavar="OUT.jsonl")
    measuring.add_argument("--rounds", type=int, default=3)
    measuring.add_argument("--seconds", type=float, default=6.0)
    measuring.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    measuring.add_argument("--commit", default="", help="of edgekit, noted in the results")
    making.add_argument("project", type=Path)
    making.add_argument("device")
    making.add_argument("--predictions", type=Path)
    telling.add_argument("--save", action="store_true")
    telling.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    {"measure": measure, "results": results, "table": table}[arguments.verb](arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
