"""What is wrong with labels that come back: classes, sizes and boxes that cannot be. Each problem is a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.control.labels.boxes import Format, LabelBox, ReadBox, ReadLabels
from edgekit.control.yaml_files import did_you_mean

_EDGE_PX = 1.0  # by how much a box may reach over the edge: tools round; it is cut off there
_LEAST_SIDE_PX = 1.0

_UNITS: dict[Format, str] = {
    "coco": "; pixels are expected",
    "cvat": "; pixels are expected",
    "yolo": "; shares of the picture from 0 to 1 are expected, not pixels or percent",
    "label-studio": "; percent of the picture are expected, not pixels",
}


def class_problems(read: ReadLabels, classes: Sequence[str]) -> Iterator[str]:
    """Classes that neither the set nor its detector has, each once, with where it occurs first."""
    places: dict[str, list[str]] = {}
    for picture in read.pictures:
        for box in picture.boxes:
            if box.label not in classes:
                places.setdefault(box.label, []).append(box.place)
    for label, where in places.items():
        guess = did_you_mean(label, classes) or f"known: {', '.join(classes[:20])}"
        yield f"{where[0]}: class {label!r} is none of the set's ({len(where)} boxes); {guess}"


def other_size(said: tuple[int, int], size: tuple[int, int]) -> str:
    """What to say of labels that are for pictures of another size [width, height in px]."""
    turned = said == size[::-1]
    why = "the tool ignores that EXIF turns it" if turned else "export from the tool without resizing"
    return f"labels for {said[0]}x{said[1]} px, the picture has {size[0]}x{size[1]}; {why}"


def in_pixels(box: ReadBox, in_shares: bool, size: tuple[int, int]) -> LabelBox:
    """A box as it was read, in pixels of a picture of that size."""
    width, height = size if in_shares else (1, 1)
    left, top, right, bottom = box.box_xyxy
    return LabelBox(box.label, (left * width, top * height, right * width, bottom * height), box.crowd)


def box_problem(box: LabelBox, size: tuple[int, int], read: ReadLabels) -> str:
    """What is wrong with a box in a picture of that size, or nothing."""
    left, top, right, bottom = box.box_xyxy
    shown = f"{box.label} {left:.1f}, {top:.1f} to {right:.1f}, {bottom:.1f} px in {size[0]}x{size[1]}"
    if right <= left or bottom <= top:
        return f"a box without area: {shown}"
    if right - left < _LEAST_SIDE_PX or bottom - top < _LEAST_SIDE_PX:
        hint = "" if read.in_shares else "; are these shares of the picture? pixels are expected"
        return f"a box smaller than a pixel: {shown}{hint}"
    over = max(-left, -top, right - size[0], bottom - size[1])
    if over > _EDGE_PX:
        hint = _UNITS[read.format] if over > max(size) / 2 else ""
        return f"a box that reaches {over:.1f} px over the edge: {shown}{hint}"
    return ""


def cut_to(edges: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Edges that lie within a picture of that size."""
    left, top, right, bottom = edges
    return max(0.0, left), max(0.0, top), min(float(size[0]), right), min(float(size[1]), bottom)
