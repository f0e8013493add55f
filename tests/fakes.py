"""Stand-ins that implement the kit's own protocols."""

from __future__ import annotations

import threading
import time
from typing import Callable, Dict, List, Mapping, Optional, Set, Tuple

import numpy as np

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.tensors import InputSize, ShapeProfile, TensorSpec
from edgekit.errors import SourceError
from edgekit.runtime.frames import Source

LABELS = ("car", "person")
ANCHORS = 84  # of a 64 x 64 input: 8 x 8 + 4 x 4 + 2 x 2


def detector_spec(height: int = 64, width: int = 64, *, max_batch: int = 1) -> DetectorSpec:
    """A YOLOv8 style detector of two classes."""
    smallest, largest = InputSize(1, height, width), InputSize(max_batch, height, width)
    return DetectorSpec(
        name="fake",
        model_sha256="0" * 64,
        input=InputSpec("images"),
        profile=ShapeProfile(smallest, smallest, largest),
        layout="yolov8",
        labels=LABELS,
    )


def manifest_for(detector: DetectorSpec, anchors: int = ANCHORS) -> EngineManifest:
    """The manifest that an engine of this detector would have."""
    size = detector.profile.optimum
    return EngineManifest(
        engine_id="fake",
        engine_key="fake",
        detector=detector.name,
        backend="fake",
        precision="fp32",
        file_name="fake.engine",
        file_sha256="0" * 64,
        file_bytes=0,
        model_sha256=detector.model_sha256,
        calibration_sha256=None,
        calibration_images=0,
        options_sha256="0" * 64,
        profile=detector.profile,
        inputs=(TensorSpec("images", (None, 3, size.height, size.width)),),
        outputs=(TensorSpec("output0", (None, 4 + len(detector.labels), anchors)),),
        tool_versions={},
        build_s=0.0,
        created_utc="2026-01-01T00:00:00Z",
        layers_total=0,
        layers_quantised=0,
    )


class FakeEngine:
    """An engine that takes `delay_s` a call and finds one object: a 20 x 20 px car in the middle of the input.

    The object's score is the mean of the picture's red plane / 2 + 0.5, so a frame can be told by its answer. Its
    buffer is overwritten by the next call, as the protocol allows. on_call(number) may raise to make it fail.
    """

    def __init__(
        self,
        detector: Optional[DetectorSpec] = None,
        *,
        delay_s: float = 0.0,
        on_call: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.detector = detector or detector_spec()
        self.manifest = manifest_for(self.detector)
        self.delay_s = delay_s
        self.on_call = on_call
        self.shapes: List[Tuple[int, ...]] = []
        self.threads: Set[int] = set()
        self.closed = False
        size = self.detector.profile.maximum
        self._output = np.zeros((size.batch, 4 + len(LABELS), ANCHORS), np.float32)
        self._centre = (size.width / 2, size.height / 2)

    def infer(self, tensors: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """One object for each picture of the batch."""
        images = tensors["images"]
        self.on_call(len(self.shapes))
        self.shapes.append(images.shape)
        self.threads.add(threading.get_ident())
        time.sleep(self.delay_s)
        self._output[:] = 0
        for row, image in enumerate(images):
            self._output[row, :4, 0] = (*self._centre, 20, 20)
            self._output[row, 4, 0] = 0.5 + image[0].mean() / 2
        return {"output0": self._output[: len(images)]}

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def stages(self, detector: DetectorSpec, batch: int) -> None:
        """None: the host's stages."""


class Greys(Source):
    """Frames (64, 64) whose brightness is their index; each costs `delay_s`, and the one at `fail_at` raises."""

    def __init__(
        self,
        count: Optional[int],
        *,
        delay_s: float = 0.0,
        live: bool = False,
        fps: Optional[float] = None,
        fail_at: Optional[int] = None,
    ) -> None:
        super().__init__()
        self.frame_count, self.live, self.fps = count, live, fps
        self._delay_s, self._fail_at = delay_s, fail_at

    def _read(self) -> Optional[Tuple[np.ndarray, str, Optional[str]]]:
        if self._index == self._fail_at:
            raise SourceError("the cable came loose")
        if self._index == self.frame_count:
            return None
        time.sleep(self._delay_s)
        return np.full((64, 64, 3), self._index % 256, np.uint8), f"grey-{self._index}", None
