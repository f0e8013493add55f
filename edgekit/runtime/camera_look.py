"""One look at one camera, through the same capture as a service's: does a picture come, which, how fast, how soon."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import List, Optional, Sequence

import cv2
import numpy as np

from edgekit.core.camera_condition import BLACK_AFTER_S, FROZEN_AFTER_S, LOOK_EVERY_S
from edgekit.core.camera_failures import name_failure
from edgekit.core.camera_uri import hide_credentials, hide_in_text, parse_camera_uri
from edgekit.core.cameras import BUSY, FAILED, CameraLook
from edgekit.core.service import StreamSettings
from edgekit.errors import EdgekitError
from edgekit.runtime.frames import Frame, Source
from edgekit.runtime.sources import open_source
from edgekit.runtime.v4l2 import holders

_SETTLE_S, _MEASURE_S = 0.3, 1.0  # at first pictures come in a heap
_DARK = 16.0  # mean level, of 255, that asks for a longer look
_READ_BY = "read through "
_JPEG_QUALITY = 90
_BUSY_DETAIL = name_failure("EBUSY").what
_END_S = 2.0


class Look:
    """A look at one camera; `run` it in a thread of its own, since a file on a dead network disk can hang for ever."""

    def __init__(self, camera: StreamSettings, named: bool, folder: Path, wait_s: float) -> None:
        self._camera, self._folder, self._wait_s = camera, folder, wait_s
        self._source: Optional[Source] = None
        self._seen = _Seen()
        self.result = CameraLook(
            camera.name,
            hide_credentials(camera.uri),
            named,
            FAILED,
            f"it did not answer within {wait_s:.0f} s",
        )

    def run(self) -> None:
        """Fill in `result`; raises nothing."""
        self._seen = _Seen()
        try:
            with open_source(self._camera.uri) as self._source:
                self._result(self._watch(self._source))
        except EdgekitError as error:
            self._fail(" ".join([error.what, *(f"({error.why})" for _ in error.why.splitlines()[:1])]))
        except Exception as error:  # of a library on hostile input: the other cameras are to be looked at all the same
            self._fail(f"{type(error).__name__}: {error}")

    def stop(self) -> None:
        """End it soon."""
        if self._source is not None:
            self._source.stop()

    def _watch(self, source: Source) -> Source:
        # One attempt: what a second one would bring, the same command brings.
        source.on_away = lambda reason: source.stop() if _is_lost(source) else None
        timer = threading.Timer(self._wait_s, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            for frame in source:
                self._seen.take(frame)
                if not source.live or self._seen.is_enough(self._wait_s):
                    break
        finally:
            timer.cancel()
        return source

    def _give_up(self) -> None:
        if self._seen.first_s is None:
            self.stop()

    def _result(self, source: Source) -> None:
        condition, seen = source.condition, self._seen
        state, detail = (condition.state, condition.detail) if condition is not None else ("ok", "")
        if seen.last is None or seen.first_s is None:
            nothing = f"no picture came within {self._wait_s:.0f} s" if source.live else "it holds no picture"
            self._fail(self._with_holders(detail or nothing))
            return
        read_by = [note[len(_READ_BY) :] for note in source.notes if note.startswith(_READ_BY)]
        self.result = replace(
            self.result,
            condition=state,
            detail=hide_in_text(detail),
            fps=seen.fps if source.live else source.fps,
            first_picture_s=round(seen.first_s - seen.started_s, 2),
            read_by=read_by[-1] if read_by else "",
            notes=tuple(hide_in_text(note) for note in source.notes if not note.startswith(_READ_BY)),
        )
        self._keep(seen.last)

    def _keep(self, frame: Frame) -> None:
        height, width = frame.pixels.shape[:2]
        self.result = replace(self.result, width_px=width, height_px=height)
        came, data = cv2.imencode(".jpg", frame.pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        name = f"{self._camera.name}.jpg"
        if came:
            (self._folder / name).write_bytes(data.tobytes())
            self.result = replace(self.result, picture=name)

    def _with_holders(self, detail: str) -> str:
        if detail != _BUSY_DETAIL or not self._camera.uri.startswith("v4l2://"):
            return detail
        who = ", ".join(holders(parse_camera_uri(self._camera.uri).place))
        return f"{detail}: {who}" if who else detail

    def _fail(self, text: str) -> None:
        condition = BUSY if text.startswith(_BUSY_DETAIL) else FAILED
        self.result = replace(self.result, condition=condition, detail=hide_in_text(text))


@dataclass
class _Seen:
    """What came of one camera until now."""

    started_s: float = field(default_factory=time.monotonic)
    first_s: Optional[float] = None
    last: Optional[Frame] = None
    dark: bool = False
    unchanged: bool = True
    _times_s: List[float] = field(default_factory=list)

    def take(self, frame: Frame) -> None:
        now_s = time.monotonic()
        if self.first_s is None:
            self.first_s = now_s
        if self.last is not None and self.unchanged:
            self.unchanged = np.array_equal(self.last.pixels, frame.pixels)
        self.dark = float(frame.pixels[::8, ::8].mean()) < _DARK
        self.last = frame
        if now_s - self.first_s >= _SETTLE_S:
            self._times_s.append(frame.captured_s)

    def is_enough(self, longest_s: float) -> bool:
        """True once there is a rate, and a picture that shows nothing has been looked at for as long as that takes."""
        assert self.first_s is not None
        looked_s = time.monotonic() - self.first_s
        needed_s = _SETTLE_S + _MEASURE_S
        if self.dark:  # also where it stands still: a black picture is called black
            needed_s = BLACK_AFTER_S + 2 * LOOK_EVERY_S
        elif self.unchanged:
            needed_s = FROZEN_AFTER_S + 2 * LOOK_EVERY_S
        return looked_s >= needed_s and (self.fps is not None or looked_s >= longest_s)

    @property
    def fps(self) -> Optional[float]:
        """Pictures a second, None before there are two."""
        if len(self._times_s) < 2 or self._times_s[-1] <= self._times_s[0]:
            return None
        return round((len(self._times_s) - 1) / (self._times_s[-1] - self._times_s[0]), 1)


def _is_lost(source: Source) -> bool:
    return source.condition is not None and source.condition.state in ("reconnecting", "stalled")


def look_at_all(looks: Sequence[Look], at_once: int, limit_s: float) -> None:
    """Run all of them, so many at a time. One that hangs is left behind after `limit_s`, as one that did not answer."""
    gate = threading.BoundedSemaphore(at_once)
    done = [threading.Event() for _ in looks]

    def run(look: Look, ended: threading.Event) -> None:
        with gate:
            look.run()
        ended.set()

    deadline_s = time.monotonic() + limit_s * -(-len(looks) // at_once)
    try:
        for arguments in zip(looks, done):
            threading.Thread(target=run, args=arguments, daemon=True).start()
        _wait_for(done, deadline_s)
    finally:
        for look in looks:
            look.stop()
        _wait_for(done, time.monotonic() + _END_S)


def _wait_for(done: Sequence[threading.Event], deadline_s: float) -> None:
    # Not Thread.join: some Pythons take a thread for ended if Ctrl-C comes while they wait for it so.
    for event in done:
        event.wait(max(0.0, deadline_s - time.monotonic()))
