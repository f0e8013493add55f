"""What the network put out -> detections: filtered by a kernel on the GPU, or copied whole and decoded on the CPU."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.letterbox import Fit
from edgekit.core.postprocess import detections_from_candidates, detections_from_outputs, in_frame
from edgekit.runtime.cuda.candidates import CandidateBuffer, GpuCandidates
from edgekit.runtime.cuda.memory import DeviceBuffer, SharedArray
from edgekit.runtime.trt.plan import PlanTensor

Shapes = Mapping[str, Tuple[int, ...]]
FetchOutputs = Callable[[], Mapping[str, np.ndarray]]


class Reader(Protocol):
    """Reads the outputs of slots. make and free are called on the owner thread."""

    def make(self) -> Any:
        """One slot's outputs: `pointers` by output name, `free` gives them back."""

    def enqueue(self, results: Any, shapes: Shapes, rows: int, stream: int) -> None:
        """Queue what brings the results of the first `rows` items to the CPU; a CUDA graph may hold it."""

    def finish(self, results: Any, shapes: Shapes, fits: Sequence[Fit], fetch: FetchOutputs) -> List[Detections]:
        """Detections in frame pixels once that is done. fetch copies the outputs whole and waits for it."""

    def outputs(self, results: Any, shapes: Shapes, fetch: FetchOutputs) -> Mapping[str, np.ndarray]:
        """The outputs whole, by name; valid until the slot is used again."""


class GpuResults:
    """Outputs that stay in GPU memory, and the candidates found in one of them."""

    def __init__(self, sizes: Mapping[str, int], candidates: CandidateBuffer) -> None:
        self.buffers = {name: DeviceBuffer(nbytes) for name, nbytes in sizes.items()}
        self.candidates = candidates

    @property
    def pointers(self) -> Dict[str, int]:
        """Where the GPU writes, by output name."""
        return {name: buffer.pointer for name, buffer in self.buffers.items()}

    def free(self) -> None:
        """Give the memory back."""
        for buffer in self.buffers.values():
            buffer.free()
        self.candidates.free()


class GpuReader:
    """The GPU drops what is below the detector's confidence; only the rest is copied."""

    def __init__(self, detector: DetectorSpec, table: str, sizes: Mapping[str, int], candidates: GpuCandidates) -> None:
        self._detector, self._table = detector, table
        self._sizes, self._candidates = sizes, candidates

    def make(self) -> GpuResults:
        """Memory for one slot."""
        return GpuResults(self._sizes, self._candidates.make_buffer())

    def enqueue(self, results: GpuResults, shapes: Shapes, rows: int, stream: int) -> None:
        """Queue the filter, the comparisons and the copy of what is left."""
        self._candidates.enqueue(results.buffers[self._table].pointer, results.candidates, rows, stream)

    def finish(self, results: GpuResults, shapes: Shapes, fits: Sequence[Fit], fetch: FetchOutputs) -> List[Detections]:
        """Detections; decoded on the CPU where the GPU had more candidates than room for them."""
        found = [self._picture(results.candidates, item, fit) for item, fit in enumerate(fits)]
        kept = [detections for detections in found if detections is not None]
        return kept if len(kept) == len(fits) else detections_from_outputs(self._detector, fetch(), fits)

    def outputs(self, results: GpuResults, shapes: Shapes, fetch: FetchOutputs) -> Mapping[str, np.ndarray]:
        """Copies of them."""
        return fetch()

    def _picture(self, buffer: CandidateBuffer, item: int, fit: Fit) -> Optional[Detections]:
        """None if the whole output must be decoded."""
        kept = self._candidates.suppressed(buffer, item)
        if kept is not None:
            return in_frame(kept, fit)
        candidates = self._candidates.to_detections(buffer, item)
        return None if candidates is None else detections_from_candidates(self._detector, candidates, fit)


class HostResults:
    """Outputs that the GPU writes and the CPU reads."""

    def __init__(self, sizes: Mapping[str, int], integrated: bool) -> None:
        self.shared = {name: SharedArray((nbytes,), "uint8", integrated) for name, nbytes in sizes.items()}

    @property
    def pointers(self) -> Dict[str, int]:
        """Where the GPU writes, by output name."""
        return {name: shared.device_pointer for name, shared in self.shared.items()}

    def free(self) -> None:
        """Give the memory back."""
        for shared in self.shared.values():
            shared.free()


class HostReader:
    """Every output is copied whole and decoded on the CPU."""

    def __init__(
        self, detector: DetectorSpec, tensors: Mapping[str, PlanTensor], sizes: Mapping[str, int], integrated: bool
    ) -> None:
        self._detector, self._tensors = detector, tensors
        self._sizes, self._integrated = sizes, integrated

    def make(self) -> HostResults:
        """Memory for one slot."""
        return HostResults(self._sizes, self._integrated)

    def enqueue(self, results: HostResults, shapes: Shapes, rows: int, stream: int) -> None:
        """Queue the copies."""
        for name, shared in results.shared.items():
            shared.to_host(stream, nbytes=self._tensors[name].nbytes(shapes[name]))

    def finish(
        self, results: HostResults, shapes: Shapes, fits: Sequence[Fit], fetch: FetchOutputs
    ) -> List[Detections]:
        """Detections, decoded where the copies lie."""
        return detections_from_outputs(self._detector, self.outputs(results, shapes, fetch), fits)

    def outputs(self, results: HostResults, shapes: Shapes, fetch: FetchOutputs) -> Mapping[str, np.ndarray]:
        """The copies that are there."""
        return {name: self._tensors[name].view(shared.array, shapes[name]) for name, shared in results.shared.items()}
