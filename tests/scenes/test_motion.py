"""Who waits for whom, and how actors come and go."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from edgekit.scenes.motion import Motion
from edgekit.scenes.painter import Placement
from edgekit.scenes.traffic import Actor, Crowd, new_solid

EDGE_M = 8.0


def _vehicle(x_m: float, z_m: float, speed_x: float = 0.0, speed_z: float = 0.0, name: str = "car") -> Actor:
    yaw = np.pi / 2 * np.sign(speed_x) if speed_x else (0.0 if speed_z > 0 else np.pi)
    return Actor(new_solid(np.random.default_rng(1), name, yaw), Placement(x_m, z_m, yaw), speed_x, speed_z)


def _run(actors: List[Actor], seconds: float, fps: float = 20.0) -> List[List[Tuple[float, float]]]:
    motion = Motion(actors, EDGE_M, Crowd())
    track = []
    for _ in range(int(seconds * fps)):
        motion.step(1 / fps)
        track.append([(actor.place.x_m, actor.place.z_m) for actor in actors])
    return track


def test_a_free_car_drives_its_speed_and_comes_back_at_the_other_end() -> None:
    """The street would be empty after ten seconds otherwise."""
    car = _vehicle(1.5, 40.0, speed_z=10.0)
    assert abs(_run([car], 1.0)[-1][0][1] - 50.0) < 1e-6
    track = [z for ((_, z),) in _run([car], 4.0)]
    assert min(track) < 15.0 and max(track) <= 74.0


def test_a_car_does_not_drive_through_a_slower_one_ahead() -> None:
    """Overlapping cars look wrong and give boxes that no detector can tell apart."""
    fast, slow = _vehicle(1.5, 12.0, speed_z=12.0), _vehicle(1.7, 28.0, speed_z=3.0)
    gaps = [b[1] - a[1] for a, b in _run([fast, slow], 3.5)]
    assert min(gaps) > fast.solid.half_length_m + slow.solid.half_length_m


def test_a_car_waits_for_the_one_that_is_on_the_crossing() -> None:
    """At the side street paths cross; who is there first goes first."""
    along, across = _vehicle(1.5, 14.0, speed_z=8.0), _vehicle(-3.5, 30.0, speed_x=5.0)
    reach_x = along.solid.half_width_m + across.solid.half_length_m
    reach_z = along.solid.half_length_m + across.solid.half_width_m
    for (x, z), (other_x, other_z) in _run([along, across], 3.0):
        assert abs(x - other_x) > reach_x or abs(z - other_z) > reach_z
    assert along.place.z_m > 30.0


def test_nobody_waits_for_ever() -> None:
    """Four that block each other in a ring would freeze the street for days."""
    ring = [
        _vehicle(-2.2, 30.0 - 2.2, speed_z=5.0),
        _vehicle(-2.2, 30.0 + 2.2, speed_x=5.0),
        _vehicle(2.2, 30.0 + 2.2, speed_z=-5.0),
        _vehicle(2.2, 30.0 - 2.2, speed_x=-5.0),
    ]
    before = [actor.place for actor in ring]
    _run(ring, 9.0)
    assert all(abs(a.x_m - b.place.x_m) + abs(a.z_m - b.place.z_m) > 3.0 for a, b in zip(before, ring))


def test_actors_fade_at_the_far_end_instead_of_popping_in() -> None:
    """A truck that appears from nothing is seen at once, and its box would jump into the truth."""
    truck = _vehicle(1.5, 60.0, speed_z=10.0, name="truck")
    motion = Motion([truck], EDGE_M, Crowd())
    levels = []
    for _ in range(40):
        levels.append(motion.opacities()[0])
        motion.step(0.05)
    assert levels[0] == 1.0 and min(levels) < 0.15
    assert np.abs(np.diff(levels)).max() < 0.35


def test_a_street_in_which_nothing_moves_is_no_error() -> None:
    """Some seeds have no traffic."""
    motion = Motion([_vehicle(3.0, 20.0)], EDGE_M, Crowd())
    motion.step(0.1)
    assert [] == motion.actors == motion.opacities()
