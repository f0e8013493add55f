"""The pictures that INT8 ranges are measured on, as the network takes them, whichever back end measures."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import numpy as np

from edgekit.core.detector import DetectorSpec
from edgekit.core.progress import OnProgress
from edgekit.errors import CalibrationError, SourceError
from edgekit.runtime.pictures import list_pictures, read_picture
from edgekit.runtime.preprocess import Preprocess

ENOUGH_PICTURES = 300


class CalibrationPictures:
    """Iterates over a folder's pictures in batches (batch, 3, height, width) float32, of the profile's optimal size.

    Every batch is the same buffer, overwritten by the next, so memory does not grow with the set. A last batch that
    is not full repeats its last picture. Unreadable pictures are skipped. `used` and `warnings` tell of the pictures
    met so far in this iteration; a new iteration begins anew. Raises CalibrationError for a folder that is missing or
    holds no pictures, and at the end of an iteration that found none to read.
    """

    def __init__(self, folder: Optional[str], detector: DetectorSpec, batch: int, on_progress: OnProgress) -> None:
        if batch < 1:
            raise ValueError(f"batch: expected 1 or more, got {batch}")
        self.used = 0
        self._folder, self._paths = folder, _list(folder)
        self._unreadable: List[str] = []
        self._on_progress = on_progress
        best = detector.profile.optimum
        self._preprocess = Preprocess(detector.input, best.height, best.width)
        self._images = np.empty((batch, 3, best.height, best.width), np.float32)

    @property
    def warnings(self) -> Tuple[str, ...]:
        """What a person should know of the set: too few pictures, unreadable ones."""
        found = []
        if self.used < ENOUGH_PICTURES:
            found.append(f"calibrated with {self.used} pictures; below {ENOUGH_PICTURES} the ranges are a guess")
        if self._unreadable:
            skipped = f"{len(self._unreadable)} calibration pictures were skipped"
            found.append(f"{skipped}, the first: {self._unreadable[0]}")
        return tuple(found)

    def __len__(self) -> int:
        """Pictures in the folder, readable or not."""
        return len(self._paths)

    def __iter__(self) -> Iterator[np.ndarray]:
        self.used, self._unreadable = 0, []
        filled = 0
        for done, path in enumerate(self._paths):
            self._on_progress("calibrating", done, len(self._paths))
            filled += self._read(path, self._images[filled])
            if filled == len(self._images):
                yield self._images
                filled = 0
        if filled:
            # An engine with a fixed batch takes no less; repeating a picture moves no minimum or maximum.
            self._images[filled:] = self._images[filled - 1]
            yield self._images
        if self.used == 0:
            raise CalibrationError(
                f"none of the {len(self._paths)} pictures in {self._folder} can be read", why=self._unreadable[0]
            )
        self._on_progress("calibrating", len(self._paths), len(self._paths))

    def _read(self, path: Path, planes: np.ndarray) -> bool:
        try:
            self._preprocess(read_picture(path), planes)
        except SourceError as error:
            self._unreadable.append(f"{error.what}: {error.why}")
            return False
        self.used += 1
        return True


def _list(folder: Optional[str]) -> List[Path]:
    if folder is None:
        raise CalibrationError(
            "int8 needs calibration pictures", why="the request names no folder", hint="edgekit build --calibration SET"
        )
    try:
        return list_pictures(Path(folder))
    except SourceError as error:
        raise CalibrationError(f"the calibration set cannot serve: {error.what}", why=error.why) from None
