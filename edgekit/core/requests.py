"""What the host asks of device code, one dataclass a verb: `python -m edgekit.runtime VERB REQUEST.json`.

Here is what concerns models and engines; what concerns releases and services is in core/deployment.py.

The device answers on standard output with one JSON object a line: any number of
{"event": "progress", "what": str, "done": int, "total": int} and last either {"event": "result", "result": {...}}
or {"event": "error", "error": {...}} (errors.error_to_dict) with the error's exit code. Logs go to standard error.
Paths are on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineLayer, PreparedModel
from edgekit.core.events import EventSettings
from edgekit.core.preflight import Preflight, Setting
from edgekit.core.results import Conditions, Measurement
from edgekit.core.stats import LatencySummary, Rate
from edgekit.core.tensors import TensorSpec


@dataclass(frozen=True)
class PrepareRequest:
    """Make the model file that TensorRT is to build from: verb `prepare`. Answered on the host's own machine.

    It needs onnx and onnxruntime, which a Jetson lacks. Nothing is written if the model can be used as it is, which
    `prepared` None says. quantiser is "onnxruntime" or "modelopt".
    """

    detector: DetectorSpec
    model_path: str
    out_path: str
    precision: str
    route: str
    typed: bool
    calibration_dir: Optional[str] = None
    keep_float: Tuple[str, ...] = ()
    quantiser: str = "onnxruntime"
    schema: int = 1


@dataclass(frozen=True)
class PrepareAnswer:
    prepared: Optional[PreparedModel]
    # Nodes from the head's last convolutions to the outputs; on the calibrator route also what keep_float names, with
    # its activations.
    head_layers: Tuple[str, ...]


@dataclass(frozen=True)
class InspectRequest:
    """Check an engine's files, and with `open` ask TensorRT what is in its plan: verb `inspect`.

    A plan is opened only if its files are whole and its manifest admits this device.
    """

    engine_dir: str
    open: bool = False
    schema: int = 1


@dataclass(frozen=True)
class FileCheck:
    """A file of an engine against its manifest. state: "whole", "missing", "cut short" or "altered"."""

    file_name: str
    state: str
    bytes: int  # as found
    expected_bytes: int


@dataclass(frozen=True)
class OpenedEngine:
    """What TensorRT says of a plan. A layer's fields are empty where the plan was built without details."""

    tensorrt: str
    layers: Tuple[EngineLayer, ...]
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    activation_mib: float  # device memory one execution context takes


@dataclass(frozen=True)
class InspectAnswer:
    files: Tuple[FileCheck, ...]  # the engine itself first
    opened: Optional[OpenedEngine] = None


@dataclass(frozen=True)
class PredictRequest:
    """Detect on every picture of a folder, for accuracy: verb `predict`. Writes JSON lines to out_path, each
    {"image": file name, "width": px, "height": px, "detections": Detections.to_records()}, sorted by name."""

    engine_dir: str
    detector: DetectorSpec
    images_dir: str
    out_path: str
    confidence: float = 0.001
    iou: float = 0.7
    max_detections: int = 300
    threads: int = 0
    schema: int = 1


@dataclass(frozen=True)
class PredictAnswer:
    images: int
    detections: int
    inference: LatencySummary


@dataclass(frozen=True)
class GoldenRequest:
    """Raw outputs for the pictures of a folder: verb `golden`. Writes an .npz of "<picture index>/<output name>"."""

    engine_dir: str
    detector: DetectorSpec
    images_dir: str
    out_path: str
    threads: int = 0
    schema: int = 1


@dataclass(frozen=True)
class GoldenAnswer:
    images: int
    outputs: Tuple[str, ...]


@dataclass(frozen=True)
class DetectRequest:
    """Run one or several sources through the pipeline into sinks: verb `detect`.

    batch 0: one item for each source, as far as the engine takes it. names: of the sources, for frames, events and
    files; without them they are made of the addresses. events: None if objects are not to be followed.
    """

    engine_dir: str
    detector: DetectorSpec
    source: str
    sinks: Tuple[str, ...] = ()
    max_frames: Optional[int] = None
    threads: int = 0
    more_sources: Tuple[str, ...] = ()
    batch: int = 0
    names: Tuple[str, ...] = ()
    events: Optional[EventSettings] = None
    schema: int = 1

    @property
    def sources(self) -> Tuple[str, ...]:
        """All of them."""
        return (self.source, *self.more_sources)


@dataclass(frozen=True)
class StreamCounts:
    """What went through of one of several sources. error: why it ended before the others, "" if it did not fail."""

    stream: str
    source: str
    frames: int
    dropped: int
    detections: int
    error: str = ""


@dataclass(frozen=True)
class PlaceEvents:
    """How often something happened at a zone or line. direction: of crossings, else ""."""

    kind: str
    place: str
    direction: str
    count: int


@dataclass(frozen=True)
class DetectAnswer:
    """bad_frames: those whose outputs held NaN or infinity; they are not among `frames`, and no sink got them."""

    frames: int
    dropped: int
    detections: int
    per_label: Tuple[Tuple[str, int], ...]
    rate: Optional[Rate]
    frame_age: Optional[LatencySummary]
    written: Tuple[str, ...]  # files and folders the sinks wrote
    skipped: Tuple[str, ...] = ()  # pictures of a folder that could not be read, with the reason
    streams: Tuple[StreamCounts, ...] = ()  # of several sources, in their order; empty for a single one
    batch: int = 1
    bad_frames: int = 0
    objects: Optional[int] = None  # that were followed; None if none were to be
    events: Tuple[PlaceEvents, ...] = ()


@dataclass(frozen=True)
class BenchRequest:
    """Measure one engine: verb `bench`. scenario is one of core.results.SCENARIOS.

    "pipeline": the engine alone and the pipeline alternate in one run, so they compare. "streams": source is opened
    1, 2, 4 ... up to `streams` times, or each of more_sources joins. "soak": duration_s in `parts` equal parts.
    power_every_s: between two samples of the power sensors; idle_s: how long the idle machine is sampled first.
    """

    engine_dir: str
    detector: DetectorSpec
    source: str = "memory://?width=1920&height=1080&frames=32"
    batch: int = 1
    warmup_frames: int = 20
    duration_s: float = 10.0
    threads: int = 0
    scenario: str = "pipeline"
    streams: int = 1
    more_sources: Tuple[str, ...] = ()
    parts: int = 12
    power_every_s: float = 0.1
    idle_s: float = 2.0
    schema: int = 2


@dataclass(frozen=True)
class BenchAnswer:
    conditions: Conditions
    measurement: Measurement
    preflight: Optional[Preflight] = None


@dataclass(frozen=True)
class TuneRequest:
    """Set the machine for measuring and say how it was, or set it back: verbs `tune` and `untune`; both need root.

    settings: names as in core.preflight.Setting; empty for all that the machine has.
    """

    settings: Tuple[str, ...] = ()
    schema: int = 1


@dataclass(frozen=True)
class TuneAnswer:
    """changed: what was set, with the value it had before. refused: one sentence for each that could not be."""

    changed: Tuple[Setting, ...]
    refused: Tuple[str, ...] = ()
