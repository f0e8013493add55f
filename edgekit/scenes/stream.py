"""A moving street as an endless video with its truth."""

from __future__ import annotations

from threading import Thread
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np

from edgekit.core.detections import Detections
from edgekit.scenes.glow import GlowSprites
from edgekit.scenes.look import CONDITIONS, random_look
from edgekit.scenes.motion import Motion
from edgekit.scenes.scene import Figure, far_to_near, figure_of, paint_figures, paint_shadows, truth_of
from edgekit.scenes.street import Street, paint_street, random_street
from edgekit.scenes.traffic import CROWDS, Crowd, populate
from edgekit.scenes.view import View, random_view
from edgekit.scenes.weather import Weather

_NOISE_MARGIN_PX = 96


class _Setting:
    """One stretch of the video: a look, its painted background with all that stands still, and who moves."""

    def __init__(self, seeds: Sequence[int], condition: str, street: Street, view: View) -> None:
        rng = np.random.default_rng(seeds)
        self._street, self._view, self._look = street, view, random_look(rng, condition)
        actors = populate(rng, condition, street, self._look)
        self._motion = Motion(actors, street.edge_m, CROWDS.get(condition, Crowd()))
        still = [actor for actor in actors if not (actor.speed_x_mps or actor.speed_z_mps)]
        figures = [figure_of(actor, street, view, self._look) for actor in still]
        self._still = far_to_near([figure for figure in figures if figure is not None])
        self._background = paint_street(street, view, self._look)
        paint_shadows(self._background, self._still, view, self._look)
        self._weather = Weather(rng, self._look, view.width, view.height, _NOISE_MARGIN_PX)

    def frame(self, tick: int, seconds: float, glows: GlowSprites) -> Tuple[np.ndarray, Detections]:
        """The picture and the truth of now; then everyone moves on by some seconds."""
        frame = self._background.copy()
        moving = self._moving()
        paint_shadows(frame, [figure for figure in moving if figure.opacity == 1.0], self._view, self._look)
        figures = far_to_near(self._still + moving)
        paint_figures(frame, figures, self._view, self._look, glows.add)
        self._weather.apply(frame, tick)
        self._motion.step(seconds)
        return frame, truth_of(figures, self._view)

    def _moving(self) -> List[Figure]:
        figures = []
        for actor, opacity in zip(self._motion.actors, self._motion.opacities()):
            figure = figure_of(actor, self._street, self._view, self._look)
            if figure is not None and opacity > 0.02:
                figures.append(figure._replace(opacity=opacity))
        return figures


class SceneStream:
    """Frames of one street whose condition changes every few seconds. Does not wait: pacing is the reader's.

    read() -> (frame (H, W, 3) uint8 BGR, truth in frame pixels, condition). A frame is new memory every time.
    The same arguments give the same video on the same OpenCV. While one condition is shown, a thread paints the
    background of the next, so that no frame is late; two backgrounds are in memory at a time.
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
        unknown = [name for name in conditions if name not in CONDITIONS]
        if unknown:
            raise ValueError(f"no condition {unknown[0]!r}; known: {', '.join(CONDITIONS)}")
        rng = np.random.default_rng([seed, len(CONDITIONS)])
        self._seed = seed
        self._view: View = random_view(rng, width, height)
        self._street: Street = random_street(rng)
        self._conditions = tuple(conditions)
        self._frame_s = 1.0 / fps
        self._frames_each = max(1, round(condition_s * fps))
        self._glows = GlowSprites()
        self._count = 0
        self._setting = self._painted(0)
        self._next: Optional[_Preparation] = None

    def read(self) -> Tuple[np.ndarray, Detections, str]:
        """The next frame, what is in it, and its condition."""
        stretch, place = divmod(self._count, self._frames_each)
        if len(set(self._conditions)) > 1:
            if place == 0 and stretch:
                self._setting = self._next.result() if self._next else self._painted(stretch)
            if place == min(1, self._frames_each - 1):
                self._next = _Preparation(self, stretch + 1)
        frame, truth = self._setting.frame(self._count, self._frame_s, self._glows)
        self._count += 1
        return frame, truth, self._conditions[stretch % len(self._conditions)]

    def __iter__(self) -> Iterator[Tuple[np.ndarray, Detections, str]]:
        while True:
            yield self.read()

    def _painted(self, stretch: int) -> _Setting:
        condition = self._conditions[stretch % len(self._conditions)]
        seeds = (self._seed, len(CONDITIONS), CONDITIONS.index(condition), stretch)
        return _Setting(seeds, condition, self._street, self._view)


class _Preparation:
    """Paints the setting of a stretch in a thread of its own."""

    def __init__(self, stream: SceneStream, stretch: int) -> None:
        self._stream, self._stretch = stream, stretch
        self._setting: Optional[_Setting] = None
        self._thread = Thread(target=self._paint, name="scene-background", daemon=True)
        self._thread.start()

    def result(self) -> _Setting:
        """The setting, when it is ready; painted here if the thread failed, so that its error is seen."""
        self._thread.join()
        return self._setting or self._stream._painted(self._stretch)

    def _paint(self) -> None:
        self._setting = self._stream._painted(self._stretch)
