"""What a search for sensitive layers has found so far: kept as JSON after every step, so that it can go on later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edgekit.control.project import Project
from edgekit.control.records import read_record
from edgekit.control.sensitivity.rank import LayerHarm
from edgekit.core.gate import Gate
from edgekit.core.wire import to_wire
from edgekit.files import write_json


@dataclass(frozen=True)
class Attempt:
    """One INT8 engine, built on the device and judged.

    keep_float: the nodes kept in float, sorted. gate is None, and problem says why, where no engine came about.
    layers_quantised, layers_total: weighted layers.
    """

    keep_float: tuple[str, ...]
    engine_id: str
    layers_quantised: int
    layers_total: int
    gate: Optional[Gate]  # noqa: UP045 - from_wire knows no other form
    problem: str = ""

    @property
    def passed(self) -> bool:
        """True if the engine keeps what it must."""
        return self.gate is not None and self.gate.passed


@dataclass(frozen=True)
class Speed:
    """Inference p50 of three engines, measured in turn on the same pictures, so that they compare. In milliseconds.

    before_ms: INT8 as it was; 0 where it did not answer as its model does. engine_id: whose after_ms is.
    """

    engine_id: str
    baseline_ms: float
    before_ms: float
    after_ms: float


@dataclass(frozen=True)
class Search:
    """A search on one device. attempts: as they were made, first that with `start`, the detector's own keep_float.

    dataset: the set that engines are judged on, labelled_by as of Gate. quantiser: of the model on this machine in
    which layers were ranked, on the pictures ranked_on; harms: worst first, empty if there was nothing to mend.
    """

    device: str
    detector: str
    calibration: str
    dataset: str
    baseline_precision: str
    baseline_engine_id: str
    start: tuple[str, ...]
    quantiser: str = ""
    ranked_on: tuple[str, ...] = ()
    harms: tuple[LayerHarm, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    speed: Optional[Speed] = None  # noqa: UP045 - of the best attempt; None where nothing was mended
    schema: int = 1

    @property
    def first(self) -> Attempt:
        """INT8 as it was before the search."""
        return self.attempts[0]

    @property
    def best(self) -> Attempt | None:
        """Of the engines that pass, the one with the fewest layers in float; None if none passes."""
        passing = [attempt for attempt in self.attempts if attempt.passed]
        return min(passing, key=lambda attempt: len(attempt.keep_float), default=None)

    def of(self, keep_float: tuple[str, ...]) -> Attempt | None:
        """The attempt that kept exactly these nodes in float."""
        return next((attempt for attempt in self.attempts if attempt.keep_float == keep_float), None)


def search_path(project: Project, device: str, key: str) -> Path:
    """Where a search is kept."""
    return project.state_dir / "sensitivity" / device / f"{key[:16]}.json"


def load_search(path: Path) -> Search | None:
    """A search begun before, None if there is none that can be read."""
    return read_record(Search, path)


def save_search(path: Path, search: Search) -> None:
    """Keep a search; readers see the one before or this one."""
    write_json(path, to_wire(search))
