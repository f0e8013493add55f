"""Whether an engine still answers in numbers: outputs are looked at whole, now and then, for it costs time."""

from __future__ import annotations

import time
from typing import Callable, Mapping, Tuple

import numpy as np

from edgekit.core.detector import DetectorSpec
from edgekit.core.verification import not_finite

_EVERY_S = 1.0


class FiniteCheck:
    """Looks at the first batch, at one a second, and at every one after a bad one until they are good again.

    NaN hides otherwise: no comparison with it holds, so an engine that gives nothing else seems to see an empty street.
    """

    def __init__(self, spec: DetectorSpec, every_s: float = _EVERY_S) -> None:
        self._spec = spec
        self._every_s = every_s
        self._due_s = 0.0

    def bad_outputs(self, fetch: Callable[[], Mapping[str, np.ndarray]]) -> Tuple[str, ...]:
        """Names of the outputs that hold NaN or infinity; empty if none does, or this batch is not looked at."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return ()
        bad = not_finite(self._spec, fetch())
        self._due_s = now_s if bad else now_s + self._every_s
        return bad
