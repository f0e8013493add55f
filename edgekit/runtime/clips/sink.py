"""The sink `clips:FOLDER`: frames go to one worker thread, which draws and encodes them. They never wait for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from pathlib import Path
from typing import Deque, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from edgekit.core.events import Event
from edgekit.core.tracking import frame_time_s
from edgekit.errors import EdgekitError
from edgekit.runtime.clips.recorder import Pace, Recorder
from edgekit.runtime.clips.settings import ClipSettings
from edgekit.runtime.clips.store import ClipStore
from edgekit.runtime.frames import Source
from edgekit.runtime.modest import step_back
from edgekit.runtime.pipeline import DetectedFrame
from edgekit.runtime.scaled import annotate_scaled
from edgekit.runtime.uris import Option, SinkAddress, parse_options

_log = logging.getLogger(__name__)

CLIP_EXAMPLE = "clips:FOLDER?quota_mib=1024&before_s=3&after_s=5"

_OPTIONS = {
    "quota_mib": Option(1024, 16, 1 << 20),
    "before_s": Option(3.0, 0.0, 30.0),
    "after_s": Option(5.0, 0.0, 50.0),
    "fps": Option(10.0, 1.0, 30.0),
    "width": Option(960, 160, 1920),
}
# Frames that wait for the worker hold their memory: ten of 1920 x 1080.
_WAITING_BYTES = 64 << 20
_WAITING_EVENTS = 1000
_IDLE_S = 0.5
# A camera that is away gives no frame that would end a clip.
_OVERDUE_S = 1.0
# A service that is to stop has 15 s for all that it does.
_FINISH_LIVE_S = 6.0
_FINISH_S = 120.0
_SAID_FOR_S = 60.0
_LOOK_EVERY_S = 5.0


class _Work(NamedTuple):
    stream: str
    time_s: float
    detected: Optional[DetectedFrame]  # None: events alone
    events: Tuple[Event, ...]

    @property
    def size(self) -> int:
        return self.detected.frame.pixels.nbytes if self.detected is not None else 0


class ClipFolder:
    """Clips around events, of all streams, in one folder.

    For a live source a full queue drops frames, which the clips then lack, and says so; a file waits instead.
    Memory, at most: 64 MiB of frames that wait, and for each stream the JPEGs that Recorder names.
    """

    def __init__(self, target: Path, settings: ClipSettings, labels: Sequence[str], source: Source) -> None:
        """Raises OSError if the folder cannot be written to, UsageError if another process has it."""
        self.target = target
        self._settings = settings
        self._labels = labels
        self._streams: Mapping[str, Source] = {stream.name: stream for stream in source.streams}
        self._live = source.live
        self._store = ClipStore(target, settings.quota_mib << 20)
        self._paces = {name: Pace(settings.fps) for name in self._streams}
        self._recorders: Dict[str, Recorder] = {name: Recorder(name, settings, self._store) for name in self._streams}
        self._queue: Deque[_Work] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._ending = False
        self._dropped, self._dropped_s = 0, float("-inf")
        self._broken = ""
        self._looked_s = float("-inf")
        self._worker = threading.Thread(target=self._work, name="clips", daemon=True)
        self._worker.start()

    @classmethod
    def open(cls, address: SinkAddress, labels: Sequence[str], source: Source) -> ClipFolder:
        """The sink at `clips:FOLDER?option=value`. Raises UsageError for a wrong option, and as the constructor."""
        values = parse_options(f"clips:{address.place}", address.options, _OPTIONS, "sink")
        values["width_px"] = values.pop("width")
        return cls(Path(address.place), ClipSettings(**values), labels, source)

    @property
    def dropped(self) -> int:
        """Frames that clips lack because the worker was too slow."""
        return self._dropped

    @property
    def problems(self) -> Tuple[str, ...]:
        """What keeps clips from being whole, or from being at all."""
        found = [self._broken, self._store.problem, *(recorder.problem for recorder in self._recorders.values())]
        if time.monotonic() - self._dropped_s < _SAID_FOR_S:
            found.append(f"clips lack {self._dropped} frames so far: encoding them takes too long")
        return tuple(dict.fromkeys(filter(None, found)))

    def write(self, detected: DetectedFrame) -> None:
        """Take a frame and its events; at once if the source is live."""
        frame = detected.frame
        stream = self._streams[frame.stream]
        time_s = frame_time_s(frame.index, frame.captured_s, stream.live, stream.fps)
        taken = self._paces[frame.stream].takes(time_s)
        if not taken and not detected.events:
            return
        work = _Work(frame.stream, time_s, detected if taken else None, detected.events)
        with self._changed:
            if not self._live:
                self._changed.wait_for(lambda: self._fits(work) or bool(self._broken))
            if not self._broken:
                self._put(work)

    def finish(self) -> List[str]:
        """Complete the clips with what there is; the folder's path."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._worker.join(_FINISH_LIVE_S if self._live else _FINISH_S)
        return [str(self.target)]

    def abort(self) -> None:
        """As `finish`: a clip that ends early is still a whole clip, and shows what happened before the error."""
        self.finish()

    def _fits(self, work: _Work) -> bool:
        return not self._waiting_bytes or self._waiting_bytes + work.size <= _WAITING_BYTES

    def _put(self, work: _Work) -> None:
        """Queue what there is room for: the frame may have to go, its events hardly ever."""
        if work.detected is not None and not self._fits(work):
            self._dropped, self._dropped_s = self._dropped + 1, time.monotonic()
            work = work._replace(detected=None)
        if work.detected is not None or (work.events and len(self._queue) < _WAITING_EVENTS):
            self._waiting_bytes += work.size
            self._queue.append(work)
            self._changed.notify_all()

    def _take(self, timeout_s: float) -> Optional[_Work]:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queue) or self._ending, timeout_s)
            if not self._queue:
                return None
            work = self._queue.popleft()
            self._waiting_bytes -= work.size
            self._changed.notify_all()
            return work

    def _work(self) -> None:
        step_back()  # frames come first
        try:
            while not (self._ending and not self._queue):
                self._step()
            for recorder in self._recorders.values():
                recorder.finish()
                while recorder.busy:
                    recorder.encode()
        except Exception as error:
            _log.exception("the worker for clips ended")
            self._stop_taking(error.what if isinstance(error, EdgekitError) else f"{type(error).__name__}: {error}")
        finally:
            self._store.close()

    def _stop_taking(self, reason: str) -> None:
        with self._changed:
            self._broken = f"no clips are recorded any more: {reason}"
            self._queue.clear()
            self._changed.notify_all()

    def _step(self) -> None:
        """What waits in the queue holds whole frames, so that comes before encoding."""
        busy = [recorder for recorder in self._recorders.values() if recorder.busy]
        work = self._take(0.0 if busy else _IDLE_S)
        if work is not None:
            self._record(work)
        for recorder in busy[:1] if work is None else ():
            recorder.encode()
        for name, recorder in self._recorders.items():
            if self._streams[name].live:
                recorder.end_by(time.monotonic() - _OVERDUE_S)
        if time.monotonic() - self._looked_s > _LOOK_EVERY_S:
            self._looked_s = time.monotonic()
            self._store.lacks_room()

    def _record(self, work: _Work) -> None:
        recorder = self._recorders[work.stream]
        if work.detected is not None:
            recorder.shoot(work.time_s, annotate_scaled(work.detected, self._labels, self._settings.width_px))
        for event in work.events:
            recorder.note(work.time_s, event)
