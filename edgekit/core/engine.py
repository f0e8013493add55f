"""Building an engine: the request, the manifest that lies beside the result, and whether the two fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

from edgekit.core.detector import DetectorSpec
from edgekit.core.engine_key import key_differences
from edgekit.core.tensors import ShapeProfile, TensorSpec
from edgekit.core.wire import digest
from edgekit.errors import EngineMismatchError

PRECISIONS = ("fp32", "fp16", "int8")
MANIFEST_NAME = "engine.json"

# Rises when builders make another engine from the same request, so that older engines are not taken for it.
RECIPE = 3


@dataclass(frozen=True)
class TensorRTOptions:
    """What a person may ask of TensorRT's builder; None or empty leaves it to edgekit. ONNX Runtime ignores it all."""

    route: str = "auto"  # how INT8 comes about: "auto", "calibrator" or "explicit", see core.precision
    calibrator: str = "entropy"  # "entropy" or "minmax"
    workspace_mib: Optional[int] = None  # scratch memory a layer may use; from free memory where None
    optimisation_level: Optional[int] = None  # 0 to 5, TensorRT 8.6 and newer; more builds longer
    dla_core: Optional[int] = None  # run what can on this deep learning accelerator, the rest on the GPU
    plugins: Tuple[str, ...] = ()  # plugin libraries, paths on the device
    library_tactics: bool = False  # also try kernels of cuBLAS and cuDNN: several hundred MiB more while building

    def __post_init__(self) -> None:
        if self.route not in ("auto", "calibrator", "explicit"):
            raise ValueError(f"route: expected auto, calibrator or explicit, got {self.route!r}")
        if self.calibrator not in ("entropy", "minmax"):
            raise ValueError(f"calibrator: expected entropy or minmax, got {self.calibrator!r}")


@dataclass(frozen=True)
class PreparedModel:
    """A model file made on the host from the detector's own: Q/DQ pairs, or FP16 types, put in."""

    sha256: str
    calibration_images: int
    quantiser: str  # "onnxruntime 1.23.2 minmax", "modelopt 0.40.0 max"; "" if nothing was quantised
    layers_total: int  # weighted layers of the model
    layers_quantised: int
    warnings: Tuple[str, ...] = ()


@dataclass(frozen=True)
class GoldenSet:
    """Pictures and what the model itself answers for them, for the check that ends every build.

    expected_path: .npz of "<picture index>/<output name>", pictures sorted by name; read only if its digest fits.
    """

    images_dir: str
    expected_path: str
    expected_sha256: str


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
    tensorrt: TensorRTOptions = TensorRTOptions()
    route: str = "plain"  # a Route's name, see core.precision
    prepared: Optional[PreparedModel] = None  # model_path is this instead of the detector's own file
    head_layers: Tuple[str, ...] = ()  # what the calibrator route keeps out of INT8, see PrepareAnswer
    golden: Optional[GoldenSet] = None
    cache_dir: str = ""  # timing, calibration and compute caches; beside engines_dir by default
    memory_mib: Optional[int] = None  # most the building process may take; what is free but a reserve where None
    deadline_s: Optional[float] = None  # a build that takes longer is ended; after some hours where None
    schema: int = 1

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {self.precision!r}")

    @property
    def options_sha256(self) -> str:
        """Digest of everything besides model, data and device that changes the engine."""
        wanted = [RECIPE, self.precision, self.detector.input, self.detector.profile, list(self.keep_float)]
        return digest([*wanted, self.route, self.tensorrt])

    @property
    def engine_id(self) -> str:
        """Names the engine's folder. Equal requests give equal ids, so a second build finds the first."""
        calibration = self.calibration_sha256 if self.precision == "int8" else None
        return digest([self.engine_key, self.detector.model_sha256, calibration, self.options_sha256])[:16]


@dataclass(frozen=True)
class EngineLayer:
    """One layer of a built engine, as its inspector tells. Empty where the inspector is silent."""

    name: str
    kind: str  # "CaskConvolution", "PointWiseV2", "ForeignNode" ...
    precision: str  # "int8", "fp16", "fp32" ...
    tactic: str = ""
    on_dla: bool = False


@dataclass(frozen=True)
class BuildFacts:
    """What building showed: fusion, memory, time, and everything that was not as it should be."""

    layers_before: int  # of the network as parsed
    layers: Tuple[EngineLayer, ...]
    activation_mib: float  # device memory one execution context takes
    workspace_mib: int  # the limit that was set
    host_peak_mib: int  # resident memory of the building process at its highest
    seconds: Dict[str, float]  # parse, calibrate, build, check ...
    timing_cache: str  # "new", "reused", "partly" (what could not be read was measured anew) or "refused"
    skipped_tactics: int = 0  # kernels not tried for want of memory or workspace
    dla_fallback: Tuple[str, ...] = ()  # layers that were to run on the DLA and run on the GPU
    notes: Tuple[str, ...] = ()  # builder messages worth knowing that are no warnings

    @property
    def layers_after(self) -> int:
        """Layers of the engine; fewer than before is what fusion brought."""
        return len(self.layers)


@dataclass(frozen=True)
class Attachment:
    """A file beside the engine file that belongs to it, such as compiled kernels."""

    file_name: str
    sha256: str
    bytes: int


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
    attachments: Tuple[Attachment, ...] = ()
    route: str = "plain"
    build: Optional[BuildFacts] = None
    golden_distance: Optional[float] = None  # from the model's answers on golden frames, see core.verification
    schema: int = 1
    extra: Dict[str, str] = field(default_factory=dict)


def check_fits(manifest: EngineManifest, engine_key: str, *, model_sha256: Optional[str] = None) -> None:
    """Raise EngineMismatchError unless an engine may run on the device with `engine_key`, for that model.

    To be called before any byte of the engine is parsed. The error names each part that differs.
    """
    if manifest.engine_key != engine_key:
        raise EngineMismatchError(
            f"this engine was built for {manifest.engine_key}, this device is {engine_key}",
            why="\n".join(key_differences(manifest.engine_key, engine_key)),
            hint=rebuild_command(manifest),
        )
    if model_sha256 is not None and manifest.model_sha256 != model_sha256:
        raise EngineMismatchError(
            f"this engine was built from model {manifest.model_sha256[:12]}, the detector now has {model_sha256[:12]}",
            why="the model file changed after the build",
            hint=rebuild_command(manifest),
        )


def rebuild_command(manifest: EngineManifest) -> str:
    """What to type for an engine like this one, for the device and model as they are now."""
    return f"edgekit build {manifest.detector} --precision {manifest.precision}"
