"""How everybody moves from frame to frame: along the lane or across the street, waiting for who is in the way."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np

from edgekit.scenes.traffic import Actor, Crowd
from edgekit.scenes.view import NEAREST_M

# Then a blocked actor drives on for a while: a street where all wait for each other would stand still for ever.
_PATIENCE_S, _INSISTS_S = 3.0, 3.0
_BEYOND_M = 12.0  # how far past the crowd's end actors still move
_FAR_FADE_M, _NEAR_FADE_M, _WALK_FADE_M = 6.0, 1.5, 1.0


class Motion:
    """Moves actors (those with a speed, in place) and says how visible each is at the ends of its way."""

    def __init__(self, actors: Sequence[Actor], edge_m: float, crowd: Crowd) -> None:
        self._actors: List[Actor] = [actor for actor in actors if actor.speed_x_mps or actor.speed_z_mps]
        speeds = [(actor.speed_x_mps, actor.speed_z_mps) for actor in self._actors]
        self._velocity = np.array(speeds, np.float64).reshape(-1, 2)
        self._speed = np.abs(self._velocity).sum(axis=1)
        self._heading = np.sign(self._velocity)
        self._position = np.array([(actor.place.x_m, actor.place.z_m) for actor in self._actors]).reshape(-1, 2)
        self._half = np.array([_half_extent_m(actor) for actor in self._actors]).reshape(-1, 2)
        self._ends = np.array([_ends(actor, edge_m, crowd) for actor in self._actors]).reshape(-1, 2)
        self._fades = np.array([_fades_m(actor) for actor in self._actors]).reshape(-1, 2)
        self._pace = np.ones(len(self._actors))
        self._waited_s = np.zeros(len(self._actors))
        self._patience_s = _PATIENCE_S + np.arange(len(self._actors)) % 4  # not all lose it together

    @property
    def actors(self) -> List[Actor]:
        """Those that move, in the order of `opacities`."""
        return self._actors

    def step(self, seconds: float) -> None:
        """Move everyone; who leaves at one end of the way comes back at the other."""
        blocked = self._blocked()
        waited_s = (self._waited_s + seconds) % (self._patience_s + _INSISTS_S)
        self._waited_s = np.where(blocked, waited_s, 0.0)
        blocked &= self._waited_s < self._patience_s
        self._pace = np.clip(self._pace + np.where(blocked, -4.0, 1.5) * seconds, 0.0, 1.0)
        along = self._heading != 0
        moved = self._position + self._velocity * (self._pace * seconds)[:, None]
        low, length = self._ends[:, :1], self._ends[:, 1:] - self._ends[:, :1]
        self._position = np.where(along, low + (moved - low) % length, moved)
        for actor, (x, z) in zip(self._actors, self._position.tolist()):
            actor.place = actor.place._replace(x_m=x, z_m=z)

    def opacities(self) -> List[float]:
        """0-1 for each actor: at both ends of their way they fade, instead of popping in and out."""
        along = np.where(self._heading != 0, self._position, 0.0).sum(axis=1)
        low = (along - self._ends[:, 0]) / self._fades[:, 0]
        high = (self._ends[:, 1] - along) / self._fades[:, 1]
        levels: List[float] = np.clip(np.minimum(low, high), 0.0, 1.0).tolist()
        return levels

    def _blocked(self) -> np.ndarray:
        """(N,) bool: something that moves stands close ahead. Of two that block each other the first may go."""
        apart = self._position[None] - self._position[:, None]
        reach = self._half[None] + self._half[:, None]
        heading = self._heading[:, None]
        ahead_m = (apart * heading).sum(axis=2)
        gap_m = ahead_m - (reach * np.abs(heading)).sum(axis=2)
        aside_m = ((np.abs(apart) - reach) * (heading == 0)).sum(axis=2)
        in_the_way = (ahead_m > 0) & (gap_m < 1.0 + 0.2 * self._speed[:, None]) & (aside_m < 0.2)
        both = in_the_way & in_the_way.T
        stops: np.ndarray = (in_the_way & ~np.triu(both)).any(axis=1)
        return stops


def _half_extent_m(actor: Actor) -> Tuple[float, float]:
    """Half the room it takes along x and along z."""
    turned = abs(np.sin(actor.place.yaw_rad)) > 0.7
    width, length = actor.solid.half_width_m, actor.solid.half_length_m
    return (length, width) if turned else (width, length)


def _ends(actor: Actor, edge_m: float, crowd: Crowd) -> Tuple[float, float]:
    """Where its way begins and ends, on the axis it moves along."""
    if actor.speed_z_mps:
        # Nearer, its front would be behind the camera.
        return NEAREST_M + _half_extent_m(actor)[1], crowd.far_m + _BEYOND_M
    beyond_m = _BEYOND_M if abs(actor.speed_x_mps) > 4.0 else 1.0
    return -edge_m - beyond_m, edge_m + beyond_m


def _fades_m(actor: Actor) -> Tuple[float, float]:
    """How long the stretch is at each end in which it fades."""
    if actor.speed_z_mps:
        return _NEAR_FADE_M, _FAR_FADE_M
    fade_m = _FAR_FADE_M if abs(actor.speed_x_mps) > 4.0 else _WALK_FADE_M
    return fade_m, fade_m
