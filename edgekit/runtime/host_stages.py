"""The stages of the pipeline on the CPU: letterbox, `engine.infer`, decode. For every engine without its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Dict, Mapping, Sequence

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.letterbox import Fit
from edgekit.core.postprocess import detections_from_outputs
from edgekit.core.tensors import InputSize
from edgekit.runtime.engines import Engine
from edgekit.runtime.finite import FiniteCheck
from edgekit.runtime.frames import Frame
from edgekit.runtime.input_sizes import size_for_batch
from edgekit.runtime.preprocess import Preprocess, network_inputs
from edgekit.runtime.stages import Collected, Stages


def stages_for(detector: DetectorSpec, engine: Engine, batch: int = 1) -> Stages:
    """The stages at the engine's best height and width: the engine's own where it has some, else these.

    Close them before the engine. Raises UsageError if the engine does not take `batch`.
    """
    size = size_for_batch(engine.manifest, batch)
    return engine.stages(detector, batch) or HostStages(detector, engine, size)


@dataclass(eq=False)
class HostSlot:
    """One batch on its way: tensor (N, 3, H, W) float32, and the engine's outputs by name."""

    tensor: np.ndarray
    outputs: Dict[str, np.ndarray] = field(default_factory=dict)
    inference_ms: float = 0.0


class HostStages:
    """Stages whose `launch` returns when the engine is done, for engines that only know `infer`."""

    slots = 3
    launch_waits = True

    def __init__(self, detector: DetectorSpec, engine: Engine, size: InputSize) -> None:
        self.input_size = size
        self._detector, self._engine = detector, engine
        self._finite = FiniteCheck(detector)
        self._smallest_batch = engine.manifest.profile.minimum.batch
        self._preprocess = Preprocess(detector.input, size.height, size.width)

    def make_slot(self) -> HostSlot:
        """An input of zeros: what pads a batch is at least a number."""
        size = self.input_size
        return HostSlot(np.zeros((size.batch, 3, size.height, size.width), np.float32))

    def preprocess(self, frame: Frame, slot: HostSlot, row: int) -> Fit:
        """Write the frame's planes; see Preprocess."""
        return self._preprocess(frame.pixels, slot.tensor[row])

    def launch(self, slot: HostSlot, rows: int) -> None:
        """Infer the first rows, more of them where the engine takes no batch so small."""
        inputs = self._inputs(slot, max(rows, self._smallest_batch))
        started_s = time.monotonic()
        outputs = self._engine.infer(inputs)
        slot.inference_ms = (time.monotonic() - started_s) * 1e3
        _keep(outputs, slot.outputs)

    def collect(self, slot: HostSlot, fits: Sequence[Fit]) -> Collected:
        """Decode and suppress what launch kept."""
        bad = self._finite.bad_outputs(lambda: slot.outputs)
        if bad:
            return Collected([Detections.empty() for _ in fits], slot.inference_ms, bad_outputs=bad)
        return Collected(detections_from_outputs(self._detector, slot.outputs, fits), slot.inference_ms)

    def retune(self, detector: DetectorSpec) -> None:
        """The next batch to be collected is decoded by them."""
        self._detector = detector

    def replay(self, slot: HostSlot, times: int) -> None:
        """Infer the whole batch `times` times and look at none of it."""
        inputs = self._inputs(slot, self.input_size.batch)
        for _ in range(times):
            self._engine.infer(inputs)

    def close(self) -> None:
        """Nothing: a slot's memory goes with it."""

    def _inputs(self, slot: HostSlot, rows: int) -> Mapping[str, np.ndarray]:
        return network_inputs(self._detector, self._engine.manifest.inputs, slot.tensor[:rows])


def _keep(outputs: Mapping[str, np.ndarray], kept: Dict[str, np.ndarray]) -> None:
    """Copy what belongs to the engine again at its next call, into the same memory while the shapes stay."""
    for name, output in outputs.items():
        mine = kept.get(name)
        if mine is not None and mine.shape == output.shape and mine.dtype == output.dtype:
            np.copyto(mine, output)
        else:
            kept[name] = np.array(output)
