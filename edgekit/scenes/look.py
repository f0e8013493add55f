"""Conditions: how much light there is, what colour the air has, and what the weather or the lens adds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Dict, Tuple

import numpy as np

Bgr = Tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """The light and the air of one picture. Colours are blue, green, red; ambient 1.0 is plain daylight."""

    ambient: Bgr = (1.0, 1.0, 1.0)
    sky_top: Bgr = (215, 165, 110)
    sky_low: Bgr = (235, 220, 205)
    haze: Bgr = (225, 215, 205)
    haze_per_m: float = 0.0015
    lamps: float = 0.0  # strength of glows, 0-1
    shadow: float = 0.5  # how dark shadows are, 0-1
    sun_x: float = 0.6  # shadow offset for each metre of height, metres to the right
    sun_z: float = 0.4  # the same, metres away from the camera
    snow: float = 0.0  # white on the ground, 0-1
    wet: float = 0.0  # darker road, 0-1
    rain: float = 0.0  # streaks, 0-1
    flakes: float = 0.0  # snow in the air, 0-1
    glare: float = 0.0  # a low sun in the picture, 0-1
    blur_px: float = 0.0  # motion blur in a 640-wide picture
    noise: float = 0.0  # standard deviation of the sensor noise, grey levels

    def shade(self, colours: np.ndarray, distance_m: float, light: float = 0.0) -> np.ndarray:
        """Colours (P, 3) as they arrive at the camera; light is what street lamps add at that place."""
        clear = float(np.exp(-self.haze_per_m * distance_m))
        lit = np.array(self.ambient) + light * np.array((0.55, 0.8, 1.0))
        return np.minimum(colours * lit, 255.0) * clear + np.array(self.haze) * (1.0 - clear)

    def hides(self, distance_m: float) -> bool:
        """True where the air leaves less than 5 % of the contrast: nobody could see an object there."""
        return bool(np.exp(-self.haze_per_m * distance_m) < 0.05)


def _day(rng: np.random.Generator) -> Look:
    level = float(rng.uniform(0.85, 1.1))
    warm = float(rng.uniform(-0.05, 0.05))
    cloudy = float(rng.random())
    top = tuple(float(a + (b - a) * cloudy) for a, b in zip((220, 160, 95), (205, 195, 185)))
    return Look(
        ambient=(level - warm, level, level + warm),
        sky_top=top,  # type: ignore[arg-type]
        shadow=0.55 * (1 - 0.7 * cloudy),
        sun_x=float(rng.uniform(-0.8, 0.8)),
        sun_z=float(rng.uniform(-0.3, 0.7)),
        noise=float(rng.uniform(0.5, 2.0)),
    )


def _dusk(rng: np.random.Generator) -> Look:
    level = float(rng.uniform(0.3, 0.5))
    return Look(
        ambient=(level * 1.15, level * 0.95, level),
        sky_top=(110, 70, 60),
        sky_low=(90, 130, 215),
        haze=(105, 105, 130),
        haze_per_m=0.003,
        lamps=0.55,
        shadow=0.15,
        noise=float(rng.uniform(2.0, 4.0)),
    )


def _night(rng: np.random.Generator) -> Look:
    level = float(rng.uniform(0.07, 0.15))
    return Look(
        ambient=(level * 1.2, level, level * 0.95),
        sky_top=(22, 12, 8),
        sky_low=(38, 26, 20),
        haze=(24, 18, 15),
        haze_per_m=0.003,
        lamps=float(rng.uniform(0.8, 1.0)),
        shadow=0.0,
        noise=float(rng.uniform(4.0, 7.0)),
    )


def _fog(rng: np.random.Generator) -> Look:
    level = float(rng.uniform(0.65, 0.9))
    grey = float(rng.uniform(165, 205))
    air = (grey + 4, grey + 1, grey)
    return Look(
        ambient=(level, level, level),
        sky_top=air,
        sky_low=air,
        haze=air,
        haze_per_m=1.0 / float(rng.uniform(11, 28)),
        lamps=0.25,
        shadow=0.1,
        noise=float(rng.uniform(1.0, 2.5)),
    )


def _rain(rng: np.random.Generator) -> Look:
    level = float(rng.uniform(0.5, 0.72))
    return Look(
        ambient=(level * 1.05, level, level * 0.96),
        sky_top=(135, 125, 118),
        sky_low=(165, 158, 150),
        haze=(150, 145, 140),
        haze_per_m=1.0 / float(rng.uniform(45, 100)),
        lamps=0.4,
        shadow=0.1,
        wet=1.0,
        rain=float(rng.uniform(0.5, 1.0)),
        noise=float(rng.uniform(1.5, 3.0)),
    )


def _snow(rng: np.random.Generator) -> Look:
    level = float(rng.uniform(0.75, 0.95))
    return Look(
        ambient=(level * 1.06, level, level * 0.97),
        sky_top=(205, 200, 195),
        sky_low=(215, 212, 208),
        haze=(214, 210, 206),
        haze_per_m=1.0 / float(rng.uniform(40, 90)),
        shadow=0.12,
        snow=float(rng.uniform(0.6, 0.95)),
        flakes=float(rng.uniform(0.5, 1.0)),
        noise=float(rng.uniform(1.0, 2.0)),
    )


def _low_sun(rng: np.random.Generator) -> Look:
    level = float(rng.uniform(0.42, 0.6))
    return Look(
        ambient=(level * 0.72, level * 0.9, level * 1.12),
        sky_top=(190, 160, 130),
        sky_low=(120, 190, 250),
        haze=(140, 190, 235),
        haze_per_m=0.006,
        shadow=0.6,
        sun_x=float(rng.uniform(-2.0, 2.0)),
        sun_z=-float(rng.uniform(1.2, 2.5)),
        glare=float(rng.uniform(0.7, 1.0)),
        noise=float(rng.uniform(0.8, 2.0)),
    )


def _blur(rng: np.random.Generator) -> Look:
    return replace(_day(rng), blur_px=float(rng.uniform(4.0, 9.0)))


def _noise(rng: np.random.Generator) -> Look:
    level = float(rng.uniform(0.35, 0.6))
    return replace(_day(rng), ambient=(level, level, level), noise=float(rng.uniform(16.0, 28.0)))


_LOOKS: Dict[str, Callable[[np.random.Generator], Look]] = {
    "day": _day,
    "dusk": _dusk,
    "night": _night,
    "fog": _fog,
    "rain": _rain,
    "snow": _snow,
    "low-sun": _low_sun,
    "blur": _blur,
    "noise": _noise,
    "occlusion": _day,  # the street is crowded instead: see traffic.py
    "tiny": _day,  # the objects are far away instead
}
CONDITIONS: Tuple[str, ...] = tuple(_LOOKS)


def random_look(rng: np.random.Generator, condition: str) -> Look:
    """One look of the named condition; ValueError if it is none of CONDITIONS."""
    if condition not in _LOOKS:
        raise ValueError(f"no condition {condition!r}; known: {', '.join(CONDITIONS)}")
    return _LOOKS[condition](rng)
