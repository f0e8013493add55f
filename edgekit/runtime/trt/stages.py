"""The pipeline's stages on a GPU.

    copy stream     frame -> GPU -> letterbox --.
    engine stream                                `-> engine --.
    results stream                                             `-> filter -> copy back

Three streams, so that the next frame comes and the last one's results go while the engine runs. In the engine's stream
is its own work and no other: execution contexts share scratch memory, and nothing else should make them wait.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.letterbox import Fit
from edgekit.core.tensors import InputSize
from edgekit.errors import DeviceError, EngineError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.graph import Graph, capture
from edgekit.runtime.cuda.memory import SharedArray
from edgekit.runtime.finite import FiniteCheck
from edgekit.runtime.frames import Frame
from edgekit.runtime.input_sizes import smallest_batch
from edgekit.runtime.stages import Collected
from edgekit.runtime.trt.contexts import Binding, latest_error
from edgekit.runtime.trt.parts import Parts
from edgekit.runtime.trt.slots import Run, Slot

if TYPE_CHECKING:
    from edgekit.runtime.trt.engine import TrtEngine

_log = logging.getLogger(__name__)


class TrtStages:
    """Stages of one detector on one TensorRT engine; see runtime.stages.Stages. Made by TrtEngine.stages.

    close may come from any thread at any time; calls under way end first, later ones raise EngineError.
    """

    slots = 3
    launch_waits = False

    def __init__(
        self, engine: TrtEngine, detector: DetectorSpec, size: InputSize, *, use_graphs: bool, use_kernels: bool
    ) -> None:
        self.input_size = size
        self.closed = False
        self._engine, self._use_graphs = engine, use_graphs
        self._finite = FiniteCheck(detector)
        self._notes: Dict[str, None] = {}
        self._slots: List[Slot] = []
        self._filling, self._collecting = threading.Lock(), threading.Lock()
        self._copy_stream, self._results_stream, self._parts = engine.call(lambda: self._open(detector, use_kernels))

    @property
    def notes(self) -> Tuple[str, ...]:
        """One line for each part that runs on the CPU or without a CUDA graph, and why."""
        letterbox = self._parts.letterbox
        return (*self._notes, *(letterbox.notes if letterbox is not None else ()))

    @property
    def has_graph(self) -> bool:
        """Whether the engine's work of every slot is a CUDA graph."""
        return bool(self._slots) and all(run.recorded for slot in self._slots for run in slot.runs.values())

    def make_slot(self) -> Slot:
        """Memory for one batch, and the engine recorded for a full one. Raises DeviceError if the GPU has no room."""
        with self._engine.lock:
            self._check_open()
            return self._engine.call(self._make_slot)

    def preprocess(self, frame: Frame, slot: Slot, row: int) -> Fit:
        """Start to make a frame the batch's item `row`; unless it is constant, the frame may change then."""
        with self._filling:
            self._check_open()
            self._engine.enter_thread()
            fit = self._parts.filler.write(frame, slot.images, row, self._copy_stream)
            driver.record(slot.filled, self._copy_stream)
            return fit

    def launch(self, slot: Slot, rows: int) -> None:
        """Start inference on the first `rows` items, and the way back of what comes out; returns at once.

        Raises EngineError if TensorRT refuses.
        """
        with self._engine.lock:
            self._check_open()
            self._engine.enter_thread()
            run = self._run_for(slot, rows)
            engine_stream, results_stream = self._engine.stream, self._results_stream
            driver.stream_wait_event(engine_stream, slot.filled)
            driver.record(slot.started, engine_stream)
            self._start(run)
            driver.record(slot.stopped, engine_stream)
            driver.stream_wait_event(results_stream, slot.stopped)
            self._read_out(slot, run)
            driver.record(slot.done, results_stream)
            slot.launched = run

    def collect(self, slot: Slot, fits: Sequence[Fit]) -> Collected:
        """Wait for a launch and give its detections. inference_ms is the GPU's time for the engine alone."""
        with self._collecting:
            self._check_open()
            self._engine.enter_thread()
            run = slot.launched
            assert run is not None, "collect comes after launch"
            started_s = time.monotonic()
            driver.event_synchronise(slot.done)
            waited_ms = (time.monotonic() - started_s) * 1e3
            inference_ms = driver.elapsed_ms(slot.started, slot.stopped)
            reader, results, shapes = self._parts.reader, slot.results, run.shapes

            def fetch() -> Dict[str, np.ndarray]:
                return self._fetch_outputs(slot, run)

            bad = self._finite.bad_outputs(lambda: reader.outputs(results, shapes, fetch))
            if bad:
                return Collected([Detections.empty() for _ in fits], inference_ms, waited_ms, bad)
            return Collected(reader.finish(results, shapes, fits, fetch), inference_ms, waited_ms)

    def retune(self, detector: DetectorSpec) -> None:
        """Go on by the thresholds of a detector that is otherwise the same. The engine's own graphs stay.

        What was launched and is not collected yet was filtered by the ones before.
        """
        with self._collecting, self._engine.lock:
            self._check_open()
            self._engine.call(lambda: self._retune(detector))

    def replay(self, slot: Slot, times: int) -> None:
        """Run the engine alone on a full batch, again and again, and wait once at the end."""
        with self._engine.lock:
            self._check_open()
            self._engine.enter_thread()
            run = self._run_for(slot, self.input_size.batch)
            driver.stream_wait_event(self._engine.stream, slot.filled)
            for _ in range(times):
                self._start(run)
            driver.stream_synchronise(self._engine.stream)

    def close(self) -> None:
        """Give back what the slots hold. Safe more than once."""
        with self._filling, self._collecting, self._engine.lock:
            if not self.closed:
                self.closed = True
                self._engine.call(self._free)

    def _check_open(self) -> None:
        if self.closed:
            raise EngineError("the engine was closed while it was in use")

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes[text] = None
            _log.warning("%s", text)

    def _run_for(self, slot: Slot, rows: int) -> Run:
        rows = max(rows, smallest_batch(self._engine.manifest))
        if rows < self.input_size.batch and self._engine.contexts.one_only:
            # Another number of rows would spoil what all slots have recorded: a short batch runs as a full one.
            rows = self.input_size.batch
        run = slot.runs.get(rows)
        if run is None or not run.is_current:
            run = self._engine.call(lambda: self._prepare(slot, rows))
        return run

    def _start(self, run: Run) -> None:
        if run.recorded is not None:
            run.recorded.launch(self._engine.stream)
        elif not run.binding.enqueue(self._engine.stream):
            raise EngineError("the engine failed on a batch", why=latest_error())

    def _read_out(self, slot: Slot, run: Run) -> None:
        if run.readout is not None:
            run.readout.launch(self._results_stream)
        else:
            self._parts.reader.enqueue(slot.results, run.shapes, run.rows, self._results_stream)

    def _fetch_outputs(self, slot: Slot, run: Run) -> Dict[str, np.ndarray]:
        """The outputs whole, for a picture with more candidates than the GPU keeps."""
        tensors = self._parts.outputs
        outputs = {name: np.empty(run.shapes[name], tensor.dtype) for name, tensor in tensors.items()}
        for name, array in outputs.items():
            driver.copy_to_host(array.ctypes.data, slot.results.pointers[name], array.nbytes, self._results_stream)
        driver.stream_synchronise(self._results_stream)
        return outputs

    # What follows runs on the owner thread.

    def _open(self, detector: DetectorSpec, use_kernels: bool) -> Tuple[int, int, Parts]:
        parts = Parts(self._engine, detector, self.input_size, self._note, use_kernels=use_kernels)
        return driver.make_stream(), driver.make_stream(), parts

    def _make_slot(self) -> Slot:
        side = {name: self._shared(array) for name, array in self._parts.side_inputs(self.input_size.batch).items()}
        slot = Slot(self._parts.filler.make(), self._parts.reader.make(), side, self._engine.facts.integrated)
        self._slots.append(slot)
        self._prepare(slot, self.input_size.batch)
        return slot

    def _shared(self, array: np.ndarray) -> SharedArray:
        shared = SharedArray(array.shape, array.dtype, self._engine.facts.integrated)
        shared.array[...] = array
        shared.to_device(self._engine.stream)
        return shared

    def _prepare(self, slot: Slot, rows: int) -> Run:
        """The engine on the first rows of a slot: run once, as TensorRT wants before it is recorded, then recorded."""
        old = slot.runs.pop(rows, None)
        if old is not None:
            self._wait()
            self._drop(old)
        addresses = {self._parts.image.name: slot.images.pointer, **slot.results.pointers}
        addresses.update({name: shared.device_pointer for name, shared in slot.side_inputs.items()})
        binding = Binding(self._engine.contexts.make(), self._parts.input_shapes(rows), addresses)
        if not binding.enqueue(self._engine.stream):
            raise EngineError("the engine failed on its first batch", why=latest_error())
        driver.stream_synchronise(self._engine.stream)
        shapes = binding.output_shapes(self._parts.outputs)
        run = Run(rows, binding, shapes, binding.holder.resizes)
        run.recorded = self._recorded(self._engine.stream, lambda: binding.enqueue(self._engine.stream))
        self._record_readout(slot, run)
        slot.runs[rows] = run
        return run

    def _record_readout(self, slot: Slot, run: Run) -> None:
        reader, stream = self._parts.reader, self._results_stream
        run.readout = self._recorded(stream, lambda: reader.enqueue(slot.results, run.shapes, run.rows, stream))

    def _retune(self, detector: DetectorSpec) -> None:
        self._wait()
        self._parts.retune(detector)
        for slot in self._slots:
            for run in slot.runs.values():
                if run.readout is not None:
                    run.readout.free()
                self._record_readout(slot, run)

    def _recorded(self, stream: int, enqueue: Callable[[], Any]) -> Optional[Graph]:
        if not self._use_graphs:
            return None
        try:
            return capture(stream, enqueue)
        except DeviceError as error:
            self._note(f"runs without a CUDA graph, which costs the CPU more time: {error.why or error.what}")
            return None

    def _drop(self, run: Run) -> None:
        run.free()
        self._engine.contexts.drop(run.binding.holder)

    def _wait(self) -> None:
        for stream in (self._copy_stream, self._engine.stream, self._results_stream):
            driver.stream_synchronise(stream)

    def _free(self) -> None:
        self._wait()
        for slot in self._slots:
            for run in slot.runs.values():
                self._drop(run)
            slot.free()
        self._slots.clear()
        self._parts.close()
        driver.destroy_stream(self._copy_stream)
        driver.destroy_stream(self._results_stream)
