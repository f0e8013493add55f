"""Who is in the street: places objects and clutter, and says how they move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Tuple

import numpy as np

from edgekit.scenes.fixtures import lamp_post, street_clutter, traffic_light, traffic_sign, tree
from edgekit.scenes.look import Look
from edgekit.scenes.painter import Placement
from edgekit.scenes.people import bicycle, motorcycle, person
from edgekit.scenes.solids import Solid
from edgekit.scenes.street import Street
from edgekit.scenes.vehicles import bus, car, truck

CLASSES: Tuple[str, ...] = (
    "car", "truck", "bus", "motorcycle", "bicycle", "person", "traffic-light", "traffic-sign",
)  # fmt: skip
_CLASS_ID: Dict[str, int] = {name: index for index, name in enumerate(CLASSES)}
_SOLIDS: Dict[str, Callable[[np.random.Generator, int], Solid]] = {
    "car": car,
    "truck": truck,
    "bus": bus,
    "motorcycle": motorcycle,
    "bicycle": bicycle,
    "person": person,
    "traffic-light": traffic_light,
    "traffic-sign": traffic_sign,
}
_LANE_MIX = ("car", "truck", "bus", "motorcycle", "bicycle")
_LANE_ODDS = (0.54, 0.13, 0.1, 0.13, 0.1)


@dataclass
class Actor:
    """A solid on its way. speed_x_mps and speed_z_mps are metres a second; fixed things have zero."""

    solid: Solid
    place: Placement
    speed_x_mps: float = 0.0
    speed_z_mps: float = 0.0


def new_solid(rng: np.random.Generator, name: str, yaw_rad: float = 0.0) -> Solid:
    """A random thing of the named class."""
    if name == "truck":
        return truck(rng, _CLASS_ID[name], oncoming=np.cos(yaw_rad) < 0)
    return _SOLIDS[name](rng, _CLASS_ID[name])


@dataclass(frozen=True)
class Crowd:
    """How full the street is. near_m and far_m bound where objects stand; gap_m is between vehicles."""

    near_m: float = 7.0
    far_m: float = 62.0
    gap_m: Tuple[float, float] = (4.0, 26.0)
    people: int = 7
    clutter: int = 5
    parked: float = 0.5


CROWDS: Dict[str, Crowd] = {
    "tiny": Crowd(near_m=32.0, far_m=90.0, gap_m=(3.0, 14.0), people=10),
    "occlusion": Crowd(far_m=50.0, gap_m=(1.5, 6.0), people=18, clutter=12, parked=0.9),
}


def populate(rng: np.random.Generator, condition: str, street: Street, look: Look) -> List[Actor]:
    """Everything that stands or moves in the street, in no order."""
    crowd = CROWDS.get(condition, Crowd())
    actors = _lanes(rng, street, crowd) + _parked(rng, street, crowd) + _crossing(rng, street, crowd)
    actors += _walkers(rng, street, crowd) + _fixtures(rng, street, crowd)
    return actors + _clutter(rng, street, look, crowd)


def _lanes(rng: np.random.Generator, street: Street, crowd: Crowd) -> List[Actor]:
    actors: List[Actor] = []
    for lane in range(-street.lanes_each_way, street.lanes_each_way):
        x, away = (lane + 0.5) * street.lane_m, lane >= 0
        speed = float(rng.uniform(5, 14)) * (1 if away else -1)
        z = crowd.near_m + float(rng.uniform(0, crowd.gap_m[1]))
        while z < crowd.far_m:
            yaw = (0.0 if away else np.pi) + float(rng.normal(0, 0.05))
            solid = new_solid(rng, str(rng.choice(_LANE_MIX, p=_LANE_ODDS)), yaw)
            z += solid.half_length_m
            actors.append(Actor(solid, Placement(x + float(rng.normal(0, 0.25)), z, yaw), 0.0, speed))
            z += solid.half_length_m + float(rng.uniform(*crowd.gap_m))
    return actors


def _parked(rng: np.random.Generator, street: Street, crowd: Crowd) -> List[Actor]:
    actors: List[Actor] = []
    for side in (-1, 1):
        if rng.random() > crowd.parked:
            continue
        across = rng.random() < 0.4
        for z in np.arange(crowd.near_m + 1, crowd.far_m, 3.2 if across else 7.0):
            if rng.random() < 0.55 or abs(z - street.crossing_z_m) < 6:
                continue
            yaw = float(rng.normal(side * np.pi / 2 if across else 0.0, 0.08) + np.pi * int(rng.integers(2)))
            x = side * (street.half_road_m + (2.6 if across else 1.1))
            actors.append(Actor(new_solid(rng, "car", yaw), Placement(x, float(z), yaw)))
    return actors


def _crossing(rng: np.random.Generator, street: Street, crowd: Crowd) -> List[Actor]:
    if not street.crossing_z_m:
        return []
    actors: List[Actor] = []
    for row, sign in ((-1.7, 1), (1.7, -1)):
        x = float(rng.uniform(-16, -6))
        while x < 14:
            solid = new_solid(rng, str(rng.choice(_LANE_MIX, p=_LANE_ODDS)), sign * np.pi / 2)
            x += solid.half_length_m
            if rng.random() < 0.5:
                z = max(street.crossing_z_m, crowd.near_m + 8) + row
                yaw = sign * np.pi / 2 + float(rng.normal(0, 0.12))
                actors.append(Actor(solid, Placement(x, z, yaw), sign * 7.0, 0.0))
            x += solid.half_length_m + float(rng.uniform(2, 9))
    return actors


def _walkers(rng: np.random.Generator, street: Street, crowd: Crowd) -> List[Actor]:
    actors: List[Actor] = []
    for _ in range(int(rng.integers(crowd.people // 2, crowd.people + 1))):
        side, z = float(rng.choice([-1, 1])), float(rng.uniform(crowd.near_m, crowd.far_m * 0.8))
        x = side * float(rng.uniform(street.half_road_m + 0.5, street.edge_m - 0.4))
        name = "bicycle" if rng.random() < 0.2 else "person"
        speed = float(rng.choice([-1, 1])) * (3.5 if name == "bicycle" else 1.3)
        if rng.random() < 0.25:
            x = float(rng.uniform(-street.edge_m, street.edge_m))
            actors.append(Actor(new_solid(rng, name), Placement(x, z, np.pi / 2 * np.sign(speed)), speed, 0.0))
        else:
            yaw = (0.0 if speed > 0 else np.pi) + float(rng.normal(0, 0.35))
            actors.append(Actor(new_solid(rng, name), Placement(x, z, yaw), 0.0, speed))
    return actors


def _fixtures(rng: np.random.Generator, street: Street, crowd: Crowd) -> List[Actor]:
    actors: List[Actor] = []
    for _ in range(int(rng.integers(2, 7))):
        name = "traffic-light" if rng.random() < 0.45 else "traffic-sign"
        x = float(rng.choice([-1, 1])) * (street.half_road_m + float(rng.uniform(0.4, 1.6)))
        near = max(crowd.near_m, 9.0)
        z = near + (crowd.far_m * 0.75 - near) * float(rng.random()) ** 1.4
        actors.append(Actor(new_solid(rng, name), Placement(x, z, float(rng.normal(0, 0.25)))))
    return actors


def _clutter(rng: np.random.Generator, street: Street, look: Look, crowd: Crowd) -> List[Actor]:
    posts = [Actor(lamp_post(rng, look.lamps > 0.5), Placement(x, z)) for x, z in street.lamps_xz]
    for _ in range(int(rng.integers(crowd.clutter // 2, crowd.clutter + 1))):
        x = float(rng.choice([-1, 1])) * float(rng.uniform(street.half_road_m + 0.6, street.edge_m))
        solid = tree(rng, look.snow) if rng.random() < 0.3 else street_clutter(rng)
        z = float(rng.uniform(crowd.near_m, crowd.far_m * 0.8))
        posts.append(Actor(solid, Placement(x, z, float(rng.normal(0, 0.4)))))
    return posts
