"""The TensorRT back end: what runs engines on an NVIDIA GPU. Building lies in trt.build."""

from __future__ import annotations

import atexit
import logging
import threading
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, TypeVar

import numpy as np

from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.errors import DeviceError, EngineError
from edgekit.runtime.cuda import driver
from edgekit.runtime.cuda.owner import OwnerThread
from edgekit.runtime.input_sizes import check_sizes, size_for_batch
from edgekit.runtime.trt.contexts import Contexts
from edgekit.runtime.trt.failures import release_frames
from edgekit.runtime.trt.host_batches import HostBatches
from edgekit.runtime.trt.library import load_library
from edgekit.runtime.trt.plan import OpenPlan, open_plan
from edgekit.runtime.trt.stages import TrtStages

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class TrtEngine:
    """A TensorRT engine and its contexts, which live on a thread of their own that owns the GPU's context.

    One stream takes all the engine's work, because its contexts share scratch memory. `lock` is held by whoever puts
    work into it. What is still open when the process ends is closed then.
    """

    def __init__(self, path: Path, manifest: EngineManifest) -> None:
        load_library()  # a missing TensorRT is said before a thread is started
        self.manifest = manifest
        self.folder = path.parent
        self.lock = threading.RLock()
        self.facts = driver.gpu_facts()
        self.owner = OwnerThread()
        self._threads = threading.local()
        self._plan: Optional[OpenPlan] = None
        self._contexts: Optional[Contexts] = None
        self._stream: Optional[int] = None
        self._batches: Optional[HostBatches] = None
        self._stages: List[TrtStages] = []
        self._closed = False
        try:
            self.call(lambda: self._open(path))
        except BaseException:
            self._give_back()
            raise
        atexit.register(self.close)

    def infer(self, tensors: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run one batch; see runtime.engines.Engine. The arrays are new ones.

        Raises EngineError for sizes outside the profile and for what TensorRT refuses.
        """
        check_sizes(self.manifest, tensors)
        with self.lock:
            self.check_open()
            return self.call(lambda: self.batches.run(tensors))

    def stages(
        self, detector: DetectorSpec, batch: int, *, use_graphs: bool = True, use_kernels: bool = True
    ) -> Optional[TrtStages]:
        """The pipeline's stages on the GPU; None if sizes of the outputs depend on the data.

        use_graphs and use_kernels False ask for the slower ways, to compare. Raises UsageError if the engine does not
        take `batch`.
        """
        with self.lock:
            self.check_open()
            varying = self.batches.depends_on_data
            if varying:
                _log.warning("runs without GPU stages: the size of %s depends on the picture", ", ".join(varying))
                return None
            size = size_for_batch(self.manifest, batch)
            stages = TrtStages(self, detector, size, use_graphs=use_graphs, use_kernels=use_kernels)
            self._stages = [each for each in self._stages if not each.closed]
            self._stages.append(stages)
            return stages

    def close(self) -> None:
        """Give back the engine's memory and end its thread; stages that are open are closed. Safe more than once."""
        with self.lock:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self.close)
        self._give_back()

    def check_open(self) -> None:
        """Raise EngineError once the engine was closed."""
        if self._closed:
            raise EngineError("this engine was closed")

    def call(self, work: Callable[[], Answer]) -> Answer:
        """Do something on the thread that owns the GPU's context, and wait for it."""
        answer: Answer = self.owner.call(_tidily, work)
        return answer

    def enter_thread(self) -> None:
        """Make the GPU's context current in the calling thread; costs nothing after the first time."""
        if not getattr(self._threads, "entered", False):
            driver.set_current(self.owner.context_handle)
            self._threads.entered = True

    @property
    def plan(self) -> OpenPlan:
        assert self._plan is not None, "not after close"
        return self._plan

    @property
    def contexts(self) -> Contexts:
        assert self._contexts is not None, "not after close"
        return self._contexts

    @property
    def stream(self) -> int:
        """The stream for everything that a context does."""
        assert self._stream is not None, "not after close"
        return self._stream

    @property
    def batches(self) -> HostBatches:
        assert self._batches is not None, "not after close"
        return self._batches

    def _open(self, path: Path) -> None:
        self._plan = open_plan(path, self.manifest)
        self._contexts = Contexts(self._plan)
        self._stream = driver.make_stream()
        self._batches = HostBatches(self._plan, self._contexts, self._stream, self.facts.integrated)

    def _give_back(self) -> None:
        try:
            for stages in self._stages:
                stages.close()
            self.call(self._free)
        except DeviceError as error:
            # A GPU that failed takes nothing back; the end of the process does.
            _log.warning("the engine's memory could not be given back: %s", error)
        finally:
            self._stages.clear()
            self.owner.close()

    def _free(self) -> None:
        if self._stream is not None:
            driver.stream_synchronise(self._stream)
        if self._batches is not None:
            self._batches.close()
        if self._contexts is not None:
            self._contexts.close()
        if self._plan is not None:
            self._plan.close()
        if self._stream is not None:
            driver.destroy_stream(self._stream)
        self._batches = self._contexts = self._plan = self._stream = None


def _tidily(work: Callable[[], Answer]) -> Answer:
    """Do it; what a failure came through is let go here, on the owner thread."""
    try:
        return work()
    except BaseException as error:
        release_frames(error)
        raise


def load(path: Path, manifest: EngineManifest, threads: int) -> TrtEngine:
    """Open an engine file whose key and digest were checked. threads is of no use to a GPU.

    Raises EngineError if TensorRT refuses it, DeviceError where TensorRT, pycuda, the driver or the GPU is missing.
    """
    return TrtEngine(path, manifest)
