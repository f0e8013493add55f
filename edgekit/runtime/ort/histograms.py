"""How often a tensor's values are how large, gathered over any number of pictures in constant memory."""

from __future__ import annotations

import numpy as np

_BINS = 4096


class Histogram:
    """Counts of absolute values in equal bins from 0 up. The range doubles when a value lies beyond it."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._top = 0.0
        self.largest = 0.0  # NaN or infinity if such a value came

    def add(self, values: np.ndarray) -> None:
        """Count the values of one batch, of any shape."""
        sizes = np.abs(values, dtype=np.float32).ravel()
        largest = float(sizes.max()) if sizes.size else 0.0
        if not np.isfinite(largest):
            self.largest = largest
            return
        self.largest = max(self.largest, largest)
        self._reach(largest)
        bins = (sizes * np.float32(_BINS / self._top if self._top else 0.0)).astype(np.int32)
        self._counts += np.bincount(np.minimum(bins, _BINS - 1), minlength=_BINS)

    def reaching(self, share: float) -> float:
        """The size that this share of all values does not exceed, to the width of a bin. 0.0 without any values."""
        total = int(self._counts.sum())
        if not total or not np.isfinite(self.largest):
            return self.largest
        last = int(np.searchsorted(np.cumsum(self._counts), share * total))
        return min((last + 1) / _BINS * self._top, self.largest)

    def _reach(self, largest: float) -> None:
        if self._top == 0.0:
            self._top = largest
        while self._top < largest:
            self._counts[: _BINS // 2] = self._counts.reshape(-1, 2).sum(axis=1)
            self._counts[_BINS // 2 :] = 0
            self._top *= 2
