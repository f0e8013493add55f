"""Detections as JSON lines: {"index", "name", "age_ms", "detections": [{"box_xyxy", "score", "class_id", "label"}]}.

Of several sources, "stream" comes first and names the one that a frame, and its index, is of. Where objects are
followed each detection has a "track_id", 0 as long as it is of no known object. Events are lines of their own kind.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

from edgekit.runtime.pipeline import DetectedFrame
from edgekit.runtime.unfinished import UnfinishedFile

# A live source never ends; its log may take twice this much before the oldest half goes.
LOG_BYTES = 64 << 20


def record_of(detected: DetectedFrame, labels: Sequence[str]) -> Dict[str, Any]:
    """One frame, JSON-ready, boxes in frame pixels."""
    stream, detections = detected.frame.stream, detected.detections.to_records(labels)
    if detected.track_ids is not None:
        for each, track_id in zip(detections, detected.track_ids):
            each["track_id"] = int(track_id)
    return {
        **({"stream": stream} if stream else {}),
        "index": detected.frame.index,
        "name": detected.frame.name,
        "age_ms": round(detected.age_ms, 3),
        "detections": detections,
    }


def line_of(detected: DetectedFrame, labels: Sequence[str]) -> str:
    """One frame as one line."""
    return json.dumps(record_of(detected, labels), ensure_ascii=False, allow_nan=False) + "\n"


def event_lines(detected: DetectedFrame) -> str:
    """What happened with a frame, one line an event; "" if nothing did."""
    return "".join(event.to_line() for event in detected.events)


class JsonlFile:
    """One line for each frame of a finite source; the file appears when it is complete."""

    def __init__(self, target: Path, labels: Sequence[str]) -> None:
        self.target = target
        self._labels = labels
        self._file = UnfinishedFile(target)
        self._stream = self._file.temporary.open("w", encoding="utf-8")

    def write(self, detected: DetectedFrame) -> None:
        """Add a frame."""
        self._stream.write(line_of(detected, self._labels))

    def finish(self) -> List[str]:
        """Complete the file; its path."""
        self._stream.close()
        self._file.complete()
        return [str(self.target)]

    def abort(self) -> None:
        """Remove the incomplete file."""
        self._file.drop()
        self._stream.close()


class JsonlLog:
    """Lines of a source that may never end, each readable at once, added to what the file holds.

    lines_of: the text of a frame, whole lines or "". At `limit_bytes` the file becomes NAME.1, which replaces the one
    before it, so the log cannot fill a disk.
    """

    def __init__(self, target: Path, lines_of: Callable[[DetectedFrame], str], limit_bytes: int = LOG_BYTES) -> None:
        self.target = target
        self._lines_of = lines_of
        self._limit_bytes = limit_bytes
        target.parent.mkdir(parents=True, exist_ok=True)
        self._stream = target.open("a", encoding="utf-8")

    def write(self, detected: DetectedFrame) -> None:
        """Add a frame's lines; a reader sees whole lines only."""
        lines = self._lines_of(detected)
        if not lines:
            return
        self._stream.write(lines)
        self._stream.flush()
        if self._stream.tell() >= self._limit_bytes:
            self._turn_over()

    def finish(self) -> List[str]:
        """Close the file; its path."""
        self._stream.close()
        return [str(self.target)]

    def abort(self) -> None:
        """Close the file and keep its lines."""
        self._stream.close()

    def _turn_over(self) -> None:
        self._stream.close()
        self.target.replace(f"{self.target}.1")
        self._stream = self.target.open("a", encoding="utf-8")
