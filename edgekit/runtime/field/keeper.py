"""Between a service and its kept frames: one worker blurs, encodes and writes. No frame ever waits for it."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from edgekit.core.collecting import CollectSettings
from edgekit.core.detections import Detections
from edgekit.core.field import KeptFrame, KeptObject
from edgekit.core.scene_descriptor import SceneDescriptor
from edgekit.errors import DeviceError, EdgekitError
from edgekit.runtime.field.blur import blurred
from edgekit.runtime.field.store import FieldStore, nothing_is
from edgekit.runtime.modest import step_back
from edgekit.runtime.say import say

JPEG_QUALITY = 95
# Frames that wait hold their memory: ten of 1920 x 1080.
_WAITING_BYTES = 64 << 20
_MOST_WAITING = 16
# A service that is to stop has 15 s for all that it does.
_FINISH_S = 3.0


@dataclass(frozen=True)
class Draft:
    """What is known of a frame that is to be kept.

    stream, reasons, strata, described, drift, time_unix_s: as in KeptFrame. around: objects of the frames before and
    after, boxes in this frame's pixels. They are blurred too where their class is: an object that flickers is missing
    from the frame's own detections.
    """

    stream: str
    reasons: Tuple[str, ...]
    strata: Tuple[str, ...]
    described: SceneDescriptor
    drift: Optional[float]
    time_unix_s: float
    around: Optional[Detections] = None


class _Waiting(NamedTuple):
    pixels: np.ndarray
    detections: Detections
    draft: Draft


class Keeper:
    """Keeps the frames that it is offered, in a folder of one service, while it is entered.

    A full disk, a folder that cannot be written to or that another process has are told by `problems`; frames are then
    let go. Nothing of it reaches the service.
    """

    def __init__(
        self,
        folder: Path,
        settings: CollectSettings,
        labels: Sequence[str],
        *,
        service: str,
        engine_id: str,
        is_unseen: Callable[[str], bool] = nothing_is,
    ) -> None:
        """labels: the detector's class names. is_unseen: see FieldStore; the worker calls it."""
        self._store = FieldStore(folder, settings, is_unseen)
        self._settings = settings
        self._labels = tuple(labels)
        self._service, self._engine_id = service, engine_id
        self._blur_ids = [number for number, label in enumerate(labels) if label in settings.blur]
        self._opened = False
        self._problem = _lacking(settings, labels)
        self._refuses = bool(self._problem)
        self._added = 0
        self._reasons: Counter[str] = Counter()
        self._queue: Deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._worker = threading.Thread(target=self._work, name="edgekit-field", daemon=True)

    @property
    def kept(self) -> int:
        """Frames on the disk."""
        return self._store.kept

    @property
    def kept_mib(self) -> float:
        """What they take there."""
        return round(self._store.kept_mib, 2)

    @property
    def added(self) -> int:
        """Frames that this keeper wrote."""
        return self._added

    @property
    def removed(self) -> int:
        """Frames that went for room, since this keeper began."""
        return self._store.removed

    @property
    def reasons(self) -> Dict[str, int]:
        """Reason -> frames added for it; one frame may have several."""
        with self._changed:
            return dict(self._reasons)

    @property
    def problems(self) -> List[str]:
        """Why frames are let go, until one could be kept."""
        return [self._problem] if self._problem else []

    def offer(self, pixels: np.ndarray, detections: Detections, frame: Draft) -> bool:
        """Keep a frame if there is time: True if it waits for the worker now. This itself never waits for the disk.

        pixels (H, W, 3) uint8 BGR are not copied. detections: the frame's, boxes in its pixels.
        """
        with self._changed:
            if self._ended or self._refuses or not self._fits(pixels):
                return False
            self._queue.append(_Waiting(pixels, detections, frame))
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Finish what waits, within a few seconds, and let another process have the folder."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._worker.is_alive():
            self._worker.join(_FINISH_S)
        with self._changed:
            self._queue.clear()

    def __enter__(self) -> Keeper:
        self._worker.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _fits(self, pixels: np.ndarray) -> bool:
        waiting_bytes = sum(waiting.pixels.nbytes for waiting in self._queue)
        room = len(self._queue) < _MOST_WAITING and waiting_bytes + pixels.nbytes <= _WAITING_BYTES
        return room or not self._queue

    def _take(self) -> Optional[_Waiting]:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queue) or self._ended)
            return self._queue.popleft() if self._queue else None

    def _work(self) -> None:
        step_back()  # frames come first
        if self._refuses:
            say(self._problem)
            return
        self._attempt(self._open)
        try:
            waiting = self._take()
            while waiting is not None:
                self._attempt(self._keep, waiting)
                waiting = self._take()
        finally:
            if self._opened:
                self._store.__exit__()

    def _attempt(self, step: Callable[..., None], *arguments: Any) -> None:
        """Take a step; what comes in its way is a problem to be told, of whatever kind it is."""
        try:
            step(*arguments)
        except Exception as error:
            problem = f"frames are not kept: {self._in_words(error)}"
            if not self._problem:
                say(problem)
            self._problem = problem
        else:
            self._problem = ""

    def _in_words(self, error: Exception) -> str:
        if isinstance(error, EdgekitError):
            return ": ".join(filter(None, (error.what, error.why)))
        if isinstance(error, OSError):
            return f"{self._store.folder} cannot be written: {error.strerror or error}"
        return f"{type(error).__name__}: {error}"

    def _open(self) -> None:
        self._store.__enter__()
        self._opened = True
        if self._store.swept:
            say(f"{len(self._store.swept)} files of frames that were not kept to the end are removed")

    def _keep(self, waiting: _Waiting) -> None:
        if not self._opened:
            self._open()
        jpeg, frame = self._made(waiting)
        if self._store.add(jpeg, frame):
            with self._changed:
                self._added += 1
                self._reasons.update(frame.reasons)

    def _made(self, waiting: _Waiting) -> Tuple[bytes, KeptFrame]:
        """The files of a frame."""
        pixels, detections, draft = waiting
        boxes_xyxy = self._boxes_to_blur(detections, draft.around)
        written, encoded = cv2.imencode(".jpg", blurred(pixels, boxes_xyxy), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not written:
            raise DeviceError(f"a picture of {pixels.shape} cannot be encoded as JPEG")
        jpeg = encoded.tobytes()
        return jpeg, KeptFrame(
            sha256=hashlib.sha256(jpeg).hexdigest(),
            bytes=len(jpeg),
            width_px=pixels.shape[1],
            height_px=pixels.shape[0],
            stream=draft.stream,
            reasons=draft.reasons,
            strata=draft.strata,
            described=draft.described,
            objects=objects_of(detections, self._labels),
            drift=draft.drift,
            time_unix_s=draft.time_unix_s,
            service=self._service,
            engine_id=self._engine_id,
            blurred=len(boxes_xyxy),
        )

    def _boxes_to_blur(self, detections: Detections, around: Optional[Detections]) -> np.ndarray:
        seen = [detections] if around is None else [detections, around]
        return np.concatenate([each.boxes_xyxy[np.isin(each.class_ids, self._blur_ids)] for each in seen])


def objects_of(detections: Detections, labels: Sequence[str]) -> Tuple[KeptObject, ...]:
    """What a frame's JSON says of the objects in it."""
    return tuple(
        KeptObject(record.get("label", str(record["class_id"])), record["score"], tuple(record["box_xyxy"]))
        for record in detections.to_records(labels)
    )


def _lacking(settings: CollectSettings, labels: Sequence[str]) -> str:
    """Why no frame may be kept at all: what is to be blurred must be seen by the detector. "" if it is."""
    unknown = [label for label in settings.blur if label not in labels]
    if not unknown:
        return ""
    return f"frames are not kept: {', '.join(unknown)} should be blurred, and this detector does not find that"
