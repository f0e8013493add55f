"""Building an engine: the request, the manifest that lies beside the result, and whether the two fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

from edgekit.core.detector import DetectorSpec
from edgekit.core.tensors import ShapeProfile, TensorSpec
from edgekit.core.wire import digest
from edgekit.errors import EngineMismatchError

PRECISIONS = ("fp32", "fp16", "int8")
MANIFEST_NAME = "engine.json"

# Rises when builders make another engine from the same request, so that older engines are not taken for it.
RECIPE = 1


@dataclass(frozen=True)
class BuildRequest:
    """What the host asks a device to build. Paths are on the device."""

    detector: DetectorSpec
    precision: str
    engine_key: str
    model_path: str
    engines_dir: str
    calibration_dir: Optional[str] = None  # folder of images; needed for int8
    calibration_sha256: Optional[str] = None
    keep_float: Tuple[str, ...] = ()  # nodes to keep out of INT8 beside the recipe's own
    force: bool = False  # build even if the same engine is there
    schema: int = 1

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {self.precision!r}")

    @property
    def options_sha256(self) -> str:
        """Digest of everything besides model, data and device that changes the engine."""
        return digest([RECIPE, self.precision, self.detector.input, self.detector.profile, list(self.keep_float)])

    @property
    def engine_id(self) -> str:
        """Names the engine's folder. Equal requests give equal ids, so a second build finds the first."""
        calibration = self.calibration_sha256 if self.precision == "int8" else None
        return digest([self.engine_key, self.detector.model_sha256, calibration, self.options_sha256])[:16]


@dataclass(frozen=True)
class EngineManifest:
    """engine.json: where an engine came from, what it runs on, and what the file must look like."""

    engine_id: str
    engine_key: str
    detector: str
    backend: str
    precision: str
    file_name: str
    file_sha256: str
    file_bytes: int
    model_sha256: str
    calibration_sha256: Optional[str]
    calibration_images: int
    options_sha256: str
    profile: ShapeProfile
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    tool_versions: Dict[str, str]
    build_s: float
    created_utc: str
    layers_total: int
    layers_quantised: int
    warnings: Tuple[str, ...] = ()
    schema: int = 1
    extra: Dict[str, str] = field(default_factory=dict)


def check_fits(manifest: EngineManifest, engine_key: str, *, model_sha256: Optional[str] = None) -> None:
    """Raise EngineMismatchError unless an engine may run on the device with `engine_key`, for that model.

    To be called before any byte of the engine is parsed.
    """
    rebuild = f"edgekit build {manifest.detector} --precision {manifest.precision}"
    if manifest.engine_key != engine_key:
        raise EngineMismatchError(
            f"this engine was built for {manifest.engine_key}, this device is {engine_key}",
            why="an engine runs only on the kind of device and the version that built it",
            hint=rebuild,
        )
    if model_sha256 is not None and manifest.model_sha256 != model_sha256:
        raise EngineMismatchError(
            f"this engine was built from model {manifest.model_sha256[:12]}, the detector now has {model_sha256[:12]}",
            why="the model file changed after the build",
            hint=rebuild,
        )
