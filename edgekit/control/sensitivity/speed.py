"""What layers in float cost in speed: engines of one device timed in turn, by the device itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.control.link import Link, engine_dir, gathered
from edgekit.core.detector import DetectorSpec
from edgekit.core.progress import OnProgress
from edgekit.core.requests import PredictAnswer, PredictRequest

ROUNDS = 3


def time_engines(
    link: Link, spec: DetectorSpec, engines: Sequence[str], pictures: Sequence[Path], on_progress: OnProgress
) -> tuple[float, ...]:
    """Inference p50 [ms] of each engine, named by id: the least of several rounds in which they take turns, so that
    what else the device does falls on all of them alike."""
    rounds: list[list[float]] = []
    with gathered(pictures) as folder, link.work_folder() as work:
        placed = link.place(Path(folder))
        for done in range(ROUNDS):
            on_progress("comparing speed", done, ROUNDS)
            rounds.append([_p50_ms(link, spec, engine, placed, work) for engine in engines])
    on_progress("comparing speed", ROUNDS, ROUNDS)
    return tuple(min(times) for times in zip(*rounds, strict=True))


def _p50_ms(link: Link, spec: DetectorSpec, engine: str, pictures: str, work: str) -> float:
    request = PredictRequest(engine_dir(link, engine), spec, pictures, f"{work}/predictions.jsonl")
    return link.call("predict", request, PredictAnswer).inference.p50_ms
