"""What each picture of a set is like: descriptor, hash and embedding, measured once for each picture and model."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.control.detectors import Detector
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.control.sets.duplicates import difference_hash
from edgekit.control.sets.embeddings import RULE, Backbone
from edgekit.core.progress import OnProgress
from edgekit.core.scene_descriptor import SceneDescriptor, describe, small_size, with_objects
from edgekit.core.strata import strata_of
from edgekit.core.wire import digest, from_wire, to_wire
from edgekit.errors import EdgekitError, VerifyError

_MEASURES = 1  # version of SceneDescriptor's measures
_COMMIT_EVERY = 64
_TABLE = (
    "CREATE TABLE IF NOT EXISTS facts "
    "(model TEXT, picture TEXT, facts TEXT, embedding BLOB, PRIMARY KEY (model, picture))"
)


@dataclass(frozen=True)
class PictureFacts:
    """One picture. embedding (D,) float16, empty without a detector. strata as of `core.strata`."""

    name: str
    path: Path
    sha256: str
    hash: str
    width_px: int
    height_px: int
    described: SceneDescriptor
    strata: tuple[str, ...]
    embedding: np.ndarray
    group: str = ""


def measure_set(
    project: Project, made: MaterialisedSet, detector: Detector | None, on_progress: OnProgress
) -> list[PictureFacts]:
    """The facts of every picture of a set, in the order of its names. One picture is decoded at a time.

    Without a detector objects are unknown and embeddings empty. Raises VerifyError for a picture that vanished.
    """
    labels = detector.spec.labels if detector else ()
    with _store(project.cache_dir / "scene_facts.sqlite3") as store:
        found = _Measuring(store, detector)
        facts = []
        for done, path in enumerate(made.paths, start=1):
            measured, fresh = found.of(path, made.digests[path.name])
            if fresh:
                on_progress(f"looking at set {made.name}", done, len(made.paths))
            facts.append(_with_set(measured, path, made, labels))
    return facts


@dataclass(frozen=True)
class _Measured:
    hash: str
    width_px: int
    height_px: int
    described: SceneDescriptor


def _with_set(
    measured: tuple[_Measured, np.ndarray], path: Path, made: MaterialisedSet, labels: Sequence[str]
) -> PictureFacts:
    facts, embedding = measured
    return PictureFacts(
        name=path.name,
        path=path,
        sha256=made.digests[path.name],
        hash=facts.hash,
        width_px=facts.width_px,
        height_px=facts.height_px,
        described=facts.described,
        strata=strata_of(facts.described, made.tags.get(path.name, ()), labels),
        embedding=embedding,
        group=made.groups.get(path.name, ""),
    )


class _Measuring:
    """Looks a picture up by model and content, or measures it now; the network is loaded when first needed."""

    def __init__(self, store: sqlite3.Connection, detector: Detector | None) -> None:
        self._store, self._detector = store, detector
        self._backbone: Backbone | None = None
        self._fresh = 0
        spec = to_wire(detector.spec) if detector else None
        self._model = digest([_MEASURES, RULE, spec])[:32]

    def of(self, path: Path, sha256: str) -> tuple[tuple[_Measured, np.ndarray], bool]:
        known = self._read(sha256)
        if known is not None:
            return known, False
        made = self._measure(path)
        row = (self._model, sha256, json.dumps(to_wire(made[0])), made[1].tobytes())
        self._store.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", row)
        self._fresh += 1
        if self._fresh % _COMMIT_EVERY == 0:
            self._store.commit()
        return made, True

    def _read(self, sha256: str) -> tuple[_Measured, np.ndarray] | None:
        query = "SELECT facts, embedding FROM facts WHERE model = ? AND picture = ?"
        row = self._store.execute(query, (self._model, sha256)).fetchone()
        try:
            return (from_wire(_Measured, json.loads(row[0])), np.frombuffer(row[1], np.float16)) if row else None
        except (ValueError, EdgekitError):
            return None

    def _measure(self, path: Path) -> tuple[_Measured, np.ndarray]:
        import cv2

        frame = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if frame is None:
            raise VerifyError(f"{path} can no longer be read as a picture", hint="run the same command again")
        height, width = frame.shape[:2]
        described = describe(cv2.resize(frame, small_size(width, height), interpolation=cv2.INTER_AREA))
        embedding = np.zeros(0, np.float16)
        if self._detector is not None:
            self._backbone = self._backbone or Backbone(self._detector.model_path, self._detector.spec)
            seen = self._backbone.see(path, width, height)
            described, embedding = with_objects(described, seen.found, seen.network_scale), seen.embedding
        return _Measured(difference_hash(frame), width, height, described), embedding


@contextmanager
def _store(path: Path) -> Iterator[sqlite3.Connection]:
    """The cache of facts. One that is damaged is begun anew: everything in it can be measured again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=60)
    try:
        connection.execute(_TABLE)
    except sqlite3.DatabaseError:
        connection.close()
        path.unlink(missing_ok=True)
        connection = sqlite3.connect(path, timeout=60)
        connection.execute(_TABLE)
    with closing(connection):
        try:
            yield connection
        finally:
            connection.commit()
