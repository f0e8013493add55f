"""Sets of drawn scenes: rendered once for each recipe into the cache, whole or not at all."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit import files
from edgekit.control.evaluation.truth import PictureTruth, Truth, make_truth, truth_from_json, truth_to_json
from edgekit.core.progress import OnProgress
from edgekit.core.wire import digest
from edgekit.errors import CalibrationError, ConfigError

_JPEG_QUALITY = 95  # a fifth of PNG's size; quantisation steps far below the scenes' own noise
_INDEX = "set.json"


@dataclass(frozen=True)
class SceneRecipe:
    """What decides the pictures of a rendered set, besides the code that draws them."""

    split: str
    count: int
    width: int
    height: int
    conditions: tuple[str, ...]  # picture i has condition i modulo their number

    @classmethod
    def of(
        cls, split: str, count: int, width: int, height: int, conditions: Sequence[str] | Literal["all"]
    ) -> SceneRecipe:
        """A recipe with "all" conditions spelt out."""
        from edgekit.scenes import CONDITIONS

        return cls(split, count, width, height, tuple(CONDITIONS if conditions == "all" else conditions))


@dataclass(frozen=True)
class RenderedSet:
    """Pictures on disk. digests: file name -> SHA-256 of the file; classes: names of the truth's class ids."""

    folder: Path
    digests: Mapping[str, str]
    truth: Truth
    classes: tuple[str, ...]


def condition_problems(conditions: Sequence[str] | Literal["all"]) -> list[str]:
    """What is wrong with the conditions of a set.yaml."""
    from edgekit.control.yaml_files import did_you_mean
    from edgekit.scenes import CONDITIONS

    if conditions == "all":
        return []
    unknown = [name for name in conditions if name not in CONDITIONS]
    known = f"known: {', '.join(CONDITIONS)}"
    problems = [f"scenes.conditions: no condition {n!r}; {did_you_mean(n, CONDITIONS) or known}" for n in unknown]
    return problems or ([] if conditions else ["scenes.conditions: expected at least one"])


def render_set(name: str, recipe: SceneRecipe, cache: Path, on_progress: OnProgress) -> RenderedSet:
    """The pictures of a recipe, from the cache or drawn now. An interrupted drawing leaves nothing behind.

    Raises CalibrationError if they cannot be written.
    """
    target = cache / f"{name}-{digest([asdict(recipe), _drawing_code_sha256()])[:12]}"
    found = _read_set(target, recipe)
    if found is not None:
        return found
    try:
        _sweep(cache, name, keep=target)
        _render(name, recipe, target, on_progress)
    except OSError as error:
        raise CalibrationError(
            f"the pictures of set {name} cannot be written: {error.strerror}",
            why=f"{shutil.disk_usage(cache if cache.exists() else Path.cwd()).free >> 20} MiB are free in {cache}",
            hint="free some disk space and run the same command again",
        ) from None
    made = _read_set(target, recipe)
    if made is None:
        raise CalibrationError(f"{target} changed while it was written", hint="run the same command again")
    return made


def _render(name: str, recipe: SceneRecipe, target: Path, on_progress: OnProgress) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}-{os.getpid()}-", suffix=".part", dir=target.parent))
    try:
        (part / "images").mkdir()
        part.chmod(0o755)
        pictures, entries = _render_pictures(name, recipe, part / "images", on_progress)
        truth = truth_to_json(make_truth(name, pictures))
        files.write_json(part / _INDEX, {"schema": 1, "files": dict(sorted(entries.items())), "truth": truth})
        _put_in_place(part, target, recipe)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _render_pictures(
    name: str, recipe: SceneRecipe, folder: Path, on_progress: OnProgress
) -> tuple[dict[str, PictureTruth], dict[str, list[Any]]]:
    """Draw every picture; the drawing spends its time in OpenCV and numpy, so threads use all cores."""
    pictures: dict[str, PictureTruth] = {}
    entries: dict[str, list[Any]] = {}
    on_progress(f"drawing set {name}", 0, recipe.count)
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    try:
        jobs = [pool.submit(_render_picture, recipe, index, folder) for index in range(recipe.count)]
        for done, job in enumerate(as_completed(jobs), start=1):
            file_name, truth, entry = job.result()
            pictures[file_name], entries[file_name] = truth, entry
            on_progress(f"drawing set {name}", done, recipe.count)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return pictures, entries


def _render_picture(recipe: SceneRecipe, index: int, folder: Path) -> tuple[str, PictureTruth, list[Any]]:
    import cv2

    from edgekit.scenes import render_scene, split_seed

    condition = recipe.conditions[index % len(recipe.conditions)]
    scene = render_scene(split_seed(recipe.split, index), condition, recipe.width, recipe.height)
    written, content = cv2.imencode(".jpg", scene.frame, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert written
    path = folder / f"{condition}-{index:05d}.jpg"
    path.write_bytes(content.tobytes())
    files.fsync_file(path)
    truth = PictureTruth(recipe.width, recipe.height, scene.truth, condition)
    return path.name, truth, [*_stamp(path), hashlib.sha256(content.tobytes()).hexdigest()]


def _put_in_place(part: Path, target: Path, recipe: SceneRecipe) -> None:
    """Give the finished folder its name. Another process may have finished the same set first: then its set stays."""
    if target.exists() and _read_set(target, recipe) is None:
        shutil.rmtree(target)
    try:
        part.rename(target)
        files.fsync_folder(target.parent)
    except OSError:
        if _read_set(target, recipe) is None:
            raise


def _read_set(target: Path, recipe: SceneRecipe) -> RenderedSet | None:
    """The set in a folder, or None if it is not there or a picture was changed, added or removed."""
    from edgekit.scenes import CLASSES

    try:
        index = json.loads((target / _INDEX).read_text("utf-8"))
        entries: dict[str, list[Any]] = index["files"]
        on_disk = {entry.name: entry for entry in os.scandir(target / "images")}
        same = on_disk.keys() == entries.keys() and len(entries) == recipe.count
        if not same or any(_stamp(Path(on_disk[name].path)) != entry[:2] for name, entry in entries.items()):
            return None
        truth = truth_from_json(index["truth"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError):
        return None
    return RenderedSet(target / "images", {name: entry[2] for name, entry in entries.items()}, truth, tuple(CLASSES))


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _sweep(cache: Path, name: str, keep: Path) -> None:
    """Remove half sets of processes that are gone, and sets of this name from older recipes."""
    for folder in cache.glob(f".{name}-*.part"):
        writer = folder.name.rsplit("-", 2)[-2]
        if not Path("/proc", writer).exists():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in cache.glob(f"{name}-????????????"):
        if folder != keep and (folder / _INDEX).is_file():
            shutil.rmtree(folder, ignore_errors=True)


@functools.lru_cache(maxsize=1)
def _drawing_code_sha256() -> str:
    """Digest of the code that draws: a set drawn by an older version is another set."""
    import edgekit.scenes

    folder = Path(edgekit.scenes.__file__).parent
    return digest([[path.name, files.sha256_file(path)] for path in sorted(folder.glob("*.py"))])
