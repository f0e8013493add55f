"""Named rules from what a picture is like to the strata that a set of pictures should cover."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Mapping, Sequence, Tuple

from edgekit.core.scene_descriptor import SceneDescriptor

# Measured on drawn scenes of known condition, apart from those that accuracy is measured on: docs/adr/0019.
NIGHT_BELOW = 46.0  # mean luma
DUSK_BELOW = 78.0
FOG_HAZE = 72.0  # dark channel; snow comes as high, and shows edges
FOG_EDGES_BELOW = 0.078
GLARE_BLOB = 0.004  # of the picture, in one saturated patch
BLUR_SHARPNESS_BELOW: Mapping[str, float] = {"day": 1.5, "dusk": 1.3, "night": 1.0}  # lamps' glow is smooth by itself
NOISE_ABOVE = 2.4  # grey levels of the small copy
CROWDED_FROM = 20  # objects; by definition, not by measurement
TINY_SHARE = 0.10  # of the objects

# Axis -> its strata, the usual one first. Every picture lies in one stratum of each axis that is known for it.
AXES: Mapping[str, Tuple[str, ...]] = {
    "light": ("day", "dusk", "night"),
    "weather": ("clear", "fog"),
    "glare": ("none", "glare"),
    "blur": ("none", "blur"),
    "noise": ("none", "noise"),
    "objects": ("few", "empty", "crowded"),
    "size": ("usual", "tiny"),
}

# What people call their folders -> the stratum that this settles. Other tags are strata of their own: "tag:rain".
_WORDS: Mapping[str, Tuple[str, str]] = {
    "day": ("light", "day"),
    "daylight": ("light", "day"),
    "dusk": ("light", "dusk"),
    "dawn": ("light", "dusk"),
    "twilight": ("light", "dusk"),
    "night": ("light", "night"),
    "clear": ("weather", "clear"),
    "fog": ("weather", "fog"),
    "foggy": ("weather", "fog"),
    "mist": ("weather", "fog"),
    "glare": ("glare", "glare"),
    "low-sun": ("glare", "glare"),
    "backlight": ("glare", "glare"),
    "blur": ("blur", "blur"),
    "blurred": ("blur", "blur"),
    "noise": ("noise", "noise"),
    "noisy": ("noise", "noise"),
    "empty": ("objects", "empty"),
    "crowded": ("objects", "crowded"),
    "occlusion": ("objects", "crowded"),
    "tiny": ("size", "tiny"),
}


def strata_of(described: SceneDescriptor, tags: Sequence[str] = (), labels: Sequence[str] = ()) -> Tuple[str, ...]:
    """The strata of a picture as "axis:name", in the order of AXES, then "class:label" and "tag:word", sorted.

    A tag that is the word for a stratum wins over what was measured. labels: names of the detector's classes; a class
    id beyond them gives "class:ID". Without a detector a picture has no stratum of objects, size or class.
    """
    measured = measured_strata(described)
    known, others = _from_tags(tags)
    measured.update(known)
    classes = [f"class:{_label(number, labels)}" for number in described.class_ids]
    axes = [f"{axis}:{measured[axis]}" for axis in AXES if axis in measured]
    return (*axes, *sorted(classes), *sorted(others))


def measured_strata(described: SceneDescriptor) -> Dict[str, str]:
    """Axis -> stratum by the descriptor alone."""
    light = _light(described)
    foggy = described.haze >= FOG_HAZE and described.edges < FOG_EDGES_BELOW
    found = {
        "light": light,
        "weather": "fog" if foggy else "clear",
        "glare": "glare" if described.glare_blob >= GLARE_BLOB else "none",
        "blur": "blur" if described.sharpness < BLUR_SHARPNESS_BELOW[light] else "none",
        "noise": "noise" if described.noise >= NOISE_ABOVE else "none",
    }
    if described.objects >= 0:
        found["objects"] = _objects(described.objects)
    if described.objects > 0:
        found["size"] = "tiny" if described.tiny_objects >= TINY_SHARE else "usual"
    return found


def usual_strata() -> FrozenSet[str]:
    """The strata that every set has plenty of, by name."""
    return frozenset(f"{axis}:{names[0]}" for axis, names in AXES.items())


def _light(described: SceneDescriptor) -> str:
    if described.light < NIGHT_BELOW:
        return "night"
    return "dusk" if described.light < DUSK_BELOW else "day"


def _objects(number: int) -> str:
    if number == 0:
        return "empty"
    return "crowded" if number >= CROWDED_FROM else "few"


def _from_tags(tags: Sequence[str]) -> Tuple[Dict[str, str], List[str]]:
    known: Dict[str, str] = {}
    others = set()
    for tag in tags:
        word = tag.strip().lower().replace("_", "-")
        if word in _WORDS:
            axis, stratum = _WORDS[word]
            known[axis] = stratum
        elif word:
            others.add(f"tag:{word}")
    return known, sorted(others)


def _label(number: int, labels: Sequence[str]) -> str:
    return labels[number] if 0 <= number < len(labels) else str(number)
