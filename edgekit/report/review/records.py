"""What a project has recorded of its own work, for the level of a review that is about the team. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.gate import Gate
from edgekit.core.refresh import Refresh


@dataclass(frozen=True)
class Deployed:
    """The last deployment to a device. duration_s: of all its steps."""

    device: str
    detector: str
    precision: str
    duration_s: float
    changed: bool


@dataclass(frozen=True)
class ProjectRecords:
    """builds_s: build time of each engine that was measured, by engine id. results: how many were recorded, between.

    gates: INT8 against the engine that is not quantised. regression_gates: True for each that was passed.
    """

    devices: int = 0
    deployed: tuple[Deployed, ...] = ()
    refreshes: tuple[Refresh, ...] = ()
    gates: tuple[Gate, ...] = ()
    regression_gates: tuple[bool, ...] = ()
    builds_s: tuple[float, ...] = ()
    results: int = 0
    first_utc: str = ""
    last_utc: str = ""
