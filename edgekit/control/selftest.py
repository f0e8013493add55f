"""The self-test of a release: two pictures, and what the verified engine finds in them on its own device.

It is made once, right after an engine was verified, and kept beside the verification record: deploying the same engine
again gives the very same release.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.control.link import Link, engine_dir
from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.core.requests import DetectAnswer, DetectRequest
from edgekit.core.selftest import SELFTEST_NAME, SelfTestPicture, SelfTestPlan, objects_of
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import EdgekitError, SourceError
from edgekit.files import sha256_file, write_bytes, write_json

PICTURES = 2
PICTURE_BYTES = 150_000
# Tried from the best to the smallest: the longest side in pixels, and JPEG's quality.
_SIZES = tuple((side, quality) for side in (1920, 1280, 960, 640, 320) for quality in (90, 75))


@dataclass(frozen=True)
class SelfTest:
    """A self-test on this machine: its plan, and the folder that holds selftest.json and the pictures."""

    plan: SelfTestPlan
    folder: Path

    @property
    def paths(self) -> dict[str, Path]:
        """Its files by the names that they have in a release's folder selftest/."""
        names = (SELFTEST_NAME, *(picture.file_name for picture in self.plan.pictures))
        return {name: self.folder / name for name in names}


def prepare_selftest(
    link: Link,
    detector: DetectorSpec,
    engine: EngineManifest,
    pictures: Sequence[Path],
    record: Path,
    on_progress: OnProgress,
) -> SelfTest:
    """The self-test of a verified engine: the one kept beside its verification record, or made now on the device.

    pictures: the ones to choose from, those of the golden set. Raises what detecting on the device raises.
    """
    kept = load_selftest(record)
    if kept is not None:
        return kept
    with tempfile.TemporaryDirectory(prefix="edgekit-selftest-") as name:
        folder = Path(name) / "pictures"
        _gather(pictures, folder)
        found = _detect(link, detector, engine, folder, Path(name) / "found.jsonl", on_progress)
        _keep(_plan(detector, engine, folder, found), folder, selftest_folder(record))
    made = load_selftest(record)
    assert made is not None, "just written"
    return made


def selftest_folder(record: Path) -> Path:
    """Where the self-test of an engine is kept, beside its verification record."""
    return record.with_suffix(".selftest")


def load_selftest(record: Path) -> SelfTest | None:
    """A self-test made before, None if there is none that is whole."""
    folder = selftest_folder(record)
    try:
        plan = from_wire(SelfTestPlan, json.loads((folder / SELFTEST_NAME).read_text("utf-8")), SELFTEST_NAME)
        whole = all(sha256_file(folder / picture.file_name) == picture.sha256 for picture in plan.pictures)
    except (OSError, ValueError, EdgekitError):
        return None
    return SelfTest(plan, folder) if whole else None


def _gather(pictures: Sequence[Path], folder: Path) -> None:
    """Copies that are small enough to travel with every release, as JPEG, named by their order."""
    folder.mkdir()
    for index, path in enumerate(pictures):
        (folder / f"{index:02}.jpg").write_bytes(small_jpeg(path))


def small_jpeg(path: Path) -> bytes:
    """A picture as JPEG of at most PICTURE_BYTES: as it is, or made smaller. Raises SourceError if it is no picture."""
    content = path.read_bytes()
    if path.suffix.lower() in (".jpg", ".jpeg") and len(content) <= PICTURE_BYTES:
        return content
    import cv2

    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise SourceError(f"{path} cannot be decoded", why="the file is damaged or no picture")
    for side, quality in _SIZES:
        share = min(1.0, side / max(pixels.shape[:2]))
        smaller = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA) if share < 1 else pixels
        made = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(made) <= PICTURE_BYTES:
            break
    return made


def _detect(
    link: Link, detector: DetectorSpec, engine: EngineManifest, folder: Path, lines: Path, on_progress: OnProgress
) -> dict[str, Detections]:
    """What the engine finds there, by file name: along the very path that the service's frames take."""
    with link.work_folder() as work:
        out = f"{work}/selftest.jsonl"
        directory = engine_dir(link, engine.engine_id)
        request = DetectRequest(directory, detector, link.place(folder), sinks=(f"jsonl:{out}",))
        link.call("detect", request, DetectAnswer, on_progress)
        link.fetch(out, lines)
    records: list[dict[str, Any]] = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    return {Path(record["name"]).name: Detections.from_records(record["detections"]) for record in records}


def _plan(detector: DetectorSpec, engine: EngineManifest, folder: Path, found: dict[str, Detections]) -> SelfTestPlan:
    plans = [_picture(detector, path, found[path.name]) for path in sorted(folder.iterdir())]
    best = sorted(plans, key=lambda item: _worth(engine, detector, item), reverse=True)[:PICTURES]
    chosen = tuple(sorted(best, key=lambda item: item.file_name))
    return SelfTestPlan(engine.engine_id, detector.confidence, chosen)


def _picture(detector: DetectorSpec, path: Path, found: Detections) -> SelfTestPicture:
    return SelfTestPicture(path.name, sha256_file(path), objects_of(found, detector.labels))


def _worth(engine: EngineManifest, detector: DetectorSpec, picture: SelfTestPicture) -> tuple[int, int]:
    """Sure objects first, for they are what is found again; then any."""
    return SelfTestPlan(engine.engine_id, detector.confidence, (picture,)).sure_objects, len(picture.objects)


def _keep(plan: SelfTestPlan, pictures: Path, folder: Path) -> None:
    """The plan last: without it there is no self-test, and the next run makes it again."""
    shutil.rmtree(folder, ignore_errors=True)
    for picture in plan.pictures:
        write_bytes(folder / picture.file_name, (pictures / picture.file_name).read_bytes())
    write_json(folder / SELFTEST_NAME, to_wire(plan))
