"""The scenario "camera": a live source at its own rate. Does the device keep up, and if not, which stage does not?"""

from __future__ import annotations

from dataclasses import replace

from edgekit.core.camera_uri import hide_credentials
from edgekit.core.overload import Load, StreamLoad, overload_sentence, slowest_stage
from edgekit.core.requests import BenchAnswer
from edgekit.core.stats import Rate
from edgekit.errors import UsageError
from edgekit.runtime.bench.continuous import Continuous, run_continuously
from edgekit.runtime.bench.session import Session
from edgekit.runtime.frames import Source

# Of what it states; less is jitter.
_GIVES_LESS = 0.95


def measure_camera(session: Session) -> BenchAnswer:
    """Measure for duration_s. stages also holds "age", from a frame's arrival to its detections.

    pipeline_rate.verdict says whether the device keeps up with the source, or which stage does not. source_fps is what
    the source states, else what it gave. Raises UsageError for a source that is no live one.
    """
    uri = hide_credentials(session.request.source)
    run = run_continuously(session, lambda _: "measuring the camera", check=lambda source: _check_live(source, uri))
    return run.answer(session, _judged(run), source_fps=run.stated_fps or round(run.offered_fps, 2))


def _check_live(source: Source, uri: str) -> None:
    if not source.live:
        raise UsageError(
            f"{uri} is no live source",
            why='the scenario "camera" measures at the source\'s own rate, and files and memory have none',
            hint="--source csi://0, v4l2:///dev/video0, rtsp://host/stream, or 'scenes://?fps=15&live=1'",
        )


def _judged(run: Continuous) -> Rate:
    """The rate, with a verdict on whether frames are left out, and what is known besides."""
    flow, offered_fps = run.flow, run.offered_fps
    rate = flow.progress.rate()
    load = Load(flow.progress.measured_s, (StreamLoad("", offered_fps, rate.fps, offered_fps),), 1.0)
    left_out = overload_sentence(load, slowest_stage(tuple(flow.latest)))
    said = [left_out or f"keeps up: {rate.fps:.1f} of {offered_fps:.1f} frames a second are taken"]
    if run.stated_fps and offered_fps < _GIVES_LESS * run.stated_fps:
        said.append(f"the source gives less than the {run.stated_fps:g} that it states")
    if not rate.stable:
        said.append(rate.verdict)
    return replace(rate, verdict="; ".join(said))
