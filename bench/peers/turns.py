"""Contenders take turns: each is a process of its own, and while one works the others sleep.

What else the machine does then hits all alike. Figures are medians over turns, ratios those of neighbouring turns, with
the 95 % interval of the median by order statistics. Python 3.8.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
OURS = "edgekit"


def take_turns(script: str, names: Sequence[str], given: Sequence[str], turns: int) -> dict[str, list[dict[str, Any]]]:
    """The answers of each contender, turn by turn; the first turn is left out.

    script: of this folder, started as `script NAME *given`; see loop.serve for what is said to it.
    """
    with ExitStack() as stack:
        running = {name: stack.enter_context(_started(script, name, given)) for name in names}
        for name, process in running.items():
            if "ready" not in _answer(process):
                raise SystemExit(f"{name} did not start")
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for turn in range(turns + 1):
            for name in names if turn % 2 else names[::-1]:
                running[name].stdin.write("go\n")
                running[name].stdin.flush()
                answer = _answer(running[name])
                if turn:
                    answers[name].append(answer)
        for process in running.values():
            process.stdin.close()
        return answers


def _started(script: str, name: str, given: Sequence[str]) -> Any:
    path = os.pathsep.join(filter(None, [str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, str(HERE / script), name, *given]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _answer(process: Any) -> dict[str, Any]:
    for line in process.stdout:
        if line.startswith("{"):
            answer: dict[str, Any] = json.loads(line)
            return answer
    raise SystemExit(f"a contender ended: {' '.join(process.args[1:3])}")


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Median and its interval of at least 95 % by order statistics; the whole range below six values."""
    ordered, count = sorted(values), len(values)
    rank = 0
    while sum(comb(count, k) for k in range(rank + 1)) / 2**count <= 0.025 and rank < count // 2:
        rank += 1
    cut = max(0, rank - 1)
    return statistics.median(ordered), ordered[cut], ordered[count - 1 - cut]


def summarise(answers: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """FPS of each, and how many times as fast the kit is."""
    rates = {name: [turn["frames"] / turn["seconds"] for turn in turns] for name, turns in answers.items()}
    rows = {}
    for name, turns in answers.items():
        ratios = [ours / theirs for ours, theirs in zip(rates[OURS], rates[name])]
        frames = sum(turn["frames"] for turn in turns)
        rows[name] = {
            "fps": [round(value, 2) for value in median_interval(rates[name])],
            "edgekit_is_times_as_fast": [round(value, 3) for value in median_interval(ratios)],
            "objects_a_frame": round(sum(turn["objects"] for turn in turns) / frames, 2),
        }
    return rows


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows for people, Markdown."""
    lines = ["| | FPS | edgekit is so many times as fast | objects a frame |", "|---|---:|---:|---:|"]
    for name, row in rows.items():
        fps, ratio = row["fps"], row["edgekit_is_times_as_fast"]
        compared = "" if name == OURS else f"{ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f})"
        lines.append(
            f"| {name} | {fps[0]:.1f} ({fps[1]:.1f} to {fps[2]:.1f}) | {compared} | {row['objects_a_frame']} |"
        )
    return "\n".join(lines) + "\n"
