"""Where boxes move: a Kalman filter of constant velocity for many boxes at once, in seconds instead of frames.

A box is its centre, width and height. These four are filtered apart from each other, so that a covariance is three
numbers and no matrix is ever inverted. Noise is in proportion to the box: what is near moves more pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

# Standard deviations, in box sizes; the size is the root of width * height. Chosen on streets that no result is of.
_MEASURED = 0.05  # of a detected coordinate
_VELOCITY_PER_S = 2.0  # of a box that was seen once
_ACCELERATION = 0.5  # size / s^2 * sqrt(s): how fast a velocity wanders
_RESIZE = 0.5  # width and height change less than places do

_OF_EACH = np.array([1.0, 1.0, _RESIZE, _RESIZE], np.float32)
_LEAST_SIDE_PX = 1.0


@dataclass
class Motion:
    """Centre x, centre y, width and height of N boxes, each (N, 4) float32 in pixels and seconds, with covariances."""

    place: np.ndarray
    velocity: np.ndarray
    place_variance: np.ndarray
    covariance: np.ndarray  # of place and velocity
    velocity_variance: np.ndarray

    @classmethod
    def of(cls, boxes_xyxy: np.ndarray) -> Motion:
        """Boxes (N, 4) seen for the first time: they may move in any direction."""
        place = _centred(boxes_xyxy)
        size = _size(place)
        return cls(
            place,
            np.zeros_like(place),
            np.broadcast_to((_MEASURED * size) ** 2, place.shape).astype(np.float32),
            np.zeros_like(place),
            (_VELOCITY_PER_S * size * _OF_EACH) ** 2,
        )

    @property
    def boxes_xyxy(self) -> np.ndarray:
        """(N, 4) float32; no side is shorter than a pixel."""
        half = np.maximum(self.place[:, 2:], _LEAST_SIDE_PX) / 2
        return np.concatenate([self.place[:, :2] - half, self.place[:, :2] + half], axis=1)

    def select(self, rows: np.ndarray) -> Motion:
        """The rows that a mask or an index array names."""
        return Motion(*(getattr(self, field.name)[rows] for field in fields(self)))

    def join(self, other: Motion) -> Motion:
        """These boxes, then the others."""
        return Motion(
            *(np.concatenate([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self))
        )

    def advance(self, seconds: float) -> None:
        """Predict where the boxes are some seconds later, in place."""
        wander = (_ACCELERATION * _size(self.place) * _OF_EACH) ** 2 * np.float32(seconds)
        step = np.float32(seconds)
        self.place += self.velocity * step
        self.place_variance += step * (2 * self.covariance + step * self.velocity_variance) + wander * (step**2 / 3)
        self.covariance += step * self.velocity_variance + wander * (step / 2)
        self.velocity_variance += wander

    def correct(self, rows: np.ndarray, boxes_xyxy: np.ndarray) -> None:
        """Take in what was seen: boxes (K, 4) of the rows (K,), in place."""
        seen = _centred(boxes_xyxy)
        spread, shared = self.place_variance[rows], self.covariance[rows]
        total = spread + (_MEASURED * _size(seen)) ** 2
        gain, velocity_gain = spread / total, shared / total
        surprise = seen - self.place[rows]
        self.place[rows] += gain * surprise
        self.velocity[rows] += velocity_gain * surprise
        self.velocity_variance[rows] -= velocity_gain * shared
        self.covariance[rows] = shared * (1 - gain)
        self.place_variance[rows] = spread * (1 - gain)


def _centred(boxes_xyxy: np.ndarray) -> np.ndarray:
    """(N, 4) float32: centre x, centre y, width, height."""
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1).astype(np.float32)


def _size(place: np.ndarray) -> np.ndarray:
    """(N, 1): the root of the area, at least a pixel."""
    sides = np.maximum(place[:, 2:], _LEAST_SIDE_PX)
    return np.sqrt(sides[:, :1] * sides[:, 1:])  # type: ignore[no-any-return]
