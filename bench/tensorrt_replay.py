"""Time of one engine on the GPU, without anything of the kit around it: the yardstick for what the kit adds.

    python bench/tensorrt_replay.py ENGINE_DIR [--seconds 3]

Like `trtexec --useCudaGraph --noDataTransfers`: one context, inputs that stay where they are, launches back to back.
In turns of a quarter second: (a) execute_async_v3 in a stream, (b) the same as a replayed CUDA graph, (c) the kit's own
`replay` of its graph. Prints one JSON object: medians over the turns in ms a frame, and what the CPU spends launching.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import tensorrt as trt

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.runtime.cuda import driver, graph
from edgekit.runtime.cuda.memory import DeviceBuffer
from edgekit.runtime.cuda.owner import OwnerThread
from edgekit.runtime.engine_files import check_digest, read_manifest
from edgekit.runtime.trt.engine import load
from edgekit.runtime.trt.library import logger

_TURN_S = 0.25


class Bare:
    """The engine with nothing but TensorRT's own calls. Use on one thread."""

    def __init__(self, plan: bytes) -> None:
        self.runtime = trt.Runtime(logger())
        self.engine = self.runtime.deserialize_cuda_engine(plan)
        self.context = self.engine.create_execution_context()
        self.stream = driver.make_stream()
        self.buffers: List[DeviceBuffer] = []
        for index in range(self.engine.num_io_tensors):
            name = self.engine.get_tensor_name(index)
            if self.engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
                self.context.set_input_shape(name, self.engine.get_tensor_profile_shape(name, 0)[1])
        for index in range(self.engine.num_io_tensors):
            name = self.engine.get_tensor_name(index)
            shape = self.context.get_tensor_shape(name)
            buffer = DeviceBuffer(8 * max(1, trt.volume(shape)))
            self.buffers.append(buffer)
            self.context.set_tensor_address(name, buffer.pointer)
        self.enqueue()
        driver.stream_synchronise(self.stream)
        self.graph = graph.capture(self.stream, self.enqueue)

    def enqueue(self) -> bool:
        """One inference in the stream."""
        return bool(self.context.execute_async_v3(self.stream))

    def replay(self) -> None:
        """One inference as a graph."""
        self.graph.launch(self.stream)

    def close(self) -> None:
        """Give everything back."""
        self.graph.free()
        for buffer in self.buffers:
            buffer.free()
        driver.destroy_stream(self.stream)
        del self.context, self.engine, self.runtime


def turn(launch: Callable[[], Any], finish: Callable[[], Any]) -> Dict[str, float]:
    """Launch for a quarter second: ms a frame from GPU-idle to GPU-idle, and the CPU's share of it in launching."""
    finish()
    count, launching_s, started_s = 0, 0.0, time.perf_counter()
    while time.perf_counter() - started_s < _TURN_S:
        before_s = time.perf_counter()
        for _ in range(50):
            launch()
        launching_s += time.perf_counter() - before_s
        count += 50
        finish()
    return {"ms": (time.perf_counter() - started_s) * 1e3 / count, "launch_ms": launching_s * 1e3 / count}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine_dir", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each kind")
    arguments = parser.parse_args()
    manifest = read_manifest(arguments.engine_dir)
    path = check_digest(arguments.engine_dir, manifest)
    owner = OwnerThread()
    bare = owner.call(Bare, path.read_bytes())
    kit = load(path, manifest, 0)
    labels = tuple(map(str, range((manifest.outputs[0].shape[1] or 84) - 4)))
    detector = DetectorSpec(
        manifest.detector, manifest.model_sha256, InputSpec(manifest.inputs[0].name), manifest.profile, "yolov8", labels
    )
    stages = kit.stages(detector, manifest.profile.optimum.batch)
    slot = stages.make_slot()

    def bare_turn(launch: Callable[[], Any]) -> Dict[str, float]:
        return owner.call(turn, launch, lambda: driver.stream_synchronise(bare.stream))

    kinds = {
        "stream": lambda: bare_turn(bare.enqueue),
        "graph": lambda: bare_turn(bare.replay),
        "kit": lambda: kit_turn(stages, slot),
    }
    turns: Dict[str, List[Dict[str, float]]] = {name: [] for name in kinds}
    for _ in range(max(2, round(arguments.seconds / _TURN_S))):
        for name, measure in kinds.items():
            turns[name].append(measure())
    result = {
        name: {key: round(statistics.median(each[key] for each in found), 5) for key in found[0]}
        for name, found in turns.items()
    }
    stages.close()
    kit.close()
    owner.call(bare.close)
    owner.close()
    ratios = [one["ms"] / two["ms"] for one, two in zip(turns["graph"], turns["kit"])]
    print(json.dumps({**result, "kit_share_of_graph": round(statistics.median(ratios), 4)}))
    return 0


def kit_turn(stages: Any, slot: Any) -> Dict[str, float]:
    """The kit's replay in the same portions."""
    count, started_s = 0, time.perf_counter()
    while time.perf_counter() - started_s < _TURN_S:
        stages.replay(slot, 50)
        count += 50
    return {"ms": (time.perf_counter() - started_s) * 1e3 / count}


if __name__ == "__main__":
    sys.exit(main())
