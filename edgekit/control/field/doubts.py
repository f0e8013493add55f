"""Rules for frames of a device, one at a time: does it show anything, and is it what the device calls it?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from edgekit.control.field.look import Look
from edgekit.core.detector import DetectorSpec
from edgekit.core.field import KeptFrame
from edgekit.core.scene_descriptor import SceneDescriptor
from edgekit.core.strata import AXES, measured_strata

# Grey levels between the darkest and the brightest thousandth of the small copy. The least in drawn scenes of every
# condition is 66 (fog); a covered lens has what its sensor's noise leaves after averaging.
LEAST_SPREAD = 16.0

# How far the same picture may measure differently here and there: another JPEG decoder, and the rounding of both. JPEG
# at quality 95 moves drawn scenes by 0.15 grey levels of light, 1 of haze, 0.16 of noise, 0.0011 of glare.
_MARGINS = {"light": 8.0, "haze": 8.0, "edges": 0.015, "glare_blob": 0.003, "sharpness": 0.3, "noise": 0.8}
_PICTURE_AXES = ("light", "weather", "glare", "blur", "noise")
# Boxes made unrecognisable are coarse and of few colours, and the device measured before: only the light stays, nearly.
_LIGHT_MARGIN_BLURRED = 32.0


def foreign_problem(kept: KeptFrame, spec: DetectorSpec) -> str:
    """Why a frame is not one of this detector, by what it holds; "" if nothing says so."""
    unknown = sorted({one.label for one in kept.objects} - set(spec.labels))
    if unknown:
        return f"it has objects of classes that {spec.name} does not know: {', '.join(unknown[:5])}"
    beyond = [number for number in kept.described.class_ids if not 0 <= number < len(spec.labels)]
    if beyond:
        return f"it has objects of class {beyond[0]}, and {spec.name} has {len(spec.labels)} classes"
    return ""


def nothing_to_see(look: Look) -> str:
    """Why a picture shows nothing; "" if it shows something."""
    if look.spread >= LEAST_SPREAD or look.described is None:
        return ""
    brightness = "black" if look.described.light < LEAST_SPREAD else f"of one brightness, {look.described.light:.0f}"
    return f"it is {brightness}: {look.spread:.0f} grey levels between its darkest and brightest parts"


def contradiction(kept: KeptFrame, seen: SceneDescriptor) -> str:
    """How the device's strata contradict what is measured here, beyond the error of measuring; "" if they do not."""
    margins = _MARGINS | {"light": _LIGHT_MARGIN_BLURRED} if kept.blurred else _MARGINS
    possible = _possible_strata(seen, margins)
    for axis in ("light",) if kept.blurred else _PICTURE_AXES:
        said = _named(kept.strata, axis)
        wrong = [name for name in said if name not in possible[axis]]
        if len(said) > 1 or wrong:
            here = measured_strata(seen)[axis]
            return f"the device calls its {axis} {' and '.join(said)}, measured here it is {here}"
    return ""


def _named(strata: Sequence[str], axis: str) -> list[str]:
    """The strata of one axis among the names."""
    return sorted({name.split(":", 1)[1] for name in strata if name.startswith(f"{axis}:")})


def _possible_strata(seen: SceneDescriptor, margins: Mapping[str, float]) -> dict[str, set[str]]:
    """Axis -> the strata that measuring it again might give."""
    found: dict[str, set[str]] = {axis: set() for axis in AXES}
    for moved in _moved(seen, margins):
        for axis, name in measured_strata(moved).items():
            found[axis].add(name)
    return found


def _moved(seen: SceneDescriptor, margins: Mapping[str, float]) -> Iterator[SceneDescriptor]:
    """The descriptor as it is, and with every measure at either end of its error."""
    yield seen
    ends = [[getattr(seen, name) - margin, getattr(seen, name) + margin] for name, margin in margins.items()]
    for values in itertools.product(*ends):
        yield replace(seen, **dict(zip(margins, values, strict=True)))
