"""Where the host's time goes around one engine on the GPU, and which form of the work keeps the GPU busy. Python 3.8.

    python bench/tensorrt_stages.py ENGINE_DIR [--frames 2000] [--turns 5]

On 1080p pictures in memory, in turns: `replay`, the engine alone; `plain`, a bare loop with three slots in one thread;
`pipeline`, the kit's own. Then the time of each verb (preprocess, launch, collect less waiting), and a frame's way into
the network's input: by OpenCV on one core, and by the kernel, for pictures that stay where they are (page-locked) and
for pictures that change (copied into page-locked memory first). Prints one JSON object; times are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.runtime.bench.replayed import Replayed
from edgekit.runtime.engine_files import read_manifest
from edgekit.runtime.engines import load_engine
from edgekit.runtime.frames import Frame
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.preprocess import Preprocess
from edgekit.runtime.probe import probe_device
from edgekit.runtime.sources import open_source

_SOURCE = "memory://?width=1920&height=1080&frames=32"
_SETTLING_FRAMES = 100


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine_dir", type=Path)
    parser.add_argument("--frames", type=int, default=2000, help="in a turn of each form")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    detector = detector_of(arguments.engine_dir)
    engine = load_engine(str(arguments.engine_dir), detector, probe_device())
    stages = engine.stages(detector, 1)
    assert stages is not None
    source = Replayed(lambda: open_source(_SOURCE))
    loop = Loop(stages, source)
    forms: dict[str, Callable[[int], float]] = {
        "replay": lambda count: timed(lambda: stages.replay(loop.slots[0], count)),
        "plain": loop.plain,
        "pipeline": loop.pipeline,
    }
    turns: list[dict[str, float]] = []
    for _ in range(arguments.turns + 1):
        taken_s = {name: form(arguments.frames) for name, form in forms.items()}
        turns.append({name: arguments.frames / took_s for name, took_s in taken_s.items()})
    result = {
        "fps": {name: [round(turn[name], 1) for turn in turns[1:]] for name in forms},
        "share_of_replay": {
            name: round(statistics.median(turn[name] / turn["replay"] for turn in turns[1:]), 4) for name in forms
        },
        "verbs_us": loop.verbs(arguments.frames),
        "letterbox": letterbox(detector, stages, loop),
        "notes": list(stages.notes),
    }
    stages.close()
    engine.close()
    print(json.dumps(result))
    return 0


def detector_of(engine_dir: Path) -> DetectorSpec:
    """A detector that the engine fits, with the kit's thresholds."""
    manifest = read_manifest(engine_dir)
    labels = tuple(map(str, range((manifest.outputs[0].shape[1] or 84) - 4)))
    images = InputSpec(manifest.inputs[0].name)
    return DetectorSpec(manifest.detector, manifest.model_sha256, images, manifest.profile, "yolov8", labels)


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


class Loop:
    """One engine's stages on pictures in memory."""

    def __init__(self, stages: Any, source: Replayed) -> None:
        self.stages, self.source = stages, source
        self.slots = [stages.make_slot() for _ in range(stages.slots)]
        self.frames = [next(source) for _ in range(32)]
        stages.preprocess(self.frames[0], self.slots[0], 0)

    def plain(self, count: int) -> float:
        """Seconds for so many frames: preprocess and launch one, collect the one two before."""
        ahead = len(self.slots)
        fits: list[Any] = [None] * ahead
        started_s = time.perf_counter()
        for index in range(count + ahead - 1):
            if index >= ahead - 1:
                oldest = (index - ahead + 1) % ahead
                self.stages.collect(self.slots[oldest], [fits[oldest]])
            if index < count:
                slot = self.slots[index % ahead]
                fits[index % ahead] = self.stages.preprocess(self.frames[index % len(self.frames)], slot, 0)
                self.stages.launch(slot, 1)
        return time.perf_counter() - started_s

    def pipeline(self, count: int) -> float:
        """Seconds for so many frames once the pipeline runs at its own pace."""
        started_s = 0.0
        with Pipeline(self.source, self.stages, self.slots) as pipeline:
            for number, _ in enumerate(pipeline, 1 - _SETTLING_FRAMES):
                if number == 0:
                    started_s = time.perf_counter()
                if number == count:
                    break
            return time.perf_counter() - started_s

    def verbs(self, count: int) -> dict[str, float]:
        """Median microseconds of the host in each verb, one frame after the other; GPU work is not waited for."""
        taken: dict[str, list[float]] = {"preprocess": [], "launch": [], "collect": []}
        slot = self.slots[0]
        for index in range(count):
            marks_s = [time.perf_counter()]
            fit = self.stages.preprocess(self.frames[index % len(self.frames)], slot, 0)
            marks_s.append(time.perf_counter())
            self.stages.launch(slot, 1)
            marks_s.append(time.perf_counter())
            waited_s = self.stages.collect(slot, [fit]).waited_ms / 1e3
            marks_s.append(time.perf_counter() - waited_s)
            for name, took_s in zip(taken, np.diff(marks_s)):
                taken[name].append(float(took_s) * 1e6)
        return {name: round(statistics.median(values), 1) for name, values in taken.items()}


def letterbox(detector: DetectorSpec, stages: Any, loop: Loop, count: int = 400) -> dict[str, float]:
    """Microseconds a 1080p frame: OpenCV's, and with the GPU the host's share and the whole, until it is done."""
    size = stages.input_size
    on_cpu = Preprocess(detector.input, size.height, size.width)
    planes = np.zeros((3, size.height, size.width), np.float32)
    changing = [Frame(frame.pixels.copy(), frame.index, frame.captured_s, frame.name) for frame in loop.frames]
    result = {"opencv_us": median_us(lambda index: on_cpu(loop.frames[index % 32].pixels, planes), count)}
    for kind, frames in (("constant", loop.frames), ("changing", changing)):
        host_us: list[float] = []

        def whole(index: int, frames: list[Frame] = frames, host_us: list[float] = host_us) -> None:
            took_s = timed(lambda: stages.preprocess(frames[index % 32], loop.slots[index % len(loop.slots)], 0))
            host_us.append(took_s * 1e6)
            wait_for(stages, loop.slots[index % len(loop.slots)])

        result[f"gpu_{kind}_until_done_us"] = median_us(whole, count)
        result[f"gpu_{kind}_host_us"] = round(statistics.median(host_us), 1)
    return result


def median_us(work: Callable[[int], Any], count: int) -> float:
    """Median microseconds of a call."""
    return round(statistics.median(timed(lambda index=index: work(index)) for index in range(count)) * 1e6, 1)


def wait_for(stages: Any, slot: Any) -> None:
    """Until the slot is filled."""
    from edgekit.runtime.cuda import driver

    driver.event_synchronise(slot.filled)


if __name__ == "__main__":
    sys.exit(main())
