"""From a model's bytes to a plan file: what happens on the thread that owns the GPU while an engine is built."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from edgekit.core.engine import BuildFacts, BuildRequest
from edgekit.core.progress import OnProgress
from edgekit.core.requests import OpenedEngine
from edgekit.core.workspace import choose_workspace_mib, least_free_mib
from edgekit.errors import BuildError
from edgekit.runtime.calibration_pictures import CalibrationPictures
from edgekit.runtime.cuda import driver
from edgekit.runtime.limits import memory_mib
from edgekit.runtime.trt.calibrator import Batches, GpuInputs, KeptRanges, calibration_key, make_calibrator
from edgekit.runtime.trt.config import make_config, set_calibrator, set_precision
from edgekit.runtime.trt.dla import not_for_dla, use_dla
from edgekit.runtime.trt.failures import failed_build, too_little_memory
from edgekit.runtime.trt.inspect import describe_engine
from edgekit.runtime.trt.layers import count_quantised, keep_float, weighted_layers
from edgekit.runtime.trt.library import first_error, load_library, logger
from edgekit.runtime.trt.messages import BuilderFindings, Message, sort_messages
from edgekit.runtime.trt.network import ParsedModel, add_profile, batch_at_optimum, network_inputs_of, parse_model
from edgekit.runtime.trt.plan import load_plugins
from edgekit.runtime.trt.progress import FirstFailure, Phases, progress_monitor
from edgekit.runtime.trt.timing_cache import TimingCache, tensorrt_key
from edgekit.runtime.usage import memory_peak_mib

if TYPE_CHECKING:
    import tensorrt as trt

_MIB = 1 << 20


@dataclass(frozen=True)
class Calibration:
    """What a calibrator on the device did."""

    pictures: int
    state: str  # "measured", or "kept" from an earlier build
    warnings: Tuple[str, ...]


@dataclass(frozen=True)
class Built:
    """A plan written, and all that is known of how."""

    opened: OpenedEngine
    facts: BuildFacts
    layers_total: int
    layers_quantised: int
    calibration: Optional[Calibration]
    warnings: Tuple[str, ...]


@dataclass
class Watch:
    """Seconds of each phase."""

    seconds: Dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is inside."""
        started_s = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started_s, 3)


def build_plan(request: BuildRequest, content: bytes, path: Path, cache: Path, on_progress: OnProgress) -> Built:
    """Build the model `content` and write the plan to `path`. On the thread that owns the GPU's context.

    Raises BuildError, CalibrationError or DeviceError; TensorRT's objects are gone when this returns.
    """
    watch = Watch()
    with logger().recorded() as messages:
        load_plugins(request.tensorrt.plugins)
        with watch.phase("parse"):
            on_progress("parsing", 0, 1)
            parsed = parse_model(content)
        work = _Work(request, parsed, cache, len(content), on_progress)
        with watch.phase("build"):
            work.run(path, messages)
        with watch.phase("inspect"):
            opened = _inspect(request, path)
    work.seconds_calibrating(watch.seconds)
    return work.built(opened, sort_messages(messages), watch.seconds)


