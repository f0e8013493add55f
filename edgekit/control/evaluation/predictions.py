"""What an engine finds in the pictures of a set, asked once: kept on this machine by engine, set and detector."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.detectors import Detector
from edgekit.control.link import Link, engine_dir
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.core.engine import EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.core.requests import PredictAnswer, PredictRequest
from edgekit.core.stats import LatencySummary
from edgekit.core.wire import digest, from_wire, to_wire
from edgekit.errors import EdgekitError
from edgekit.files import sha256_file, write_json

KEPT_FILES = 48  # of one device, the newest: some megabytes each


@dataclass(frozen=True)
class Predicted:
    """path: JSON lines as of PredictRequest. inference: as the device timed it, one picture at a time."""

    path: Path
    sha256: str
    inference: LatencySummary


@dataclass(frozen=True)
class _Note:
    """Lies beside a file of predictions and comes after it: without it the file counts for nothing."""

    sha256: str
    inference: LatencySummary
    schema: int = 1


def predictions_dir(project: Project, device: str) -> Path:
    """Where the predictions of a device's engines are kept. The folder may be removed at any time."""
    return project.cache_dir / "predictions" / device


def predictions_of(
    link: Link, detector: Detector, engine: EngineManifest, made: MaterialisedSet, keep: Path, on_progress: OnProgress
) -> Predicted:
    """What an engine on a device finds in a set, at the low threshold that average precision wants; from `keep` if
    this very engine was asked before. Raises what the verb `predict` ends with."""
    path = keep / f"{engine.engine_id}-{_key(detector, engine, made)}.jsonl"
    found = known_predictions(path)
    if found is not None:
        return found
    keep.mkdir(parents=True, exist_ok=True)
    with link.work_folder() as work:
        out = f"{work}/predictions.jsonl"
        request = PredictRequest(engine_dir(link, engine.engine_id), detector.spec, link.place(made.folder), out)
        answer = link.call("predict", request, PredictAnswer, on_progress)
        link.fetch(out, path)
    predicted = note_predictions(path, answer.inference)
    _forget_oldest(keep)
    return predicted


def note_predictions(path: Path, inference: LatencySummary) -> Predicted:
    """Make a file of predictions count from now on."""
    predicted = Predicted(path, sha256_file(path), inference)
    write_json(_note(path), to_wire(_Note(predicted.sha256, inference)))
    return predicted


def known_predictions(path: Path) -> Predicted | None:
    """Predictions kept before, None if there are none, or not those that were noted."""
    try:
        note = from_wire(_Note, json.loads(_note(path).read_text("utf-8")), path.name)
        return Predicted(path, note.sha256, note.inference) if sha256_file(path) == note.sha256 else None
    except (OSError, ValueError, EdgekitError):
        return None


def _key(detector: Detector, engine: EngineManifest, made: MaterialisedSet) -> str:
    return digest([engine.file_sha256, made.sha256, to_wire(detector.spec)])[:16]


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _forget_oldest(keep: Path) -> None:
    files = sorted(keep.glob("*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[KEPT_FILES:]:
        _note(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
