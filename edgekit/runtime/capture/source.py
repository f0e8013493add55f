"""A live camera as a source of frames, which comes back by itself from whatever stops it.

Each camera has a capture process; when that ends, stalls or talks nonsense, it is killed and another one started. All
of it happens in the thread that reads the source, so a camera costs no thread of its own, and no lock of another's.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Callable, List, Optional, Tuple

import numpy as np

from edgekit.core.camera_attempts import Attempts, Patience
from edgekit.core.camera_condition import Condition, PictureWatch
from edgekit.core.camera_failures import CameraFailure
from edgekit.core.camera_uri import CameraUri, parse_camera_uri
from edgekit.errors import SourceError
from edgekit.runtime.argus import ASK_AFTER_S, MENDED, argus_heal
from edgekit.runtime.capture.messages import Picture
from edgekit.runtime.capture.process import GarbageError, GoneError
from edgekit.runtime.capture.run import CaptureRun
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.say import say

# How long a reader sleeps before it looks whether it is to stop.
_SLICE_S = 0.1
_SAY_EVERY_S = 1.0
_NOTES_KEPT = 20


class CameraSource(Source):
    """Frames of a live camera, the latest at each turn; it ends when stopped, never by itself.

    Frame.captured_s is when the camera's packet or picture arrived, so that age includes decoding. on_change is called
    in the reading thread whenever the state of `condition` changes. Raises SourceError only where this machine can
    never read such a camera.
    """

    live = True

    def __init__(
        self,
        uri: CameraUri,
        on_change: Optional[Callable[[CameraUri, Condition], None]] = None,
        patience: Optional[Patience] = None,
        chance: Optional[random.Random] = None,
        heal: Optional[Callable[[str], object]] = None,
    ) -> None:
        """heal: told why when capture processes alone did not bring the camera back; again after each further one."""
        super().__init__()
        self.uri = uri
        self.fps = uri.fps
        self.restarts = 0
        self.replaced = 0  # pictures that a newer one replaced before they were asked for
        self._on_change = on_change
        self._patience = patience or Patience()
        self._attempts = Attempts(chance or random.Random())
        self._heal = heal
        self._reading = threading.Lock()
        self._condition = Condition("connecting", time.monotonic())
        self._watch = PictureWatch(_size_of(uri))
        self._run: Optional[CaptureRun] = None
        self._last_sequence = 0
        self._last_picture_s: Optional[float] = None
        self._said_s = 0.0
        passed_on = ", ".join(uri.passed_on)
        self._notes: List[str] = [f"passed on to the camera: {passed_on}"] if passed_on else []

    @property
    def condition(self) -> Condition:
        """How the camera fares. Any thread may ask; it is as new as the last look of the thread that reads."""
        return self._condition

    @property
    def notes(self) -> Tuple[str, ...]:
        """By what it is read, and how often it had to be started again."""
        again = () if not self.restarts else (f"started again {self.restarts} times",)
        return (*self._notes, *again)

    @property
    def pid(self) -> Optional[int]:
        """Of the capture process, None between two of them."""
        run = self._run
        return run.process.pid if run else None

    def __next__(self) -> Frame:
        """The latest frame, once there is one that was not handed out before; waits as long as that takes."""
        with self._reading:
            while not self._stopped:
                frame = self._advance()
                if frame is not None:
                    return frame
                self._say_away()
        raise StopIteration

    def close(self) -> None:
        """End the capture process. A thread that reads meanwhile is sent to its end first."""
        self._stopped = True
        with self._reading:
            if self._run is not None:
                self._run.process.end(self._patience.close_s)
                self._run = None

    def _say_away(self) -> None:
        now_s = time.monotonic()
        if self.on_away is None or not self._condition.is_away or now_s - self._said_s < _SAY_EVERY_S:
            return
        self._said_s = now_s
        detail = f": {self._condition.detail}" if self._condition.detail else ""
        self.on_away(f"{self.uri} is {self._condition.state}{detail}")

    def _advance(self) -> Optional[Frame]:
        """One step: start, ask, listen for a moment, or end what does not answer."""
        run = self._run or self._start()
        if run is None:
            return None
        run.ask(self._last_picture_s)
        try:
            picture = run.listen(_SLICE_S)
            if picture is not None:
                return self._take(run, picture)
        except GarbageError as error:
            self._lose(run, CameraFailure("garbage", f"the capture process sent garbage: {error}"))
            return None
        except GoneError as error:
            self._lose(run, run.why_gone(error))
            return None
        overdue = run.overdue()
        if overdue is not None:
            self._lose(run, overdue)
        return None

    def _start(self) -> Optional[CaptureRun]:
        """A new capture process, if one is due and can be had."""
        now_s = time.monotonic()
        if now_s < self._attempts.next_s:
            time.sleep(min(_SLICE_S, self._attempts.next_s - now_s))
            return None
        if self._condition.state == "stalled":
            self._change("reconnecting", self._condition.since_s, self._condition.detail)
        self._last_sequence = 0
        self._watch.forget_picture()
        try:
            self._run = CaptureRun(self.uri, self._patience, self._note)
        except OSError as error:
            self._wait_to_retry(CameraFailure("system", f"no capture process can be started: {error}"), now_s)
        return self._run

    def _take(self, run: CaptureRun, picture: Picture) -> Optional[Frame]:
        started_s = time.monotonic()
        pixels = run.take(picture)
        now_s = time.monotonic()
        captured_s = min(picture.captured_ns / 1e9, now_s)
        if run.is_stale(captured_s, now_s):
            self._last_picture_s = now_s
            return None
        self._count(run, picture, now_s)
        self._look(pixels, now_s)
        name = f"{self.name or self.uri.scheme}-{self._index:06d}"
        frame = Frame(pixels, self._index, captured_s, name, (now_s - started_s) * 1e3, stream=self.name)
        self._index += 1
        return frame

    def _count(self, run: CaptureRun, picture: Picture, now_s: float) -> None:
        self.replaced += max(0, picture.sequence - self._last_sequence - 1)
        self._last_sequence = picture.sequence
        self._last_picture_s = now_s
        if run.first_picture_s is None:
            run.first_picture_s = now_s
        self._attempts.picture(run.first_picture_s, now_s)

    def _look(self, pixels: np.ndarray, now_s: float) -> None:
        self.size = (pixels.shape[1], pixels.shape[0])
        seen = self._watch.see(pixels, now_s)
        if seen.state != self._condition.state:
            self._change(seen.state, seen.since_s, seen.detail)

    def _lose(self, run: CaptureRun, failure: CameraFailure) -> None:
        """End what runs and choose when to try again. Raises SourceError where that is useless."""
        self._run = None
        # A daemon keeps a CSI sensor that its client did not give back.
        run.process.end(self._patience.close_s if self.uri.scheme == "csi" else 0.0)
        if failure.kind == "missing element" and self._last_picture_s is None:
            raise SourceError(f"{self.uri} cannot be read on this machine", why=failure.what)
        self._wait_to_retry(failure, run.started_s, gave_picture=run.first_picture_s is not None)

    def _wait_to_retry(self, failure: CameraFailure, started_s: float, *, gave_picture: bool = False) -> None:
        self.restarts += 1
        ever_gave = self._last_picture_s is not None
        self._attempts.fail(failure, started_s, time.monotonic(), gave_picture=gave_picture, ever_gave=ever_gave)
        state = "stalled" if failure.kind == "stall" else "reconnecting"
        self._change(state, self._trouble_since_s(), failure.what)
        nothing_s = time.monotonic() - self._condition.since_s
        again = self._attempts.failures > 1
        if self._heal is not None and again and failure.kind in MENDED and nothing_s >= ASK_AFTER_S:
            self._heal(f"{self.uri} gave nothing for {nothing_s:.0f} s: {failure.what}")

    def _trouble_since_s(self) -> float:
        if self._condition.is_away:
            return self._condition.since_s
        return self._last_picture_s or self._condition.since_s

    def _change(self, state: str, since_s: float, detail: str) -> None:
        changed = (state, detail) != (self._condition.state, self._condition.detail)
        self._condition = Condition(state, since_s, detail)
        if changed and self._on_change is not None:
            self._on_change(self.uri, self._condition)

    def _note(self, text: str) -> None:
        if text not in self._notes and len(self._notes) < _NOTES_KEPT:
            self._notes.append(text)


def open_camera(uri: str, rest: str) -> Source:
    """The source of `csi://`, `v4l2://` or `rtsp://`; changes of its condition go to standard error, a line each."""
    camera = parse_camera_uri(uri)
    return CameraSource(camera, _say, heal=argus_heal().ask if camera.scheme == "csi" else None)


def _say(uri: CameraUri, condition: Condition) -> None:
    say(": ".join(filter(None, (str(uri), condition.state, condition.detail))))


def _size_of(uri: CameraUri) -> Optional[Tuple[int, int]]:
    if uri.width_px is None or uri.height_px is None:
        return None
    turned = uri.flip in ("clockwise", "counterclockwise")
    return (uri.height_px, uri.width_px) if turned else (uri.width_px, uri.height_px)
