"""How a camera fares: whether pictures come, and whether they show anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

CONDITIONS = ("connecting", "ok", "stalled", "reconnecting", "frozen", "black", "wrong size")
LOOK_EVERY_S = 0.5
FROZEN_AFTER_S = 10.0
AWAY = ("connecting", "stalled", "reconnecting")
BLACK_AFTER_S = 3.0

_GRID = 8  # every 8th pixel of every 8th row tells enough, at a 64th of the cost
# 8-bit levels. A night scene is as dark, but noise and lamps spread it further; limited-range black decodes to 0..2.
_BLACK_MEAN, _BLACK_SPREAD = 12.0, 4.0


@dataclass(frozen=True)
class Condition:
    """state: one of CONDITIONS; since_s on the clock of time.monotonic; detail: a sentence, "" where there is none."""

    state: str
    since_s: float
    detail: str = ""

    @property
    def is_ok(self) -> bool:
        """True while pictures come and show something."""
        return self.state == "ok"

    @property
    def is_away(self) -> bool:
        """True while no pictures come and the camera is looked for."""
        return self.state in AWAY


class PictureWatch:
    """Looks at pictures now and then, and knows whether they are frozen, black or of another size than expected.

    Frozen means equal in every byte: a sensor's noise changes some in each picture, a hung encoder repeats them all.
    """

    def __init__(self, size: Optional[Tuple[int, int]] = None) -> None:
        self._size = size  # (width_px, height_px); None: that of the first picture
        self._looked_s: Optional[float] = None
        self._last: Optional[np.ndarray] = None
        self._same_since_s: Optional[float] = None
        self._black_since_s: Optional[float] = None
        self._wrong_since_s: Optional[float] = None
        self._detail = ""

    def see(self, pixels: np.ndarray, at_s: float) -> Condition:
        """The condition with this picture (H, W, 3) uint8 taken into account; `at_s` never goes back.

        The array is kept until the next look and must not be changed by anyone meanwhile.
        """
        self._check_size(pixels, at_s)
        if self._looked_s is None or at_s - self._looked_s >= LOOK_EVERY_S:
            self._look(pixels, at_s)
            self._looked_s = at_s
        return self._condition(at_s)

    def forget_picture(self) -> None:
        """After a gap: what came before says nothing of whether pictures stand still now."""
        self._last = self._same_since_s = self._black_since_s = self._looked_s = None

    def _check_size(self, pixels: np.ndarray, at_s: float) -> None:
        size = (pixels.shape[1], pixels.shape[0])
        if self._size is None:
            self._size = size
        if size == self._size:
            self._wrong_since_s = None
        elif self._wrong_since_s is None:
            self._wrong_since_s = at_s
        if size != self._size:
            self._detail = f"pictures are {size[0]}x{size[1]}, expected {self._size[0]}x{self._size[1]}"

    def _look(self, pixels: np.ndarray, at_s: float) -> None:
        grid = pixels[::_GRID, ::_GRID]
        black = float(grid.mean()) < _BLACK_MEAN and float(grid.std()) < _BLACK_SPREAD
        self._black_since_s = _first(self._black_since_s, at_s) if black else None
        last, self._last = self._last, pixels
        if last is not None and _same(last, pixels):
            self._same_since_s = _first(self._same_since_s, self._looked_s)
        else:
            self._same_since_s = None

    def _condition(self, at_s: float) -> Condition:
        if self._wrong_since_s is not None:
            return Condition("wrong size", self._wrong_since_s, self._detail)
        black_s, same_s = self._black_since_s, self._same_since_s
        if black_s is not None and at_s - black_s >= BLACK_AFTER_S:
            return Condition("black", black_s, "the picture is black: a cap on the lens, or no light")
        if same_s is not None and at_s - same_s >= FROZEN_AFTER_S:
            return Condition("frozen", same_s, "every picture is the same to the last bit")
        return Condition("ok", at_s)


def _same(last: np.ndarray, pixels: np.ndarray) -> bool:
    # The grid first: it tells most pictures apart at once.
    return (
        last.shape == pixels.shape
        and np.array_equal(last[::_GRID, ::_GRID], pixels[::_GRID, ::_GRID])
        and np.array_equal(last, pixels)
    )


def _first(since_s: Optional[float], at_s: Optional[float]) -> Optional[float]:
    return at_s if since_s is None else since_s
