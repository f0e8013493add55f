"""The engine alone on a batch that is ready, call after call: the most that it can give."""

from __future__ import annotations

import time
from typing import Any, List, Optional, Sequence, Tuple

from edgekit.core.letterbox import Fit
from edgekit.runtime.bench.samples import Progress
from edgekit.runtime.bench.watch import Watch
from edgekit.runtime.frames import Frame
from edgekit.runtime.stages import Stages

# Looking at the clock, and waking up after a GPU, must be nothing beside what is timed.
_CHUNK_S = 0.01
_FEWEST_CHUNKS = 2


class EngineAlone:
    """One engine's stages on one slot that holds a frame in every row."""

    def __init__(self, stages: Stages, slot: Any, frame: Frame) -> None:
        self._stages, self._slot, self._frame = stages, slot, frame
        self._calls = 1  # of the engine between two looks at the clock
        self._fits: List[Fit] = []

    def warm_up(self, frames: int) -> None:
        """Run so many frames, and find out how many calls make a chunk."""
        self._fill()
        if frames:
            self._stages.replay(self._slot, -(-frames // self._batch))
        self._calls = self._calls_for(_CHUNK_S)

    def measure(self, slice_s: float, progress: Progress, watch: Optional[Watch] = None) -> None:
        """A slice more; the first call after filling the slot is not counted.

        watch: None where what the machine does meanwhile belongs to no figure.
        """
        self._fill()
        self._stages.replay(self._slot, 1)
        if watch is not None:
            watch.begin()
        began_s, ended_s = self._count(slice_s, progress)
        if watch is not None:
            watch.end(began_s, ended_s)

    def latencies_ms(self, slice_s: float) -> Sequence[float]:
        """What the engine takes for a batch, one call at a time: by the GPU's clock where it has one."""
        self._fill()
        found: List[float] = []
        started_s = time.monotonic()
        while time.monotonic() - started_s < slice_s or not found:
            self._stages.launch(self._slot, self._batch)
            found.append(self._stages.collect(self._slot, self._fits).inference_ms)
        return found

    @property
    def _batch(self) -> int:
        return self._stages.input_size.batch

    def _fill(self) -> None:
        self._fits = [self._stages.preprocess(self._frame, self._slot, row) for row in range(self._batch)]

    def _count(self, slice_s: float, progress: Progress) -> Tuple[float, float]:
        began_s = before_s = time.monotonic()
        chunks = 0
        while before_s - began_s < slice_s or chunks < _FEWEST_CHUNKS:
            self._stages.replay(self._slot, self._calls)
            now_s = time.monotonic()
            progress.add(now_s - before_s, self._batch * self._calls)
            before_s, chunks = now_s, chunks + 1
        return began_s, before_s

    def _calls_for(self, duration_s: float) -> int:
        """How often the engine runs in about duration_s; at least once."""
        calls = 1
        while True:
            started_s = time.monotonic()
            self._stages.replay(self._slot, calls)
            if time.monotonic() - started_s >= duration_s:
                return calls
            calls *= 2
