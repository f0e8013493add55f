"""Looking at pictures beside the pipeline: what a scene is like, and how far from what the engine was calibrated on."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import Any, Callable, NamedTuple, Optional, Tuple

import cv2

from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.scene_descriptor import SceneDescriptor, describe, descriptor_vector, small_size, with_objects
from edgekit.core.scenes_seen import Drift, DriftWatch
from edgekit.core.strata import strata_of
from edgekit.runtime.modest import step_back
from edgekit.runtime.pipeline_batch import DetectedFrame

_WAITING = 4
_JUDGED_EVERY = 10  # looks that count
_END_WITHIN_S = 3.0


class Wanted(NamedTuple):
    """A frame to look at. reasons: why it is to be kept, empty where that depends on the look.

    around: objects of the frames next to it. counts: taken by the clock, so that drift may be told by it.
    """

    detected: DetectedFrame
    around: Detections
    reasons: Tuple[str, ...]
    counts: bool
    time_unix_s: float


class Look(NamedTuple):
    """What a picture is like. distance: see DriftWatch; None where the calibration set is not known."""

    described: SceneDescriptor
    strata: Tuple[str, ...]
    distance: Optional[float]


class Looks:
    """Looks at one frame after the other, in a thread of its own that steps back for everyone, while it is entered.

    A look takes a few milliseconds of a small board's core, which the pipeline's thread would be late by.
    """

    def __init__(
        self, detector: DetectorSpec, watch: Optional[DriftWatch], on_look: Callable[[Wanted, Look], None]
    ) -> None:
        """on_look is called by that thread with each frame that was looked at."""
        self.drift: Optional[Drift] = None
        """As of some looks ago; None before there were enough, or without a watch."""
        self.problem = ""
        """Why the latest frame could not be looked at, a sentence; "" if it could."""
        self._detector, self._watch, self._on_look = detector, watch, on_look
        self._counted = 0
        self._queue: queue.Queue[Optional[Wanted]] = queue.Queue(_WAITING)
        self._worker = threading.Thread(target=self._work, name="edgekit-looks", daemon=True)

    def __enter__(self) -> Looks:
        self._worker.start()
        return self

    def __exit__(self, *_: Any) -> None:
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        self._queue.put(None)
        self._worker.join(_END_WITHIN_S)

    def ask(self, wanted: Wanted) -> None:
        """Look at this frame soon. Never waits: a board that is behind lets it go."""
        with suppress(queue.Full):
            self._queue.put_nowait(wanted)

    def _work(self) -> None:
        step_back()  # frames come first
        wanted = self._queue.get()
        while wanted is not None:
            try:
                self._on_look(wanted, self._look(wanted))
                self.problem = ""
            except Exception as error:  # whatever it is, it must not cost the service a frame
                self.problem = f"frames are not looked at: {type(error).__name__}: {error}"
            wanted = self._queue.get()

    def _look(self, wanted: Wanted) -> Look:
        described = described_by(self._detector, wanted.detected)
        strata = strata_of(described, labels=self._detector.labels)
        if self._watch is None:
            return Look(described, strata, None)
        distance = self._watch.distance(descriptor_vector(described))
        if wanted.counts:
            self._watch.look(distance, strata)
            self._counted += 1
            if self._counted % _JUDGED_EVERY == 0:
                self.drift = self._watch.drift()
        return Look(described, strata, round(distance, 3))


def described_by(detector: DetectorSpec, detected: DetectedFrame) -> SceneDescriptor:
    """The descriptor of a frame with the objects in it, as a set's pictures are described."""
    pixels, best = detected.frame.pixels, detector.profile.optimum
    height, width = pixels.shape[:2]
    fit = GEOMETRIES[detector.input.geometry](width, height, best.width, best.height)
    described = describe(cv2.resize(pixels, small_size(width, height), interpolation=cv2.INTER_AREA))
    return with_objects(described, detected.detections, max(fit.scale_x, fit.scale_y))
