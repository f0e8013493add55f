"""Frames a second from 1080p frames in memory to boxes: this kit against Ultralytics, OpenCV DNN and a plain loop.

    python bench/peers/cpu.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt

The same ONNX file, the same frames, the same confidence and IoU, in one run: each contender is a process of its own
with the machine's cores, and they take turns, so that what else the machine does hits all alike. While one works the
others sleep. Reported is the median over turns of the ratio of neighbouring turns, with the 95 % interval of the median
by order statistics. Objects found for each frame show whether they did the same work. Ultralytics is no dependency:
install it in an environment of its own beside this kit and run this script there; without it the others are measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from math import comb
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import add_model_arguments, machine, save_result

HERE = Path(__file__).resolve().parent
NEEDS = {"ultralytics": "ultralytics"}
ORDER = ("edgekit", "ultralytics", "opencv-dnn", "onnxruntime-loop", "edgekit-int8")


def main() -> int:
    """Measure, print, and write bench/results/peers-cpu-DATE.{json,md} if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--busy", type=int, default=0, help="other programs that compute all the while")
    arguments = parser.parse_args()
    names = [name for name in ORDER if name not in NEEDS or importlib.util.find_spec(NEEDS[name])]
    for name in set(ORDER) - set(names):
        print(f"{name} is not installed here and is left out", file=sys.stderr)
    with ExitStack() as stack:
        for _ in range(arguments.busy):
            stack.callback(subprocess.Popen([sys.executable, "-c", "while True: pass"]).kill)
        answers = take_turns(names, arguments)
    result = summarise(names, answers, arguments) | machine()
    save_result("peers-cpu-busy" if arguments.busy else "peers-cpu", result, render(result), arguments)
    return 0


def take_turns(names: list[str], arguments: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """The answers of each contender, turn by turn; the first turn is left out."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(_started(name, arguments)) for name in names}
        for name, process in running.items():
            if "ready" not in _line(process):
                raise SystemExit(f"{name} did not start")
        answers: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for turn in range(arguments.turns + 1):
            for name in names if turn % 2 else names[::-1]:
                process = running[name]
                process.stdin.write("go\n")
                process.stdin.flush()
                answer = _line(process)
                if turn:
                    answers[name].append(answer)
        for process in running.values():
            process.stdin.close()
        return answers


def _started(name: str, arguments: argparse.Namespace) -> Any:
    command = [sys.executable, str(HERE / "contenders.py"), name, str(arguments.model), str(arguments.labels)]
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    return subprocess.Popen(
        [*command, str(arguments.seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def _line(process: Any) -> dict[str, Any]:
    for line in process.stdout:
        if line.startswith("{"):
            answer: dict[str, Any] = json.loads(line)
            return answer
    raise SystemExit("a contender ended")


def median_interval(values: list[float]) -> tuple[float, float, float]:
    """Median and its interval of at least 95 % by order statistics; the whole range below six values."""
    ordered, count = sorted(values), len(values)
    rank = 0
    while sum(comb(count, k) for k in range(rank + 1)) / 2**count <= 0.025 and rank < count // 2:
        rank += 1
    cut = max(0, rank - 1)
    return statistics.median(ordered), ordered[cut], ordered[count - 1 - cut]


def summarise(
    names: list[str], answers: dict[str, list[dict[str, float]]], arguments: argparse.Namespace
) -> dict[str, Any]:
    """FPS of each, and how many times as fast the kit is."""
    rates = {name: [turn["frames"] / turn["seconds"] for turn in answers[name]] for name in names}
    rows = {}
    for name in names:
        fps = median_interval(rates[name])
        ratios = [ours / theirs for ours, theirs in zip(rates["edgekit"], rates[name], strict=True)]
        frames = sum(turn["frames"] for turn in answers[name])
        rows[name] = {
            "fps": [round(value, 2) for value in fps],
            "edgekit_is_times_as_fast": [round(value, 3) for value in median_interval(ratios)],
            "objects_a_frame": round(sum(turn["objects"] for turn in answers[name]) / frames, 2),
        }
    asked = {"turns": arguments.turns, "seconds_a_turn": arguments.seconds, "busy": arguments.busy}
    return {"model": arguments.model.name, **asked, "rows": rows}


def render(result: dict[str, Any]) -> str:
    """The result for people, Markdown."""
    lines = [
        "# From 1080p frames in memory to boxes, on the CPU: this kit and its peers",
        "",
        f"{result['model']} at 640 x 384, confidence 0.25, IoU 0.45; {result['turns']} turns of "
        f"{result['seconds_a_turn']:g} s each, taken by turns in processes of their own. Medians with 95 % intervals.",
        *(["", f"Other programs that computed all the while: {result['busy']}."] if result["busy"] else []),
        "",
        "| | FPS | edgekit (FP32) is so many times as fast | objects a frame |",
        "|---|---:|---:|---:|",
    ]
    for name, row in result["rows"].items():
        fps, ratio = row["fps"], row["edgekit_is_times_as_fast"]
        compared = "" if name == "edgekit" else f"{ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f})"
        lines.append(
            f"| {name} | {fps[0]:.1f} ({fps[1]:.1f} to {fps[2]:.1f}) | {compared} | {row['objects_a_frame']} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
