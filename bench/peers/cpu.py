"""Frames a second from 1080p frames in memory to boxes: this kit against Ultralytics, OpenCV DNN and a plain loop.

    python bench/peers/cpu.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt

The same ONNX file, the same frames, the same confidence and IoU, in one run and by turns (see turns.py). Objects found
for each frame show whether they did the same work. Ultralytics is no dependency: install it in an environment of its
own beside this kit and run this script there; without it the others are measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import add_model_arguments, machine, save_result
from turns import summarise, table, take_turns

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
    given = [str(arguments.model), str(arguments.labels), str(arguments.seconds)]
    with ExitStack() as stack:
        for _ in range(arguments.busy):
            stack.callback(subprocess.Popen([sys.executable, "-c", "while True: pass"]).kill)
        answers = take_turns("cpu_contenders.py", names, given, arguments.turns)
    asked = {"turns": arguments.turns, "seconds_a_turn": arguments.seconds, "busy": arguments.busy}
    result = {"model": arguments.model.name, **asked, "rows": summarise(answers), **machine()}
    save_result("peers-cpu-busy" if arguments.busy else "peers-cpu", result, render(result), arguments)
    return 0


def render(result: dict[str, Any]) -> str:
    """The result for people, Markdown."""
    lines = [
        "# From 1080p frames in memory to boxes, on the CPU: this kit and its peers",
        "",
        f"{result['model']} at 640 x 384, FP32, confidence 0.25, IoU 0.45; {result['turns']} turns of "
        f"{result['seconds_a_turn']:g} s each, taken by turns in processes of their own. Medians with 95 % intervals.",
        *(["", f"Other programs that computed all the while: {result['busy']}."] if result["busy"] else []),
        "",
    ]
    return "\n".join(lines) + "\n" + table(result["rows"])


if __name__ == "__main__":
    sys.exit(main())
