"""What one stream records: the seconds before any event in a ring of JPEGs, and a clip around those that come."""

from __future__ import annotations

import json
import logging
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Deque, List, NamedTuple, Optional

import cv2
import numpy as np

from edgekit.core.events import Event
from edgekit.core.wire import to_wire
from edgekit.errors import DeviceError
from edgekit.runtime.clips.settings import LONGEST_S, ClipSettings
from edgekit.runtime.clips.store import ClipStore
from edgekit.runtime.clips.video import ClipVideo

_log = logging.getLogger(__name__)

_JPEG_QUALITY = 85
# Pictures that wait for the encoder beside those of the ring. More than these, and it is the encoder's turn.
_MOST_WAITING = 64
_CHECK_ROOM_EVERY_S = 1.0
# Less is a camera whose clock was set anew when it came back.
_BEGINS_AGAIN_S = 1.0


class Shot(NamedTuple):
    """An annotated picture as JPEG, and when it was taken."""

    time_s: float
    jpeg: bytes


class Pace:
    """Which frames of a stream to take: `fps` a second on average, as evenly as they come."""

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._due_s: Optional[float] = None

    def takes(self, time_s: float) -> bool:
        """Whether to take the frame of this moment."""
        late_s = 0.0 if self._due_s is None else time_s - self._due_s
        # A camera of just this rate trembles around it.
        if late_s < -0.25 * self._period_s and late_s > -2 * self._period_s:
            return False
        on_time = self._due_s is not None and abs(late_s) < self._period_s
        self._due_s = (self._due_s if on_time and self._due_s is not None else time_s) + self._period_s
        return True


@dataclass
class _Clip:
    """A clip that is being made: its pictures wait in `waiting` until they are encoded."""

    stem: str
    began_s: float
    end_s: float
    video: ClipVideo
    events: List[Event] = field(default_factory=list)
    waiting: Deque[Shot] = field(default_factory=deque)
    open: bool = True  # for more pictures
    checked_s: float = 0.0
    first_s: Optional[float] = None


class Recorder:
    """The clips of one stream. One thread uses it: it gives shots and events in order, and calls `encode` in between.

    Memory: before_s of JPEGs in the ring, and once more as many and 64 that wait for the encoder.
    """

    def __init__(self, stream: str, settings: ClipSettings, store: ClipStore) -> None:
        self.problem = ""
        """What went wrong with the latest clip; "" if nothing did. For want of room, see ClipStore.problem."""
        self._stream = stream
        self._settings = settings
        self._store = store
        self._ring: Deque[Shot] = deque(maxlen=settings.ring_frames)
        self._clips: Deque[_Clip] = deque()
        self._latest_s: Optional[float] = None

    @property
    def busy(self) -> bool:
        """True while `encode` has something to do."""
        return any(clip.waiting or not clip.open for clip in self._clips)

    @property
    def recording(self) -> bool:
        """True while a clip takes pictures."""
        return bool(self._clips) and self._clips[-1].open

    def shoot(self, time_s: float, picture: np.ndarray) -> None:
        """One more picture (H, W, 3) uint8 BGR."""
        time_s = self._move_to(time_s)
        good, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not good:
            raise DeviceError("a picture could not be encoded as JPEG")
        shot = Shot(time_s, data.tobytes())
        self._ring.append(shot)
        if self.recording:
            self._clips[-1].waiting.append(shot)
        while sum(len(clip.waiting) for clip in self._clips) > self._settings.ring_frames + _MOST_WAITING:
            self.encode()

    def note(self, time_s: float, event: Event) -> None:
        """Something happened: a clip of it begins, or the one that is being made goes on for longer."""
        time_s = self._move_to(time_s)
        if not self.recording:
            self._begin(time_s, event)
        if self.recording:
            clip = self._clips[-1]
            clip.events.append(event)
            clip.end_s = min(max(clip.end_s, time_s + self._settings.after_s), clip.began_s + LONGEST_S)

    def end_by(self, now_s: float) -> None:
        """Close what should be over by now, on the clock of the shots: no picture may come any more."""
        if self.recording and now_s > self._clips[-1].end_s:
            self._clips[-1].open = False

    def encode(self) -> Optional[Path]:
        """Do one picture's work, the oldest first; the path of a clip that is complete with it."""
        if not self._clips:
            return None
        clip = self._clips[0]
        try:
            if clip.waiting:
                self._encode_next(clip)
            elif not clip.open:
                self._clips.popleft()
                return self._complete(clip)
        except (DeviceError, OSError, cv2.error) as error:
            self._give_up(clip, error)
        return None

    def finish(self) -> None:
        """No more pictures come: what is being made ends here. `encode` does the rest."""
        if self.recording:
            self._clips[-1].open = False

    def _move_to(self, time_s: float) -> float:
        """What is now by the frames; it never goes back but for a file that begins again."""
        if self._latest_s is not None and time_s < self._latest_s - _BEGINS_AGAIN_S:
            self.finish()
            self._ring.clear()
        elif self._latest_s is not None:
            time_s = max(time_s, self._latest_s)
        self._latest_s = time_s
        while self._ring and self._ring[0].time_s < time_s - self._settings.before_s:
            self._ring.popleft()
        self.end_by(time_s)
        return time_s

    def _begin(self, time_s: float, event: Event) -> None:
        if self._store.lacks_room():
            return
        try:
            stem = self._store.begin(event)
        except OSError as error:
            self.problem = _sentence(error)
            return
        video = ClipVideo(self._store.unfinished(stem, "mp4"), self._settings.fps)
        began_s = self._ring[0].time_s if self._ring else time_s
        clip = _Clip(stem, began_s, time_s + self._settings.after_s, video)
        clip.waiting.extend(self._ring)
        self._clips.append(clip)

    def _encode_next(self, clip: _Clip) -> None:
        shot = clip.waiting.popleft()
        picture = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise DeviceError("a JPEG of ours could not be decoded")
        clip.video.add(shot.time_s, picture)
        clip.first_s = shot.time_s if clip.first_s is None else clip.first_s
        if shot.time_s - clip.checked_s >= _CHECK_ROOM_EVERY_S:
            clip.checked_s = shot.time_s
            if self._store.lacks_room():
                clip.open = False
                clip.waiting.clear()

    def _complete(self, clip: _Clip) -> Path:
        clip.video.finish()
        path = self._store.complete(clip.stem, _description(clip, self._stream, self._settings.fps))
        self.problem = ""
        return path

    def _give_up(self, clip: _Clip, error: Exception) -> None:
        self.problem = _sentence(error)
        _log.warning("%s", self.problem)
        clip.video.close()
        clip.waiting.clear()
        self._clips = deque(each for each in self._clips if each is not clip)
        self._store.drop(clip.stem)


def _description(clip: _Clip, stream: str, fps: float) -> str:
    """What lies beside the video as JSON. Offsets of events are seconds of the video."""
    first_s = clip.first_s or 0.0
    record = {
        "stream": stream,
        "frames": clip.video.frames,
        "fps": fps,
        "duration_s": round(clip.video.frames / fps, 3),
        "codec": clip.video.codec,
        "events": [{**to_wire(event), "at_s": round(max(0.0, event.time_s - first_s), 3)} for event in clip.events],
        "schema": 1,
    }
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _sentence(error: Exception) -> str:
    what = error.what if isinstance(error, DeviceError) else str(error)
    why = f": {error.why}" if isinstance(error, DeviceError) and error.why else ""
    return f"a clip could not be recorded: {what}{why}"
