"""What collecting hard frames costs a pipeline: FPS with it as a share of the FPS without, in turns of one run.

    python bench/field_cost.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt

Compared: a pipeline on ONNX Runtime that never waits for its source (pictures of all conditions that are there
already, 1280x720), so that all cores are busy and whatever a collector takes is missing in the FPS. A turn with one
has all of it: the rules on every frame, looks by the clock, frames encoded and forced to the disk. Cases: as it is by
default, 60 frames an hour; and with 3,600, which is a frame a second, for the scale of what keeping costs.
Turns are short, and one frame is kept at the beginning of each, which default settings do once a minute: the share is
the worse for it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.collecting import SCENES_NAME, CollectSettings
from edgekit.core.scene_descriptor import descriptor_vector
from edgekit.core.scenes_seen import ScenesSeen, summarise
from edgekit.core.service import ServiceSettings, StreamSettings
from edgekit.core.strata import strata_of
from edgekit.core.wire import to_wire
from edgekit.files import write_json
from edgekit.runtime.field.collector import Collector, collecting
from edgekit.runtime.field.looks import described_by
from edgekit.runtime.pipeline import DetectedFrame, Pipeline
from edgekit.runtime.sources import open_source

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import add_model_arguments, detector_from, loaded_engine, machine, save_result
from page_cost import Ready

CASES: dict[str, CollectSettings | None] = {
    "nothing collected": None,
    "60 frames an hour": CollectSettings(),
    "3,600 frames an hour": CollectSettings(per_hour=3600),
}
_PICTURES = 55
_FPS, _SECONDS = 30, 10  # of what is told as a share of one core


def main() -> int:
    """Measure, print, and write bench/results/field_cost-DATE.{json,md} if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--rounds", type=int, default=10, help="how often each case has its turn")
    parser.add_argument("--seconds", type=float, default=4.0, help="of one turn")
    arguments = parser.parse_args()
    result = measure(arguments) | machine()
    save_result("field_cost", result, render(result), arguments)
    return 0


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """FPS of each case in each round, what was kept meanwhile, and what the parts of the work take."""
    detector = detector_from(arguments)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        engine, stages = stack.enter_context(loaded_engine(detector, arguments.model))
        frames = stack.enter_context(pipeline_of(stages))
        lately = [next(frames) for _ in range(2 * _PICTURES)]
        release = Path(folder) / "release"
        release.mkdir()
        write_json(release / SCENES_NAME, to_wire(seen_in(lately, detector)))
        fps: dict[str, list[float]] = {case: [] for case in CASES}
        per_cpu_s: dict[str, list[float]] = {case: [] for case in CASES}
        kept: dict[str, list[int]] = {case: [] for case in CASES}
        for number in range(arguments.rounds):
            for case, settings in CASES.items():
                state = Path(folder) / f"state-{number}-{len(case)}"
                service = ServiceSettings("street", (StreamSettings("memory://"),), collect=settings)
                with collecting(service, detector, release, state, engine.manifest.engine_id, "fp32") as collector:
                    take(frames, collector, 0.5)
                    rate, per_second = take(frames, collector, arguments.seconds)
                    fps[case].append(round(rate, 2))
                    per_cpu_s[case].append(round(per_second, 2))
                    kept[case].append(collector.health().added if collector else 0)
        return {
            "model": arguments.model.name,
            "fps": fps,
            "per_cpu_s": per_cpu_s,
            "kept": kept,
            "work": work_ms(lately, detector),
            "core_share": core_share(lately, detector, release),
        }


@contextmanager
def pipeline_of(stages: Any) -> Iterator[Iterator[DetectedFrame]]:
    """Frames of a pipeline without end."""
    with open_source(f"memory://?seed=3&width=1280&height=720&frames={_PICTURES}") as scenes:
        pictures = [next(scenes).pixels.copy() for _ in range(_PICTURES)]
    with Ready(pictures) as source, Pipeline(source, stages) as pipeline:
        yield iter(pipeline)


