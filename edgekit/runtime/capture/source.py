"""A live camera as a source of frames, which comes back by itself from whatever stops it.

Each camera has a capture process; when that ends, stalls or talks nonsense, it is killed and another one started. All
of it happens in the thread that reads the source, so a camera costs no thread of its own, and no lock of another's.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

import numpy as np

from edgekit.core.backoff import retry_delay_s
from edgekit.core.camera_condition import Condition, PictureWatch
from edgekit.core.camera_failures import CameraFailure, name_failure
from edgekit.core.camera_uri import CameraUri, parse_camera_uri
from edgekit.errors import SourceError
from edgekit.runtime.capture.messages import Picture, Word
from edgekit.runtime.capture.process import CaptureProcess, GarbageError, GoneError
from edgekit.runtime.frames import Frame, Source

# How long a reader sleeps before it looks whether it is to stop.
_SLICE_S = 0.1
_SAY_EVERY_S = 1.0
_AWAY = ("connecting", "stalled", "reconnecting")
_STABLE_S = 5.0
_NOTES_KEPT = 20


@dataclass(frozen=True)
class Patience:
    """How long a capture process may take, in seconds, before it is killed.

    start_s: until it has loaded its libraries; GStreamer's first start looks through all its plugins. open_s: from then
    to the camera's answer. first_s: from there to a picture, which waits for the stream's next key frame.
    """

    start_s: float = 20.0
    open_s: float = 6.0
    first_s: float = 15.0
    close_s: float = 1.0


@dataclass
class _Run:
    """One capture process and how far it came."""

    process: CaptureProcess
    started_s: float
    deadline_s: float
    first_picture_s: Optional[float] = None
    asked: bool = False
    paused: bool = False  # nobody had read for so long that what waits may be of long ago
    failure: Optional[CameraFailure] = None


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
    ) -> None:
        super().__init__()
        self.uri = uri
        self.fps = uri.fps
        self.restarts = 0
        self.replaced = 0  # pictures that a newer one replaced before they were asked for
        self._on_change = on_change
        self._patience = patience or Patience()
        self._chance = chance or random.Random()
        self._reading = threading.Lock()
        self._condition = Condition("connecting", time.monotonic())
        self._watch = PictureWatch(_size_of(uri))
        self._run: Optional[_Run] = None
        self._start_at_s = 0.0
        self._failures = 0
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
        if self.on_away is None or self._condition.state not in _AWAY or now_s - self._said_s < _SAY_EVERY_S:
            return
        self._said_s = now_s
        detail = f": {self._condition.detail}" if self._condition.detail else ""
        self.on_away(f"{self.uri} is {self._condition.state}{detail}")

    def _advance(self) -> Optional[Frame]:
        """One step: start, ask, listen for a moment, or end what does not answer."""
        now_s = time.monotonic()
        if self._run is None:
            if now_s < self._start_at_s:
                time.sleep(min(_SLICE_S, self._start_at_s - now_s))
                return None
            try:
                self._run = self._start(now_s)
            except OSError as error:
                self._wait_to_retry(CameraFailure("system", f"no capture process can be started: {error}"), now_s)
                return None
        run = self._run
        self._ask(run)
        try:
            frame = self._listen(run)
        except GarbageError as error:
            self._lose(CameraFailure("garbage", f"the capture process sent garbage: {error}"))
            return None
        except GoneError as error:
            self._lose(run.failure or self._explain(str(error)))
            return None
        if frame is None and time.monotonic() > run.deadline_s:
            self._lose(self._overdue(run))
        return frame

    def _start(self, now_s: float) -> _Run:
        if self._condition.state == "stalled":
            self._change("reconnecting", self._condition.since_s, self._condition.detail)
        self._last_sequence = 0
        self._watch.forget_picture()
        return _Run(CaptureProcess(self.uri), now_s, time.monotonic() + self._patience.start_s)

    def _ask(self, run: _Run) -> None:
        if run.asked:
            return
        run.process.ask()
        now_s = time.monotonic()
        run.asked, run.paused = True, now_s - (self._last_picture_s or now_s) > self.uri.stall_s
        if run.first_picture_s is not None:
            run.deadline_s = now_s + self.uri.stall_s

    def _listen(self, run: _Run) -> Optional[Frame]:
        found: Optional[Frame] = None
        # Short of the deadline: a stall must not be known a slice too late.
        wait_s = min(_SLICE_S, max(0.0, run.deadline_s - time.monotonic()))
        for message in run.process.listen(wait_s):
            if isinstance(message, Picture):
                found = self._take(run, message)
            else:
                self._hear(run, message)
        return found

    def _hear(self, run: _Run, word: Word) -> None:
        now_s = time.monotonic()
        if word.kind == "opening":
            run.deadline_s = now_s + self._patience.open_s
        elif word.kind == "connected":
            run.deadline_s = now_s + self._patience.first_s
        elif word.kind == "failed":
            run.failure = CameraFailure(word.failure, self.uri.without_secrets(word.text))
            if word.failure in ("other", "ended", "timeout"):  # the libraries may have said more
                said = self._explain("")
                run.failure = said if said.kind not in ("other", "ended", "timeout") else run.failure
        else:
            self._note(self.uri.without_secrets(word.text))

    def _take(self, run: _Run, picture: Picture) -> Optional[Frame]:
        started_s = time.monotonic()
        pixels = run.process.take(picture)
        now_s = time.monotonic()
        captured_s = min(picture.captured_ns / 1e9, now_s)
        run.asked = False
        if run.paused and now_s - captured_s > self.uri.stall_s:
            self._last_picture_s = now_s
            return None  # the camera stood still while nobody read
        self._count(run, picture, now_s)
        self._look(pixels, now_s)
        name = f"{self.name or self.uri.scheme}-{self._index:06d}"
        frame = Frame(pixels, self._index, captured_s, name, (now_s - started_s) * 1e3, stream=self.name)
        self._index += 1
        return frame

    def _count(self, run: _Run, picture: Picture, now_s: float) -> None:
        self.replaced += max(0, picture.sequence - self._last_sequence - 1)
        self._last_sequence = picture.sequence
        self._last_picture_s = now_s
        if run.first_picture_s is None:
            run.first_picture_s = now_s
        elif now_s - run.first_picture_s > _STABLE_S:
            self._failures = 0

    def _look(self, pixels: np.ndarray, now_s: float) -> None:
        self.size = (pixels.shape[1], pixels.shape[0])
        seen = self._watch.see(pixels, now_s)
        if seen.state != self._condition.state:
            self._change(seen.state, seen.since_s, seen.detail)

    def _lose(self, failure: CameraFailure) -> None:
        """End what runs and choose when to try again. Raises SourceError where that is useless."""
        run = self._run
        assert run is not None
        self._run = None
        # A daemon keeps a CSI sensor that its client did not give back.
        run.process.end(self._patience.close_s if self.uri.scheme == "csi" else 0.0)
        if failure.kind == "missing element" and self._last_picture_s is None:
            raise SourceError(f"{self.uri} cannot be read on this machine", why=failure.what)
        self._wait_to_retry(failure, run.started_s)
        if run.first_picture_s is not None:
            # It may have been due long ago; cameras that were lost together must still not come back at once.
            self._start_at_s = max(self._start_at_s, time.monotonic() + retry_delay_s(1, self._chance))

    def _wait_to_retry(self, failure: CameraFailure, started_s: float) -> None:
        """Delays count from start to start: an attempt that hung has waited already."""
        self._failures += 1
        self.restarts += 1
        # A name that was known before is a name server that is away, or a damaged answer.
        slow = failure.is_slow and (failure.kind == "password" or self._last_picture_s is None)
        delay_s = retry_delay_s(self._failures, self._chance, slow)
        self._start_at_s = max(time.monotonic(), started_s + delay_s)
        state = "stalled" if failure.kind == "stall" else "reconnecting"
        self._change(state, self._trouble_since_s(), failure.what)

    def _trouble_since_s(self) -> float:
        if self._condition.state in ("connecting", "stalled", "reconnecting"):
            return self._condition.since_s
        return self._last_picture_s or self._condition.since_s

    def _overdue(self, run: _Run) -> CameraFailure:
        if run.first_picture_s is not None:
            return CameraFailure("stall", f"no picture for {self.uri.stall_s:g} s")
        explained = self._explain("")
        if explained.kind != "other":
            return explained
        return CameraFailure("timeout", f"no picture within {time.monotonic() - run.started_s:.0f} s of connecting")

    def _explain(self, text: str) -> CameraFailure:
        """What the libraries wrote, if it can be named, else the text."""
        run = self._run
        tail = self.uri.without_secrets(run.process.output_tail) if run else ""
        named = name_failure(tail)
        return named if named.kind != "other" else CameraFailure("other", text)

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
    return CameraSource(parse_camera_uri(uri), _say)


def _say(uri: CameraUri, condition: Condition) -> None:
    sys.stderr.write(f"{uri}: {condition.state}{': ' if condition.detail else ''}{condition.detail}\n")
    sys.stderr.flush()


def _size_of(uri: CameraUri) -> Optional[Tuple[int, int]]:
    if uri.width_px is None or uri.height_px is None:
        return None
    turned = uri.flip in ("clockwise", "counterclockwise")
    return (uri.height_px, uri.width_px) if turned else (uri.width_px, uri.height_px)
