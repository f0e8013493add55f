"""The verb `bench`: one engine measured by one of the scenarios of core.results.SCENARIOS."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict

from edgekit.core.device import DeviceProfile
from edgekit.core.progress import OnProgress
from edgekit.core.requests import BenchAnswer, BenchRequest
from edgekit.errors import UsageError
from edgekit.runtime.bench.camera import measure_camera
from edgekit.runtime.bench.engine import measure_engine
from edgekit.runtime.bench.pipeline import measure_pipeline
from edgekit.runtime.bench.session import Session
from edgekit.runtime.bench.soak import measure_soak
from edgekit.runtime.bench.streams import measure_streams
from edgekit.runtime.bench.watch import Watch
from edgekit.runtime.detect import limit_cv_threads
from edgekit.runtime.measuring import measuring
from edgekit.runtime.preflight import read_preflight

_SCENARIOS: Dict[str, Callable[[Session], BenchAnswer]] = {
    "engine": measure_engine,
    "pipeline": measure_pipeline,
    "camera": measure_camera,
    "streams": measure_streams,
    "soak": measure_soak,
}


def run_bench(request: BenchRequest, profile: DeviceProfile, on_progress: OnProgress) -> BenchAnswer:
    """Look at the machine, let it idle for a moment where its power can be measured, and measure.

    Builds and deployments are kept off the device meanwhile. Raises UsageError, SourceError, EngineError or
    DeviceError; on_progress tells what is done, and of how many seconds.
    """
    _check(request)
    limit_cv_threads()
    on_progress("looking at the machine", 0, 0)
    with measuring(Path(request.engine_dir), on_progress), Watch(request.power_every_s) as watch:
        preflight = read_preflight()
        watch.idle(request.idle_s, on_progress)
        return _SCENARIOS[request.scenario](Session(request, profile, preflight, watch, on_progress))


def _check(request: BenchRequest) -> None:
    if request.scenario not in _SCENARIOS:
        raise UsageError(f"no scenario {request.scenario!r}", hint=f"one of {', '.join(_SCENARIOS)}")
    if request.duration_s <= 0 or request.warmup_frames < 0:
        raise UsageError(
            f"cannot measure for {request.duration_s} s after {request.warmup_frames} frames",
            hint="a duration above 0 and a warm-up of 0 frames or more",
        )
    if request.parts < 1 or request.streams < 1:
        raise UsageError(f"cannot measure {request.streams} streams or in {request.parts} parts", hint="at least one")
    if request.power_every_s < 0 or request.idle_s < 0:
        raise UsageError(
            f"cannot sample every {request.power_every_s} s and idle for {request.idle_s} s",
            hint="times of 0 or more; power_every_s 0 samples nothing",
        )
