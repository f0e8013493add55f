"""Sources that need no camera: a moving procedural street, and rendered pictures that cycle from memory."""

from __future__ import annotations

from itertools import cycle
from typing import List, Optional, Sequence, Tuple

import numpy as np

from edgekit.errors import UsageError
from edgekit.runtime.frames import Source
from edgekit.runtime.uris import Names, Option, parse_options

_MAX_MEMORY_MIB = 1024

# Far apart in time, so that even a few pictures show different traffic.
_RENDER_FPS = 1.0

SCENE_OPTIONS = {
    "seed": Option(1, 0, 2**31 - 1),
    "width": Option(1280, 64, 7680),
    "height": Option(720, 64, 4320),
    "fps": Option(15.0, 1.0, 240.0),
    "frames": Option(0, 0, 10**9),  # 0: endless
    "live": Option(1, 0, 1),
}
MEMORY_OPTIONS = {
    "seed": Option(1, 0, 2**31 - 1),
    "width": Option(1920, 64, 7680),
    "height": Option(1080, 64, 4320),
    "frames": Option(32, 1, 512),
}


class SceneSource(Source):
    """A street that moves. With live=1 it keeps the pace of a camera; with live=0 it is as fast as it renders."""

    def __init__(
        self, seed: int, width: int, height: int, fps: float, frames: int, live: bool, conditions: Sequence[str]
    ) -> None:
        """conditions: of light and weather, shown in turn."""
        from edgekit.scenes import SceneStream

        super().__init__()
        self.live, self.fps, self.size = live, fps, (width, height)
        self.frame_count = frames or None
        self._stream = SceneStream(seed, width, height, fps, conditions)
        self._name = f"scene-{seed}"

    def _read(self) -> Optional[Tuple[np.ndarray, str, Optional[str]]]:
        if self.frame_count is not None and self._index >= self.frame_count:
            return None
        pixels, _, condition = self._stream.read()
        return pixels, f"{self._name}-{condition}-{self._index:06d}", None


class MemorySource(Source):
    """Pictures that lie ready in memory, cycled without end: for measuring, as capture then costs nothing.

    There are more of them than a CPU cache holds, so reading their pixels costs what a camera's would.
    """

    constant = True
    ready = True

    def __init__(self, pictures: List[np.ndarray]) -> None:
        super().__init__()
        if not pictures:
            raise ValueError("expected at least one picture")
        height, width = pictures[0].shape[:2]
        self.size = (width, height)
        self._pictures = cycle(pictures)

    def _read(self) -> Optional[Tuple[np.ndarray, str, Optional[str]]]:
        return next(self._pictures), f"memory-{self._index:06d}", None


def open_scenes(uri: str, rest: str) -> Source:
    """The source of `scenes://?seed=1&width=1280&height=720&fps=15&frames=0&live=1&conditions=night,fog`."""
    from edgekit.scenes import CONDITIONS

    options = parse_options(uri, rest, {**SCENE_OPTIONS, "conditions": Names(tuple(CONDITIONS))})
    return SceneSource(
        int(options["seed"]), int(options["width"]), int(options["height"]), float(options["fps"]),
        int(options["frames"]), bool(options["live"]), options["conditions"],
    )  # fmt: skip


def open_memory(uri: str, rest: str) -> Source:
    """The source of `memory://?seed=1&width=1920&height=1080&frames=32`; renders the pictures first."""
    options = parse_options(uri, rest, MEMORY_OPTIONS)
    width, height, frames = int(options["width"]), int(options["height"]), int(options["frames"])
    needed_mib = width * height * 3 * frames >> 20
    if needed_mib > _MAX_MEMORY_MIB:
        raise UsageError(
            f"{uri} needs {needed_mib} MiB of memory",
            why=f"pictures in memory may take {_MAX_MEMORY_MIB} MiB",
            hint=f"ask for fewer: frames={max(1, frames * _MAX_MEMORY_MIB // needed_mib)}",
        )
    return MemorySource(_render(int(options["seed"]), width, height, frames))


def _render(seed: int, width: int, height: int, frames: int) -> List[np.ndarray]:
    from edgekit.scenes import CONDITIONS, SceneStream

    pictures: List[np.ndarray] = []
    for index, condition in enumerate(CONDITIONS):
        wanted = len(range(index, frames, len(CONDITIONS)))
        if wanted:
            # One condition at a time: a stream of all of them holds a painted street for each.
            stream = SceneStream(seed + index, width, height, _RENDER_FPS, (condition,))
            pictures.extend(stream.read()[0] for _ in range(wanted))
    return pictures
