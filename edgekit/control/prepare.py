"""The model file that TensorRT is to build from, made on this machine where the route asks for another than its own."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.control.detectors import Detector
from edgekit.control.local_link import LocalLink
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import MaterialisedSet
from edgekit.core.engine import PreparedModel
from edgekit.core.precision import Route
from edgekit.core.progress import OnProgress
from edgekit.core.requests import PrepareAnswer, PrepareRequest
from edgekit.core.wire import digest, from_wire, to_wire
from edgekit.errors import EdgekitError
from edgekit.files import sha256_file, write_json

QUANTISER = "onnxruntime"
# Packages of this machine whose versions decide what a prepared model holds.
_TOOLS = ("onnx", "onnxruntime", "nvidia-modelopt")
_MODEL, _ANSWER = "model.onnx", "answer.json"


@dataclass(frozen=True)
class Preparation:
    """What a device builds from. prepared is None where that is the detector's own file."""

    model_path: Path
    prepared: PreparedModel | None = None
    head_layers: tuple[str, ...] = ()


def needs_preparation(route: Route, precision: str) -> bool:
    """True if this machine has to work on the model first: to make another, or to name the head's layers."""
    return route.prepares_model(precision) or route.name == "calibrator"


def prepare_model(
    project: Project,
    detector: Detector,
    route: Route,
    precision: str,
    calibration: MaterialisedSet | None,
    on_progress: OnProgress,
    *,
    keep_float: tuple[str, ...] = (),
    quantiser: str = QUANTISER,
) -> Preparation:
    """The model for a route and precision. What was prepared from the same things before is found again.

    Raises BuildError, ModelError or CalibrationError as the verb `prepare` does.
    """
    if not needs_preparation(route, precision):
        return Preparation(detector.model_path)
    # Only the quantiser looks at pictures; TensorRT's calibrator sees them on the device.
    pictures = calibration if route.name == "explicit" else None
    request = PrepareRequest(
        detector=detector.spec,
        model_path=str(detector.model_path.resolve()),
        out_path="",
        precision=precision,
        route=route.name,
        typed=route.typed,
        calibration_dir=str(pictures.folder.resolve()) if pictures else None,
        keep_float=keep_float,
        quantiser=quantiser,
    )
    project.ensure_state()
    folder = project.cache_dir / "prepared" / _key(request, pictures)[:16]
    answer = _read(folder) or _make(folder, request, on_progress)
    model_path = folder / _MODEL if answer.prepared else detector.model_path
    return Preparation(model_path, answer.prepared, answer.head_layers)


def _key(request: PrepareRequest, pictures: MaterialisedSet | None) -> str:
    """Digest of everything that goes in; paths do not."""
    spec = request.detector
    model = [spec.model_sha256, spec.input, spec.profile, spec.layout, spec.labels]
    wanted = [request.precision, request.route, request.typed, list(request.keep_float), request.quantiser]
    tools = [[name, _version(name)] for name in _TOOLS]
    return digest([*model, pictures.sha256 if pictures else None, *wanted, tools, _code_sha256()])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@functools.lru_cache(maxsize=1)
def _code_sha256() -> str:
    """Digest of the code that prepares models: a newer edgekit does not take an older one's work for its own."""
    folder = Path(__file__).resolve().parents[1] / "runtime" / "ort"
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()


def _make(folder: Path, request: PrepareRequest, on_progress: OnProgress) -> PrepareAnswer:
    """Ask the runtime on this machine, which has the packages onnx and onnxruntime that a Jetson lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    link = LocalLink("this machine", folder.parent)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as work:
        made = Path(work) / _MODEL
        asked = replace(request, out_path=str(made))
        answer = link.call("prepare", asked, PrepareAnswer, on_progress)
        (folder / _ANSWER).unlink(missing_ok=True)
        if answer.prepared:
            made.replace(folder / _MODEL)
    write_json(folder / _ANSWER, to_wire(answer))
    return answer


def _read(folder: Path) -> PrepareAnswer | None:
    """An earlier answer whose model file is still the one that it names."""
    try:
        answer = from_wire(PrepareAnswer, json.loads((folder / _ANSWER).read_text("utf-8")), _ANSWER)
        if answer.prepared and sha256_file(folder / _MODEL) != answer.prepared.sha256:
            return None
        return answer
    except (OSError, ValueError, EdgekitError):
        return None


def describe_preparation(route: Route, precision: str, calibration: MaterialisedSet | None) -> str:
    """What `prepare_model` will do, in a line for people."""
    if not needs_preparation(route, precision):
        return "nothing: the model is built as it is"
    done = []
    if route.name == "explicit":
        done.append(f"Q/DQ pairs, from {len(calibration.paths) if calibration else 0} pictures")
    if route.typed and precision != "fp32":
        done.append("FP16 types")
    if route.name == "calibrator":
        done.append("the names of the head's layers, which stay out of INT8")
    return f"on this machine: {' and '.join(done)}"
