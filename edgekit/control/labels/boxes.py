"""Labels between a set and a labelling tool: boxes and pictures, in no format's own terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.errors import ConfigError

Format = Literal["coco", "yolo", "cvat", "label-studio"]
FORMATS: tuple[Format, ...] = ("coco", "yolo", "cvat", "label-studio")
ORIGINS = ("labels", "detector", "none")

_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class LabelBox:
    """One object: left, top, right, bottom in pixels of the picture as it is shown, that is turned as its EXIF says.

    crowd: a region that neither counts nor harms (COCO iscrowd). score: below 1 only for a detector's proposal.
    """

    label: str
    box_xyxy: tuple[float, float, float, float]
    crowd: bool = False
    score: float = 1.0


@dataclass(frozen=True)
class HandedPicture:
    """A picture as it is given to a tool. origin: whose boxes they are, one of ORIGINS; "none" if nobody said anything.

    A picture whose origin is "labels" and that has no box is known to show nothing.
    """

    name: str
    width_px: int
    height_px: int
    origin: str
    boxes: tuple[LabelBox, ...] = ()
    condition: str = ""

    def __post_init__(self) -> None:
        if self.origin not in ORIGINS:
            raise ValueError(f"origin: expected one of {', '.join(ORIGINS)}, got {self.origin!r}")

    @property
    def labelled(self) -> bool:
        """True if somebody has said what is in it."""
        return self.origin == "labels"


@dataclass(frozen=True)
class Handed:
    """What is given to a tool. classes: in the order of their numbers, which start at 0."""

    set_name: str
    classes: tuple[str, ...]
    pictures: tuple[HandedPicture, ...]
    detector: str = ""


@dataclass(frozen=True)
class ReadBox:
    """A box as a file has it, with where it stands there. It is in pixels, or in shares of the picture."""

    label: str
    box_xyxy: tuple[float, float, float, float]
    place: str
    crowd: bool = False


@dataclass(frozen=True)
class ReadPicture:
    """A picture as a file has it. name: as the tool calls it; size_px is None where the file does not tell.

    looked_at: True if the file says that somebody settled what is in it, False if it says that it was skipped, None
    where the format cannot tell a picture that shows nothing from one that nobody looked at.
    """

    name: str
    size_px: tuple[int, int] | None
    boxes: tuple[ReadBox, ...]
    looked_at: bool | None = None


@dataclass(frozen=True)
class ReadLabels:
    """A file of labels. in_shares: boxes are shares of the picture, from 0 to 1, instead of pixels.

    has_crowd: whether the format can mark crowds; without, those of the set stay. name_is_stem: picture names come
    without their ending.
    """

    format: Format
    path: str
    pictures: tuple[ReadPicture, ...]
    in_shares: bool = False
    has_crowd: bool = True
    name_is_stem: bool = False
    notes: tuple[str, ...] = ()


def refuse_problems(what: str, problems: Sequence[str], hint: str = "") -> None:
    """Raise ConfigError with the first of these problems; do nothing if there are none."""
    if problems:
        rest = len(problems) - _MOST_PROBLEMS
        more = [f"and {rest} more"] if rest > 0 else []
        raise ConfigError(what, problems=[*problems[:_MOST_PROBLEMS], *more], hint=hint)


def has_crowd(pictures: Iterable[HandedPicture]) -> bool:
    """True if any box of these pictures is a crowd."""
    return any(box.crowd for picture in pictures for box in picture.boxes)
