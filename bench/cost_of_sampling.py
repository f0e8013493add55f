"""What sampling power and heat beside a measurement costs: FPS with it as a share of the FPS without.

    python bench/cost_of_sampling.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt

Compared: a pipeline on ONNX Runtime that takes all cores, in turns of one run: without a sampler, with one on this
machine's own sensors, and with one on the recorded files of an Orin Nano, all every 0.1 s. A file is read faster than a
sensor on a board's slow bus, whose time is the driver's wait, not the processor's. Beside the FPS, frames for each
second of this process' processor time, which other programs on the machine change less. Then the samplers alone, by
the processor time of a process that does nothing else.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import add_model_arguments, detector_from, loaded_engine, machine, save_result
from figures import commit

from edgekit.core.stats import mean_interval
from edgekit.runtime.bench.replayed import Replayed
from edgekit.runtime.detect import limit_cv_threads
from edgekit.runtime.pipeline import DetectedFrame, Pipeline
from edgekit.runtime.sensors.sampler import MachineSampler
from edgekit.runtime.sources import open_source
from tests.machine_trees import tree_of

SOURCE = "memory://?width=1280&height=720&frames=16"
BOARD = "orin-nano-8gb-jetpack-6"
EVERY_S = 0.1
SETTLING_FRAMES = 5


def main() -> int:
    """Measure, print, and write the record if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--rounds", type=int, default=12, help="how often each case has its turn")
    parser.add_argument("--seconds", type=float, default=1.5, help="of one turn")
    parser.add_argument("--alone", type=float, default=5.0, help="seconds for each sampler by itself")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases: dict[str, Path | None] = {
            "not sampled": None,
            "this machine": Path("/"),
            "files of an Orin Nano": tree_of(BOARD, Path(folder)),
        }
        result = {
            "every_s": EVERY_S, "rounds": arguments.rounds, "seconds": arguments.seconds,
            "sensors": {name: sensor_of(root) for name, root in cases.items() if root},
            **in_turns(arguments, cases),
            "core_share_alone": {name: alone(root, arguments.alone) for name, root in cases.items() if root},
            "commit": commit(), **machine(),
        }  # fmt: skip
    save_result("cost_of_sampling", result, render(result), arguments)
    return 0


@contextmanager
def sampled(root: Path | None) -> Iterator[None]:
    """A sampler on the files below root; none for None."""
    if root is None:
        yield
        return
    with MachineSampler(EVERY_S, root):
        yield


def sensor_of(root: Path) -> str:
    """Which power sensor is found there, "none" without one."""
    with MachineSampler(EVERY_S, root) as sampler:
        return sampler.samples_so_far().sensor or "none"


def in_turns(arguments: argparse.Namespace, cases: dict[str, Path | None]) -> dict[str, Any]:
    """FPS of each case in each round, the same by processor time, and shares of the first case's in the same round."""
    limit_cv_threads()
    fps: dict[str, list[float]] = {case: [] for case in cases}
    per_cpu_s: dict[str, list[float]] = {case: [] for case in cases}
    with (
        loaded_engine(detector_from(arguments), arguments.model) as (_, stages),
        Replayed(lambda: open_source(SOURCE)) as source,
        Pipeline(source, stages) as pipeline,
    ):
        frames = iter(pipeline)
        for number in range(arguments.rounds):
            # Whoever comes first in a round would always have the same neighbour before it.
            order = list(cases)[:: 1 if number % 2 else -1]
            for case in order:
                with sampled(cases[case]):
                    by_clock, by_cpu = turn(frames, arguments.seconds)
                    fps[case].append(by_clock)
                    per_cpu_s[case].append(by_cpu)
    return {"fps": fps, "share": shares(fps), "frames_a_cpu_s": per_cpu_s, "share_by_cpu": shares(per_cpu_s)}


def shares(rates: dict[str, list[float]]) -> dict[str, list[float]]:
    """Of the first case's, with intervals."""
    base, *others = rates
    return {case: ratio(rates[case], rates[base]) for case in others}


def turn(frames: Iterator[DetectedFrame], seconds: float) -> tuple[float, float]:
    """Frames a second for a while, by the clock and by processor time, once the pipeline has gone over to it."""
    for _ in range(SETTLING_FRAMES):
        began_s = next(frames).finished_s
    cpu_s = time.process_time()
    count, finished_s = 0, began_s
    while finished_s - began_s < seconds:
        finished_s = next(frames).finished_s
        count += 1
    return round(count / (finished_s - began_s), 3), round(count / (time.process_time() - cpu_s), 3)


def ratio(rates: list[float], base: list[float]) -> list[float]:
    """The geometric mean of the pairs' ratios, with its 95 % interval."""
    logs = [math.log(rate / other) for rate, other in zip(rates, base, strict=True)]
    return [round(math.exp(value), 4) for value in mean_interval(logs)]


def alone(root: Path, seconds: float) -> float:
    """What a sampler takes of one core, in percent; starting it is not counted."""
    with MachineSampler(EVERY_S, root):
        before_s, started_s = time.process_time(), time.monotonic()
        time.sleep(seconds)
        return round(100 * (time.process_time() - before_s) / (time.monotonic() - started_s), 3)


def told(figures: list[float]) -> str:
    """A share with its interval."""
    middle, low, high = figures
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def render(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [f"| not sampled | - | {statistics.median(result['fps']['not sampled']):.1f} | 1 | 1 | - |"]
    for case, share in result["share"].items():
        lines.append(
            f"| {case} | {result['sensors'][case]} | {statistics.median(result['fps'][case]):.1f} | {told(share)} | "
            f"{told(result['share_by_cpu'][case])} | {result['core_share_alone'][case]:.2f} % |"
        )
    table = "\n".join(lines)
    return f"""# What sampling power and heat costs

Every {result["every_s"]:g} s, {result["rounds"]} rounds of {result["seconds"]:g} s for each case, in turns. Shares: of
what there was without sampling in the same round, geometric means with 95 % intervals. Commit {result["commit"]}.

| sampled | power sensor | FPS, median | share of FPS | share of frames a CPU second | of one core, by itself |
|---|---|---|---|---|---|
{table}
"""


if __name__ == "__main__":
    sys.exit(main())
