"""Frames a second from 1080p frames in memory to boxes on an NVIDIA GPU: this kit against TensorRT's other users.

    python bench/peers/gpu.py ENGINE_DIR [--nms-plan PLAN]

The same plan file, the same frames, the same confidence and IoU, in one run and by turns (see turns.py). ENGINE_DIR is
an engine of this kit, made for this machine; PLAN the same network with the plugin EfficientNMS behind it, made by
efficient_nms.py, without which trtutils' own end-to-end call is left out. trtutils and Polygraphy are no dependencies:
what is not installed is left out. Objects found for each frame show whether they did the same work. Python 3.8.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import machine, save_result
from gpu_machine import gpu_machine
from turns import summarise, table, take_turns

from edgekit.runtime.engine_files import read_manifest

NEEDS = {"trtutils": "trtutils", "trtutils-end2end": "trtutils", "polygraphy": "polygraphy", "pycuda-loop": "pycuda"}
ORDER = ("edgekit", "edgekit-locked", "trtutils", "trtutils-end2end", "polygraphy", "pycuda-loop")


def main() -> int:
    """Measure, print, and write bench/results/peers-gpu-DETECTOR-PRECISION-DATE.{json,md} if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine_dir", type=Path)
    parser.add_argument("--nms-plan", type=Path)
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    arguments = parser.parse_args()
    manifest = read_manifest(arguments.engine_dir)
    given = [str(arguments.engine_dir), str(arguments.nms_plan or os.devnull), str(arguments.seconds)]
    answers = take_turns("gpu_contenders.py", contenders(arguments), given, arguments.turns)
    asked = {"turns": arguments.turns, "seconds_a_turn": arguments.seconds}
    _, _, height, width = manifest.inputs[0].shape
    engine = {"detector": manifest.detector, "precision": manifest.precision, "engine_key": manifest.engine_key}
    engine["input"] = f"{width} x {height}"
    result = {**engine, **asked, "rows": summarise(answers), "gpu": gpu_machine(), **machine()}
    save_result(f"peers-gpu-{manifest.detector}-{manifest.precision}", result, render(result), arguments)
    return 0


def contenders(arguments: argparse.Namespace) -> list[str]:
    """Those whose packages and plan are here, in order."""
    names = [name for name in ORDER if name not in NEEDS or importlib.util.find_spec(NEEDS[name])]
    if arguments.nms_plan is None and "trtutils-end2end" in names:
        names.remove("trtutils-end2end")
    for name in sorted(set(ORDER) - set(names)):
        print(f"{name} is left out: it is not installed here, or its plan was not given", file=sys.stderr)
    return names


def render(result: dict[str, Any]) -> str:
    """The result for people, Markdown."""
    gpu = result["gpu"]
    lines = [
        "# From 1080p frames in memory to boxes, on a GPU: this kit and its peers",
        "",
        f"{result['detector']} {result['precision'].upper()} at {result['input']}, {result['engine_key']}, "
        f"confidence 0.25, IoU 0.45; {result['turns']} turns of {result['seconds_a_turn']:g} s each, taken by turns in "
        f"processes of their own. Medians with 95 % intervals. {gpu['name']}, driver {gpu['driver_version']}.",
        "",
    ]
    return "\n".join(lines) + "\n" + table(result["rows"])


if __name__ == "__main__":
    sys.exit(main())
