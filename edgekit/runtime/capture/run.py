"""One capture process from its start to its end: how far it came, until when it is waited for, and why it ended."""

from __future__ import annotations

import time
from typing import Callable, Optional

import numpy as np

from edgekit.core.camera_attempts import Patience
from edgekit.core.camera_failures import CameraFailure, name_failure
from edgekit.core.camera_uri import CameraUri
from edgekit.runtime.capture.messages import Picture, Word
from edgekit.runtime.capture.process import CaptureProcess, GoneError

# Kinds of failures of which the libraries may have said more.
_VAGUE = ("other", "ended", "timeout")


class CaptureRun:
    """For one thread at a time; `process.end` must be called. on_note: told what a person should know of the camera."""

    def __init__(self, uri: CameraUri, patience: Patience, on_note: Callable[[str], None]) -> None:
        """Raises OSError where the system has no descriptors, memory or processes left."""
        self._uri, self._patience, self._on_note = uri, patience, on_note
        self.started_s = time.monotonic()
        self.process = CaptureProcess(uri)
        self.first_picture_s: Optional[float] = None
        self._deadline_s = time.monotonic() + patience.start_s
        self._asked = False
        self._paused = False  # nobody had read for so long that what waits may be of long ago
        self._failure: Optional[CameraFailure] = None

    def ask(self, last_picture_s: Optional[float]) -> None:
        """Ask for a picture, unless that was done. last_picture_s: when the camera gave its last one, also before."""
        if self._asked:
            return
        self.process.ask()
        now_s = time.monotonic()
        self._asked = True
        self._paused = now_s - (last_picture_s or now_s) > self._uri.stall_s
        if self.first_picture_s is not None:
            self._deadline_s = now_s + self._uri.stall_s

    def listen(self, longest_s: float) -> Optional[Picture]:
        """The picture that is lent, if one comes within the time. Raises GarbageError and GoneError."""
        found: Optional[Picture] = None
        # Short of the deadline: a stall must not be known a slice too late.
        for message in self.process.listen(min(longest_s, max(0.0, self._deadline_s - time.monotonic()))):
            if isinstance(message, Picture):
                found = message
            else:
                self._hear(message)
        return found

    def take(self, picture: Picture) -> np.ndarray:
        """Its pixels, (H, W, 3) uint8 BGR. Raises GarbageError for a picture that was there before."""
        pixels = self.process.take(picture)
        self._asked = False
        return pixels

    def is_stale(self, captured_s: float, now_s: float) -> bool:
        """True for a picture from before a pause of whoever reads: the camera stood still meanwhile."""
        return self._paused and now_s - captured_s > self._uri.stall_s

    def why_gone(self, error: GoneError) -> CameraFailure:
        """Why it ended: by its own words, by those of the libraries, or by how it ended."""
        return self._failure or self._explain(str(error))

    def overdue(self) -> Optional[CameraFailure]:
        """What it means if nothing came until now; None while there is time."""
        now_s = time.monotonic()
        if now_s <= self._deadline_s:
            return None
        if self.first_picture_s is not None:
            return CameraFailure("stall", f"no picture for {self._uri.stall_s:g} s")
        explained = self._explain("")
        if explained.kind != "other":
            return explained
        return CameraFailure("timeout", f"no picture within {now_s - self.started_s:.0f} s of connecting")

    def _hear(self, word: Word) -> None:
        now_s = time.monotonic()
        text = self._uri.without_secrets(word.text)
        if word.kind == "opening":
            self._deadline_s = now_s + self._patience.open_s
        elif word.kind == "connected":
            self._deadline_s = now_s + self._patience.first_s
        elif word.kind == "failed":
            said = self._explain("") if word.failure in _VAGUE else None
            self._failure = said if said and said.kind not in _VAGUE else CameraFailure(word.failure, text)
        else:
            self._on_note(text)

    def _explain(self, text: str) -> CameraFailure:
        """What the libraries wrote, if it can be named, else the text."""
        named = name_failure(self._uri.without_secrets(self.process.output_tail))
        return named if named.kind != "other" else CameraFailure("other", text)