class _Work:
    """One build: config, calibrator, timing cache and monitor, which must all live until TensorRT is done."""

    def __init__(
        self, request: BuildRequest, parsed: ParsedModel, cache: Path, model_bytes: int, on_progress: OnProgress
    ) -> None:
        self._request, self._parsed, self._cache = request, parsed, cache
        self._on_progress = on_progress
        self._failure = FirstFailure()
        self._shared = driver.gpu_facts().integrated
        self._workspace_mib = _workspace_mib(request, model_bytes, self._shared)
        self._config, self._warnings = make_config(parsed.builder, request, self._workspace_mib)
        self._timing = TimingCache(cache, tensorrt_key(request.engine_key), request)
        self._pictures: Optional[CalibrationPictures] = None
        self._kept: Optional[KeptRanges] = None
        self._batches: Optional[Batches] = None
        self._calibrator: Any = None
        self._on_gpu: Tuple[str, ...] = ()
        self._layers_before = int(parsed.network.num_layers)
        self._weighted = weighted_layers(parsed.network)

    def run(self, path: Path, messages: List[Message]) -> None:
        """Configure, build, and write the plan."""
        request, network, config = self._request, self._parsed.network, self._config
        shapes = add_profile(self._parsed, config, request.detector)
        use_dla(request, self._parsed.builder, config)
        set_precision(network, config, request)
        if request.route == "calibrator":
            nodes = frozenset(node.name for node in self._parsed.nodes.nodes if node.name)
            keep_float(network, config, (*request.head_layers, *request.keep_float), nodes)
        if request.tensorrt.dla_core is not None:
            self._on_gpu = not_for_dla(network, config)
        gpu = GpuInputs()
        try:
            if request.route == "calibrator":
                self._calibrate(gpu, shapes)
            plan = self._build()
        finally:
            gpu.free()
        self._failure.raise_if_any()
        findings = sort_messages(messages)
        if plan is None:
            version = load_library().__version__
            raise failed_build(findings, version, self._workspace_mib, self._shared)
        path.write_bytes(plan)
        self._timing.keep(config, findings.timing_cache_refused)

    def _calibrate(self, gpu: GpuInputs, shapes: Optional[Any]) -> None:
        request = self._request
        inputs = network_inputs_of(self._parsed.network)
        batch = batch_at_optimum(inputs, request.detector)
        self._pictures = CalibrationPictures(request.calibration_dir, request.detector, batch, self._on_progress)
        self._batches = Batches(request.detector, inputs, self._pictures, gpu)
        key = calibration_key(request, load_library().__version__)
        self._kept = KeptRanges(self._cache / f"calibration-{key[:16]}.cache", key, self._pictures)
        self._calibrator = make_calibrator(request.tensorrt.calibrator, batch, self._batches, self._kept, self._failure)
        set_calibrator(self._config, self._calibrator, shapes)

    def _build(self) -> Optional[trt.IHostMemory]:
        config = self._config
        self._timing.attach(config)
        monitor = progress_monitor(Phases(self._on_progress, self._failure))
        if monitor is not None and hasattr(config, "progress_monitor"):
            config.progress_monitor = monitor
        self._on_progress("building", 0, 1)
        plan: Optional[trt.IHostMemory] = self._parsed.builder.build_serialized_network(self._parsed.network, config)
        if self._failure.error is None:
            self._on_progress("building", 1, 1)
        return plan

    def seconds_calibrating(self, seconds: Dict[str, float]) -> None:
        """Add what reading calibration pictures took, which is a part of "build"."""
        if self._batches is not None:
            seconds["calibration data"] = round(self._batches.seconds, 3)

    def built(self, opened: OpenedEngine, findings: BuilderFindings, seconds: Dict[str, float]) -> Built:
        """The result, from what was configured, said and inspected."""
        quantised = count_quantised(opened.layers, self._weighted)
        notes = [*findings.notes, self._timing.note, self._kept.note if self._kept else ""]
        facts = BuildFacts(
            layers_before=self._layers_before,
            layers=opened.layers,
            activation_mib=round(opened.activation_mib, 3),
            workspace_mib=self._workspace_mib,
            host_peak_mib=memory_peak_mib() or 0,
            seconds=seconds,
            timing_cache=self._timing.state,
            skipped_tactics=findings.skipped_tactics,
            dla_fallback=tuple(dict.fromkeys((*self._on_gpu, *findings.dla_fallback))),
            notes=tuple(note for note in notes if note),
        )
        warnings = [*self._warnings, *findings.warnings, *self._precision_warnings(opened, facts, quantised)]
        return Built(opened, facts, len(self._weighted), quantised, self._calibration(), tuple(warnings))

    def _precision_warnings(self, opened: OpenedEngine, facts: BuildFacts, quantised: int) -> Iterator[str]:
        told = any(layer.precision for layer in opened.layers)
        if self._request.route != "plain" and told and not quantised:
            yield "no weighted layer of this engine computes in INT8, as far as its inspector tells"
        core = self._request.tensorrt.dla_core
        if core is None:
            return
        if not any(layer.on_dla for layer in opened.layers):
            yield f"nothing of this engine runs on DLA core {core}"
        elif facts.dla_fallback:
            yield f"{len(facts.dla_fallback)} layers run on the GPU instead of DLA core {core}"

    def _calibration(self) -> Optional[Calibration]:
        if self._pictures is None or self._kept is None:
            return None
        return Calibration(self._pictures.used, self._kept.state, self._pictures.warnings)


def _workspace_mib(request: BuildRequest, model_bytes: int, shared: bool) -> int:
    """The workspace asked for, else from free memory. Raises BuildError where too little is free to begin."""
    if shared:
        total_mib, free_mib = memory_mib()
    else:
        free_bytes, total_bytes = driver.mem_get_info()
        free_mib, total_mib = free_bytes // _MIB, total_bytes // _MIB
    needed_mib = least_free_mib(model_bytes // _MIB, shared)
    if free_mib < needed_mib:
        raise too_little_memory(free_mib, needed_mib, shared)
    asked = request.tensorrt.workspace_mib
    if asked is None:
        return choose_workspace_mib(free_mib, total_mib, shared)
    if asked < 1:
        raise BuildError(f"workspace of {asked} MiB: expected 1 or more")
    return asked


def _inspect(request: BuildRequest, path: Path) -> OpenedEngine:
    """What the plan just written says of itself. Raises BuildError if TensorRT does not open it."""
    module: Any = load_library()
    runtime: trt.Runtime = module.Runtime(logger())
    if request.tensorrt.dla_core is not None:
        runtime.DLA_core = request.tensorrt.dla_core
    with logger().recorded() as messages:
        engine: Optional[trt.ICudaEngine] = runtime.deserialize_cuda_engine(path.read_bytes())
    if engine is None:
        raise BuildError("TensorRT does not open the engine that it has just built", why=first_error(messages))
    return describe_engine(engine)
