"""Histories of releases nobody made, whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, List, Optional, Sequence

import numpy as np

from edgekit.core.engine import EngineManifest
from edgekit.core.results import BenchResult
from edgekit.report.forecast.metrics import BY_KEY
from edgekit.report.forecast.series import Noise, Series
from tests.report.made_up import engine, result


def release(number: int, fps: float, *, run: int = 0, map50_95: Optional[float] = 0.495, **changes: Any) -> BenchResult:
    """The INT8 result of release `number`, measured on that day; changes replace its top-level fields."""
    made = result("int8", fps=fps, map50_95=map50_95, created_utc=day(number, run), engine=engine_of(number, "int8"))
    return replace(made, **{"result_id": f"r{number}-{run}", "session": f"s{number}-{run}", **changes})


def reference(number: int, fps: float, *, run: int = 0, **changes: Any) -> BenchResult:
    """The FP32 result measured beside it."""
    made = result("fp32", fps=fps, map50_95=0.5, created_utc=day(number, run), engine=engine_of(number, "fp32"))
    return replace(made, **{"result_id": f"b{number}-{run}", "session": f"s{number}-{run}", **changes})


def engine_of(number: int, precision: str, **changes: Any) -> EngineManifest:
    """An engine of the model of release `number`."""
    values = {"engine_id": f"{precision}-{number}", "model_sha256": f"{number:064x}", **changes}
    return engine(precision, **values)


def day(number: int, run: int = 0) -> str:
    """A stamp: a day for each release, an hour for each run."""
    return f"2001-{1 + number // 28:02d}-{1 + number % 28:02d}T{run:02d}:00:00Z"


def releases(rates: Sequence[float], *, runs: int = 1, noise: float = 0.0, seed: int = 0) -> List[BenchResult]:
    """One release for each rate, each measured `runs` times with so much relative noise."""
    rng = np.random.default_rng(seed)
    return [
        release(number, fps * math.exp(noise * rng.standard_normal()), run=run)
        for number, fps in enumerate(rates)
        for run in range(runs)
    ]


def fps_series(levels: Sequence[float], *, noise: float = 0.02) -> Series:
    """A series of rates from their levels, one run each."""
    return Series(BY_KEY["fps"], tuple(range(len(levels))), tuple(levels), (1,) * len(levels), Noise(noise))
