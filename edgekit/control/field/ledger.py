"""What was decided of field frames, for good: the side of each that went into a set, and those that were refused.

sides.json lies beside set.yaml of field-<device>, to be kept with it: a frame that was measured on once must never be
calibrated on. judged.json lies beside the frames themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edgekit import files
from edgekit.control.project import Project
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError

CALIB, HOLDOUT, OUT = "calib", "holdout", "out"  # out: a person took it out of both
SIDES = (CALIB, HOLDOUT, OUT)
SIDES_NAME = "sides.json"
JUDGED_NAME = "judged.json"

T = TypeVar("T")


@dataclass(frozen=True)
class Side:
    """Where one frame went. from_s, to_s: the stretch of time of its camera that stays on one side, to_s not in it."""

    side: str
    stream: str
    time_unix_s: float
    from_s: float
    to_s: float

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise ValueError(f"side: expected one of {', '.join(SIDES)}, got {self.side!r}")


@dataclass(frozen=True)
class Sides:
    """Every frame of a device that ever went into a field set, by SHA-256."""

    device: str
    frames: dict[str, Side] = field(default_factory=dict)
    schema: int = 1

    def count(self, side: str) -> int:
        """How many frames are on that side."""
        return sum(one.side == side for one in self.frames.values())


@dataclass(frozen=True)
class _Judged:
    frames: dict[str, str]
    schema: int = 1


def set_names_of(device: str) -> tuple[str, str]:
    """The names of a device's two field sets: for calibrating, and held out for measuring."""
    return f"field-{device}", f"field-{device}-holdout"


def read_sides(project: Project, device: str) -> Sides:
    """The sides of a device's frames, empty before the first. Raises ConfigError for a file that is damaged or of
    another device: begun anew it could move a frame from one side to the other."""
    path = _sides_path(project, device)
    found = _read(path, Sides, "bring it back from version control; it keeps hold-out frames from being calibrated on")
    if found is not None and found.device != device:
        raise ConfigError(
            f"{path} is of device {found.device!r}",
            why=f"{set_names_of(device)[0]} is also what a set of {found.device} is called",
            hint="give one of the two devices another name",
        )
    return found or Sides(device)


def write_sides(project: Project, sides: Sides) -> None:
    """Replace the file."""
    files.write_json(_sides_path(project, sides.device), to_wire(sides))


def read_judged(folder: Path) -> Mapping[str, str]:
    """SHA-256 -> why, of the frames of this folder that were refused before. Raises ConfigError for a damaged file."""
    found = _read(folder / JUDGED_NAME, _Judged, "delete it: the frames it refused are then judged again")
    return found.frames if found else {}


def add_judged(folder: Path, refused: Iterable[tuple[str, str]]) -> None:
    """Remember (SHA-256, why), besides what is remembered already."""
    before = dict(read_judged(folder))
    now = before | {sha256: why for sha256, why in refused if sha256}
    if now != before:
        files.write_json(folder / JUDGED_NAME, to_wire(_Judged(now)))


def forget_judged(folder: Path) -> int:
    """Let refused frames be judged again; how many there were."""
    count = len(read_judged(folder))
    (folder / JUDGED_NAME).unlink(missing_ok=True)
    return count


def _sides_path(project: Project, device: str) -> Path:
    return project.calib_sets_dir / set_names_of(device)[0] / SIDES_NAME


def _read(path: Path, kind: type[T], hint: str) -> T | None:
    try:
        return from_wire(kind, json.loads(path.read_text("utf-8")), str(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ConfigError) as error:
        raise ConfigError(f"{path} cannot be used", why=str(error), hint=hint) from None
