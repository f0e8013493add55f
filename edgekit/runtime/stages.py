"""What the stages of the pipeline do for one detector and one engine, on the CPU or on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Protocol, Sequence, Tuple

from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.letterbox import Fit
from edgekit.core.tensors import InputSize
from edgekit.runtime.frames import Frame


@dataclass(frozen=True, eq=False)
class Collected:
    """What one launch gave: detections in frame pixels, one for each fit, and how long the engine took over it all.

    waited_ms is the part of `collect` in which the host only waited for the engine; 0 where launch had waited for it.
    bad_outputs: the outputs that held NaN or infinity, as far as they were looked at, see runtime.finite. There are no
    objects in detections then.
    """

    detections: List[Detections]
    inference_ms: float
    waited_ms: float = 0.0
    bad_outputs: Tuple[str, ...] = ()


class Stages(Protocol):
    """The work of each stage, free of threads: preprocess into a slot, launch it, collect what comes out.

    A slot holds one batch on its way: the network's input, and what comes out of it. Each of preprocess, launch and
    collect is called from one thread at a time, not the same one for all; a slot is in one of them only. What was
    launched is collected before the slot is used again. A slot that was filled and never launched may be filled again.
    """

    input_size: InputSize  # a full batch
    slots: int  # batches to have under way at once: one filled, one in the engine, one decoded
    launch_waits: bool  # True where `launch` does the work itself, on the CPU: it is worth a thread of its own

    def make_slot(self) -> Any:
        """Memory for one batch."""

    def preprocess(self, frame: Frame, slot: Any, row: int) -> Fit:
        """Make a frame the batch's item `row`. May return before the work is done; `launch` waits for it."""

    def launch(self, slot: Any, rows: int) -> None:
        """Start inference on the first `rows` items. Returns at once where a GPU does the work."""

    def collect(self, slot: Any, fits: Sequence[Fit]) -> Collected:
        """Wait for the launch and finish its outputs: decoded, suppressed, in frame pixels, in memory of their own."""

    def retune(self, detector: DetectorSpec) -> None:
        """Go on by the thresholds of a detector that is otherwise the same; in the thread that collects."""

    def replay(self, slot: Any, times: int) -> None:
        """Run the engine alone, again and again on what the slot holds; returns when the last is done."""

    def close(self) -> None:
        """Give back what the slots hold. Before the engine is closed."""


def batch_for(streams: int, manifest: EngineManifest, *, live: bool) -> int:
    """One item for each stream, within what an engine takes.

    A processor takes as long over a batch as over its frames one by one, and live frames would grow old together: they
    go alone there. bench/camera_latency.py measures it.
    """
    alone = live and manifest.backend == "onnxruntime"
    profile = manifest.profile
    return max(profile.minimum.batch, min(1 if alone else streams, profile.maximum.batch))
