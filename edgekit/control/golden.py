"""The golden set of a detector: some pictures, and what its model answers for them, for the check ending a build."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import files
from edgekit.control.detectors import Detector
from edgekit.control.link import Link
from edgekit.control.project import Project
from edgekit.control.reference import reference_outputs
from edgekit.control.sets.calibration_sets import CalibrationSet, load_set, materialise
from edgekit.control.sets.scene_sets import SceneRecipe
from edgekit.core.engine import GoldenSet
from edgekit.core.progress import OnProgress
from edgekit.core.wire import digest

GOLDEN_PICTURES = 4
_PICTURES, _ANSWERS, _SUMS = "pictures", "expected.npz", "golden.json"


@dataclass(frozen=True)
class Golden:
    """A golden set on this machine."""

    pictures: Path  # a folder of nothing else
    expected: Path
    expected_sha256: str

    def place(self, link: Link) -> GoldenSet:
        """Make it readable on a device."""
        return GoldenSet(link.place(self.pictures), link.place(self.expected), self.expected_sha256)


def prepare_golden(project: Project, detector: Detector, on_progress: OnProgress) -> Golden:
    """The golden set of a detector, from the cache or made now: pictures of its frozen or calibration set, or drawn."""
    pictures = golden_pictures(project, detector, on_progress)
    project.ensure_state()
    folder = project.cache_dir / "golden" / _key(detector, pictures)[:16]
    found = _read(folder)
    if found is None:
        on_progress("golden pictures", 0, len(pictures))
        _make(folder, detector, pictures)
        on_progress("golden pictures", len(pictures), len(pictures))
        found = _read(folder)
        assert found is not None, "just written"
    return found


def golden_pictures(project: Project, detector: Detector, on_progress: OnProgress) -> tuple[Path, ...]:
    """Pictures spread over the detector's frozen set, its calibration set where there is none, or drawn scenes.

    Of a set that edgekit draws only so many are drawn: the whole set may take minutes.
    """
    name = detector.frozen or detector.calibration
    wanted = load_set(project, name) if name else None
    if wanted is None or wanted.scenes is not None:
        recipe = wanted.scenes if wanted else None
        recipe = recipe or SceneRecipe.of("frozen", GOLDEN_PICTURES, 1280, 720, "all")
        wanted = CalibrationSet("proof", project.calib_sets_dir, replace(recipe, count=GOLDEN_PICTURES), None)
    return spread(materialise(project, wanted, on_progress).paths, GOLDEN_PICTURES)


def spread(paths: Sequence[Path], count: int) -> tuple[Path, ...]:
    """`count` pictures evenly over a set, so that they show every condition it is sorted by."""
    step = max(1, len(paths) // count)
    return tuple(paths[::step][:count])


def _key(detector: Detector, pictures: Sequence[Path]) -> str:
    spec = detector.spec
    contents = [[path.name, files.sha256_file(path)] for path in pictures]
    return digest([spec.model_sha256, spec.input, spec.profile.optimum, spec.layout, contents])


def _make(folder: Path, detector: Detector, pictures: Sequence[Path]) -> None:
    """Write the set beside its place and move it there, whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".golden-", dir=folder.parent) as work:
        part = Path(work) / "set"
        (part / _PICTURES).mkdir(parents=True)
        copies = [part / _PICTURES / path.name for path in pictures]
        for path, copy in zip(pictures, copies, strict=True):
            shutil.copyfile(path, copy)
        answers = reference_outputs(detector.model_path, detector.spec, sorted(copies))
        _write_answers(part / _ANSWERS, answers)
        files.write_json(part / _SUMS, {"expected_sha256": files.sha256_file(part / _ANSWERS)})
        shutil.rmtree(folder, ignore_errors=True)
        try:
            part.replace(folder)
        except OSError:
            if _read(folder) is None:  # else another process was quicker
                raise


def _write_answers(path: Path, answers: Sequence[Mapping[str, np.ndarray]]) -> None:
    """An .npz of "<picture index>/<output name>", the form of core.engine.GoldenSet."""
    arrays: dict[str, Any] = {
        f"{i}/{name}": array for i, outputs in enumerate(answers) for name, array in outputs.items()
    }
    np.savez(path, **arrays)


def _read(folder: Path) -> Golden | None:
    try:
        sha256 = str(json.loads((folder / _SUMS).read_text("utf-8"))["expected_sha256"])
        if files.sha256_file(folder / _ANSWERS) != sha256:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Golden(folder / _PICTURES, folder / _ANSWERS, sha256)
