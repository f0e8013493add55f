"""What counted frames bring, kept in memory that does not grow with their number: a soak lasts for days."""

from __future__ import annotations

from array import array
from typing import Dict, Tuple

from edgekit.core.latency_digest import LatencyDigest
from edgekit.core.stats import LatencySummary, Rate, rate_of_progress, window_rates
from edgekit.errors import UsageError
from edgekit.runtime.pipeline import DetectedFrame

# Moments kept of one run: far more than windows need.
_MOMENTS = 20_000
_FLUSH_AT = 8192
_COLUMNS = ("capture", "preprocess", "inference", "decode", "host", "end_to_end")


class Progress:
    """How many frames were finished by when, on a clock that stands still between slices."""

    def __init__(self, for_s: float) -> None:
        """for_s: about how long it will run."""
        self._step_s = for_s / _MOMENTS
        self._times_s, self._done = array("d", [0.0]), array("q", [0])
        self.measured_s = 0.0
        self.frames = 0

    def add(self, took_s: float, frames: int) -> None:
        """So many more frames were finished, so much later."""
        self.measured_s += took_s
        self.frames += frames
        if self.measured_s - self._times_s[-1] >= self._step_s:
            self._times_s.append(self.measured_s)
            self._done.append(self.frames)

    def rate(self) -> Rate:
        """Raises UsageError if it was too short for a rate."""
        rate = rate_of_progress(self._times_s, self._done)
        if rate is None:
            raise UsageError(f"only {self.frames} frames were measured", hint="measure for longer")
        return rate

    def window_fps(self) -> Tuple[float, ...]:
        """Of each window that the rate's interval is made of."""
        return window_rates(self._times_s, self._done)


class FrameTimes:
    """The stages' times of counted frames, and their ages from capture to detections."""

    def __init__(self) -> None:
        self.frames = 0
        self.detections = 0
        self._pending = {name: array("d") for name in _COLUMNS}
        self._digests = {name: LatencyDigest() for name in _COLUMNS}

    def note(self, detected: DetectedFrame) -> None:
        """Count a frame; its picture is let go."""
        self.frames += 1
        self.detections += len(detected.detections)
        times = detected.stages
        # In the order of _COLUMNS.
        row = (times.capture_ms, times.preprocess_ms, times.inference_ms, times.decode_ms, times.host_ms)
        for column, value_ms in zip(self._pending.values(), (*row, detected.age_ms)):
            column.append(value_ms)
        if len(column) >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Put what was noted into the percentiles: between slices, where the time for it is not counted."""
        for name, column in self._pending.items():
            self._digests[name].add(column)
            self._pending[name] = array("d")

    def summaries(self, live: bool = False) -> Dict[str, LatencySummary]:
        """By stage: capture, preprocess, inference, decode, host (all but inference), end_to_end.

        live: the frames are of a live source, and their end_to_end is the "age" of what is known about the scene.
        """
        self.flush()
        found = {name: digest.summary() for name, digest in self._digests.items()}
        known = {name: summary for name, summary in found.items() if summary is not None}
        return {**known, "age": known["end_to_end"]} if live and known else known
