"""Annotated pictures of the streams for those who look: drawn when asked for, once for all of them."""

from __future__ import annotations

import threading
import time
from typing import Dict, NamedTuple, Optional

import cv2
import numpy as np

from edgekit.runtime.page.feed import Feed, Shown
from edgekit.runtime.page.overlay import draw_places
from edgekit.runtime.scaled import annotate_scaled

MOST_WIDE_PX = 960
MOST_A_SECOND = 10
_JPEG_QUALITY = 75
_TEXT_SCALE = 1.5  # several cameras share a screen


class Picture(NamedTuple):
    """A frame as JPEG. number: as Shown's; drawn_s on the clock of time.monotonic."""

    number: int
    jpeg: bytes
    drawn_s: float


class Pictures:
    """The pictures of a feed. They are drawn in the thread that asks, at most ten a second of each stream."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._locks = {stream: threading.Lock() for stream in feed.streams}
        self._drawn: Dict[str, Picture] = {}

    def latest(self, stream: str) -> Optional[Picture]:
        """The picture of the latest frame, or one that was drawn a moment ago; None before the first frame."""
        shown = self._feed.latest(stream)
        return None if shown is None else self._picture(stream, shown, after=0)

    def newer(self, stream: str, after: int, timeout_s: float) -> Optional[Picture]:
        """A picture above the number `after`; None if none comes in time."""
        shown = self._feed.wait_newer(stream, after, timeout_s)
        return None if shown is None else self._picture(stream, shown, after)

    def _picture(self, stream: str, shown: Shown, after: int) -> Picture:
        with self._locks[stream]:
            drawn = self._drawn.get(stream)
            if drawn is not None and drawn.number > after:
                fresh = time.monotonic() - drawn.drawn_s < 1 / MOST_A_SECOND
                if fresh or drawn.number >= shown.number:
                    return drawn
            made = Picture(shown.number, _jpeg(self._draw(shown)), time.monotonic())
            self._drawn[stream] = made
            return made

    def _draw(self, shown: Shown) -> np.ndarray:
        frame = shown.detected.frame
        canvas = annotate_scaled(shown.detected, self._feed.labels, MOST_WIDE_PX, _TEXT_SCALE)
        if self._feed.places is not None:
            draw_places(canvas, self._feed.places, frame.stream, canvas.shape[1] / frame.pixels.shape[1])
        return canvas


def _jpeg(pixels: np.ndarray) -> bytes:
    good, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert good, "a picture that can be drawn on can be encoded"
    return bytes(data)
