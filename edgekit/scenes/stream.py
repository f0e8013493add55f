"""A moving street as an endless video with its truth."""

from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.scenes.look import CONDITIONS, Look, random_look
from edgekit.scenes.scene import paint_actors
from edgekit.scenes.street import Street, paint_street, random_street
from edgekit.scenes.traffic import CROWDS, Actor, Crowd, populate
from edgekit.scenes.view import View, random_view
from edgekit.scenes.weather import Weather


class _Setting(NamedTuple):
    look: Look
    background: np.ndarray
    weather: Weather
    actors: List[Actor]


class SceneStream:
    """Frames of one street whose condition changes every few seconds. Does not wait: pacing is the reader's.

    read() -> (frame (H, W, 3) uint8 BGR, truth in frame pixels, condition). A frame is new memory every time.
    Every condition's street is painted when the stream is made, so that no later frame is slow.
    """

    def __init__(
        self,
        seed: int,
        width: int,
        height: int,
        fps: float,
        conditions: Sequence[str] = CONDITIONS,
        condition_s: float = 4.0,
    ) -> None:
        if not conditions or fps <= 0:
            raise ValueError(f"expected conditions and fps > 0, got {conditions!r} and {fps}")
        rng = np.random.default_rng([seed, len(CONDITIONS)])
        self._view: View = random_view(rng, width, height)
        self._street: Street = random_street(rng)
        self._conditions = tuple(conditions)
        self._frame_s = 1.0 / fps
        self._frames_each = max(1, round(condition_s * fps))
        self._settings: Dict[str, _Setting] = {
            name: self._setting(rng, name) for name in dict.fromkeys(self._conditions)
        }
        self._count = 0

    def read(self) -> Tuple[np.ndarray, Detections, str]:
        """The next frame, what is in it, and its condition."""
        condition = self._conditions[self._count // self._frames_each % len(self._conditions)]
        setting = self._settings[condition]
        frame = setting.background.copy()
        truth = paint_actors(frame, setting.actors, self._street, self._view, setting.look)
        setting.weather.apply(frame, self._count)
        self._move(setting.actors, CROWDS.get(condition, Crowd()))
        self._count += 1
        return frame, truth, condition

    def __iter__(self) -> Iterator[Tuple[np.ndarray, Detections, str]]:
        while True:
            yield self.read()

    def _setting(self, rng: np.random.Generator, condition: str) -> _Setting:
        look = random_look(rng, condition)
        background = paint_street(self._street, self._view, look)
        weather = Weather(rng, look, self._view.width, self._view.height)
        return _Setting(look, background, weather, populate(rng, condition, self._street, look))

    def _move(self, actors: List[Actor], crowd: Crowd) -> None:
        """Move everyone by one frame; who leaves at one end comes back at the other."""
        for actor in actors:
            x = actor.place.x_m + actor.speed_x_mps * self._frame_s
            z = actor.place.z_m + actor.speed_z_mps * self._frame_s
            if actor.speed_z_mps:
                z = _wrapped(z, min(4.0, crowd.near_m), crowd.far_m + 12.0)
            if actor.speed_x_mps:
                x = _wrapped(x, -self._street.edge_m - 12.0, self._street.edge_m + 12.0)
            actor.place = actor.place._replace(x_m=x, z_m=z)


def _wrapped(value: float, low: float, high: float) -> float:
    return low + (value - low) % (high - low)
