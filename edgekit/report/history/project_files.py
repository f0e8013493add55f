"""The records that a project's files hold: evaluations, gates, verifications, refreshes. The files stay the truth.

    evaluations/DEVICE/ID.json    what `edgekit eval` found
    gates/DEVICE/ENGINE-KEY.json  an engine against another, while deploying, refreshing or evaluating
    verified/DEVICE/ENGINE-KEY.json    the accuracy of a build
    refreshes/DEVICE/TIME.json    a refresh

An id follows from a file's name, so that what is in a history already is not even opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from edgekit.core.gate import Gate
from edgekit.core.progress import OnProgress
from edgekit.core.verification import Verification
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError
from edgekit.files import write_json
from edgekit.report.history.adding import Added
from edgekit.report.history.adding_records import Record
from edgekit.report.history.evaluation_sources import of_gate, of_verification
from edgekit.report.history.evaluations import EvaluationRecord, evaluation_of
from edgekit.report.history.records import Records
from edgekit.report.history.refreshes import refresh_of
from edgekit.report.load import read_object

EVALUATIONS_DIR = "evaluations"
_PREFIXES = {
    EVALUATIONS_DIR: "",
    "refreshes": "refresh-{device}-",
    "gates": "judged-{device}-",
    "verified": "verified-{device}-",
}


@dataclass(frozen=True)
class RecordFile:
    """A file of the project and the id of the record in it. kind: the name of its folder of folders."""

    path: Path
    kind: str
    device: str
    record_id: str

    @property
    def engine_id(self) -> str:
        """Of a gate, the candidate's, or of a verification: the beginning of the file's name."""
        return self.path.stem.partition("-")[0]


@dataclass(frozen=True)
class CaughtUp:
    """What became of the records that were not in the history; problems: a line for each file that gave none."""

    added: tuple[Added, ...] = ()
    problems: tuple[str, ...] = ()


def save_evaluation(state_dir: Path, record: EvaluationRecord) -> Path:
    """Keep an evaluation beside the others of its device; the same figures found again leave the file as it is."""
    path = state_dir / EVALUATIONS_DIR / record.device / f"{record.evaluation_id}.json"
    if not path.exists():
        write_json(path, to_wire(record))
    return path


def record_files(state_dir: Path) -> tuple[RecordFile, ...]:
    """All of them. Of an engine that was held against another, its verification is told by the gate and left out."""
    files = [file for kind in _PREFIXES for file in _of_kind(state_dir, kind)]
    judged = {(file.device, file.engine_id) for file in files if file.kind == "gates"}
    return tuple(file for file in files if file.kind != "verified" or (file.device, file.engine_id) not in judged)


def _of_kind(state_dir: Path, kind: str) -> Iterator[RecordFile]:
    for path in sorted((state_dir / kind).glob("*/*.json")):
        if not path.name.startswith("."):
            device = path.parent.name
            yield RecordFile(path, kind, device, _PREFIXES[kind].format(device=device) + _short(kind, path.stem))


def _short(kind: str, stem: str) -> str:
    """Of ENGINE-KEY enough to tell it from every other, and to be typed."""
    engine_id, _, key = stem.partition("-")
    return f"{engine_id[:8]}-{key[:8]}" if kind in ("gates", "verified") else stem


def catch_up(state_dir: Path, records: Records, on_progress: OnProgress = lambda *_: None) -> CaughtUp:
    """Add what the project's files hold and the history does not, evaluations first: their gates say no more."""
    found, problems = read_new(state_dir, records)
    return CaughtUp(records.add_all(found, on_progress=on_progress), problems) if found else CaughtUp((), problems)


def read_new(
    state_dir: Path, records: Records | None, *, everything: bool = False
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """What is in the files and not in the history (None: there is none yet), and a line for each that is damaged.

    everything: also what is there, to find out whether a file was changed since.
    """
    files = record_files(state_dir)
    settled = records.settled([file.record_id for file in files]) if records and not everything else frozenset()
    found: list[Record] = []
    problems: list[str] = []
    for file in files:
        if file.record_id in settled:
            continue
        try:
            found += _read(file, state_dir)
        except ConfigError as error:
            problems.append(f"{file.kind}/{file.device}/{file.path.name}: {' '.join(str(error).split())}")
    return tuple(_with_detectors(found, state_dir, records)), tuple(problems)


def _read(file: RecordFile, state_dir: Path) -> list[Record]:
    data, name = read_object(file.path), file.path.name
    if file.kind == EVALUATIONS_DIR:
        return [evaluation_of(data, name)]
    if file.kind == "refreshes":
        return [refresh_of(data, name)]
    # A judgement says no time of its own; its file was written when it was made, and never since.
    written = datetime.fromtimestamp(file.path.stat().st_mtime, timezone.utc).replace(tzinfo=None)
    if file.kind == "gates":
        gate = from_wire(Gate, data, name)
        checked = _verification_of(state_dir, file, gate.dataset_sha256)
        return [of_gate(file.record_id, gate, file.device, "", written, checked)]
    record = of_verification(file.record_id, from_wire(Verification, data, name), file.device, "", written)
    return [record] if record else []


def _verification_of(state_dir: Path, file: RecordFile, dataset_sha256: str) -> Verification | None:
    """How the candidate of a gate was verified, if that was on the same set."""
    for path in sorted((state_dir / "verified" / file.device).glob(f"{file.engine_id}-*.json")):
        try:
            found = from_wire(Verification, read_object(path), path.name)
        except ConfigError:
            continue
        if found.accuracy is not None and found.accuracy.dataset_sha256 == dataset_sha256:
            return found
    return None


def _with_detectors(found: Sequence[Record], state_dir: Path, records: Records | None) -> Iterator[Record]:
    """Gates and verifications do not say whose engines they are about; other records do."""
    nameless = {one.engine_id for one in found if isinstance(one, EvaluationRecord) and not one.detector}
    known = _detectors_told(found, state_dir) if nameless else {}
    unknown = nameless - set(known)
    if records is not None and unknown:
        known |= records.detectors_of(unknown)
    for one in found:
        if isinstance(one, EvaluationRecord) and not one.detector:
            yield replace(one, detector=known.get(one.engine_id, ""))
        else:
            yield one


def _detectors_told(found: Sequence[Record], state_dir: Path) -> dict[str, str]:
    """Engine id -> detector, as deployments, engines of this machine and these records themselves tell."""
    known: dict[str, str] = {}
    for path in (state_dir / "devices").glob("*/deploy.json"):
        known |= _of_deployment(path)
    for path in (state_dir / "devices").glob("*/engines/*/engine.json"):
        known[path.parent.name] = _text(path, "detector")
    for one in found:
        if isinstance(one, EvaluationRecord):
            ids: tuple[str | None, ...] = (one.engine_id, one.reference_engine_id) if one.detector else ()
        else:
            ids = (one.serving_engine_id, one.unquantised_engine_id, one.candidate_engine_id)
        known |= {engine_id: one.detector for engine_id in ids if engine_id}
    return {engine_id: detector for engine_id, detector in known.items() if detector}


def _of_deployment(path: Path) -> dict[str, str]:
    try:
        data = read_object(path)
        detector, checked = data.get("detector"), data.get("verifications") or ()
        return {str(one["engine_id"]): str(detector) for one in checked} if detector else {}
    except (ConfigError, TypeError, KeyError):
        return {}


def _text(path: Path, key: str) -> str:
    try:
        return str(read_object(path).get(key) or "")
    except ConfigError:
        return ""