def take(frames: Iterator[DetectedFrame], collector: Collector | None, seconds: float) -> tuple[float, float]:
    """Frames a second over some time, and for each second of this process's processor time."""
    started_s, before_s, count = time.monotonic(), time.process_time(), 0
    while time.monotonic() - started_s < seconds:
        detected = next(frames)
        if collector is not None:
            collector.take(detected)
        count += 1
    return count / (time.monotonic() - started_s), count / (time.process_time() - before_s)


def seen_in(frames: list[DetectedFrame], detector: Any) -> ScenesSeen:
    """A set of some of these pictures, so that others lie far from it."""
    described = [described_by(detector, one) for one in frames[:_PICTURES:11]]
    strata = [strata_of(one, labels=detector.labels) for one in described]
    return summarise("some", "0" * 64, [descriptor_vector(one) for one in described], strata)


def work_ms(frames: list[DetectedFrame], detector: Any) -> dict[str, float]:
    """Processor time of one look, and of the rules on one frame, medians in milliseconds."""
    looks = []
    for one in frames[:_PICTURES]:
        started_s = time.thread_time()
        described_by(detector, one)
        looks.append((time.thread_time() - started_s) * 1e3)
    rules = []
    service = ServiceSettings("street", (StreamSettings("memory://"),), collect=CollectSettings(per_hour=1))
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        with collecting(service, detector, state / "release", state / "state", "0" * 16, "fp32") as collector:
            assert collector is not None
            for one in frames:
                started_s = time.thread_time()
                collector.take(one)
                rules.append((time.thread_time() - started_s) * 1e3)
    return {"look": round(statistics.median(looks), 2), "rules": round(statistics.median(rules), 3)}


def core_share(frames: list[DetectedFrame], detector: Any, release: Path) -> float:
    """Processor time that all of it takes at _FPS frames a second, of one core: no other load changes that much."""
    service = ServiceSettings("street", (StreamSettings("memory://"),), collect=CollectSettings())
    with (
        tempfile.TemporaryDirectory() as folder,
        collecting(service, detector, release, Path(folder), "0" * 16, "fp32") as collector,
    ):
        assert collector is not None
        started_s, before_s = time.monotonic(), time.process_time()
        for number in range(_SECONDS * _FPS):
            collector.take(frames[number % len(frames)])
            time.sleep(max(0.0, started_s + (number + 1) / _FPS - time.monotonic()))
        return round((time.process_time() - before_s) / (time.monotonic() - started_s), 4)


def render(result: dict[str, Any]) -> str:
    """The result for people, Markdown."""
    fps, kept, work = result["fps"], result["kept"], result["work"]
    rounds = len(fps["nothing collected"])
    rows = []
    for case, rates in fps.items():
        shares = " | ".join(share_of(result[key], case) for key in ("fps", "per_cpu_s"))
        rows.append(f"| {case} | {statistics.median(rates):.1f} | {shares} | {np.mean(kept[case]):.1f} |")
    lines = "\n".join(rows)
    return f"""# What collecting hard frames costs

{result["model"]} FP32 on ONNX Runtime, 1280x720 frames, all cores busy; {rounds} rounds, the cases in turn.
A look takes {work["look"]:.1f} ms of the processor, twice a second; the rules on a frame {work["rules"]:.3f} ms.
At 30 frames a second all of it takes {100 * result["core_share"]:.1f} % of one core.
Shares are of the same round's turn without: median (least to most).

| | FPS, median | share of the FPS | share of the frames for a second of processor time | frames kept in a turn |
|---|---|---|---|---|
{lines}
"""


def share_of(figures: dict[str, list[float]], case: str) -> str:
    """How a case compares with nothing collected, round by round."""
    shares = sorted(one / other for one, other in zip(figures[case], figures["nothing collected"], strict=True))
    return f"{statistics.median(shares):.3f} ({shares[0]:.3f} to {shares[-1]:.3f})"


if __name__ == "__main__":
    sys.exit(main())
