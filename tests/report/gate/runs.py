"""Runs nobody measured, with a known truth: how fast, how noisy, how the machine drifts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Optional, Sequence

import numpy as np

from edgekit.core.results import BenchResult, Energy
from edgekit.core.stats import LatencySummary, Rate
from tests.report import made_up

STAGES = ("end_to_end", "host", "inference")


def run(
    fps: float = 20.0,
    *,
    session: str = "s1",
    round: int = 1,
    branch: Optional[str] = "main",
    commit: Optional[str] = "a" * 12,
    engine: str = "fp32",
    at: int = 0,
    **changes: Any,
) -> BenchResult:
    """One run; every time follows from its rate. at: minutes after the first. engine: precision, or "fp32-2" for
    another engine of it. changes replace top-level fields."""
    precision = engine.split("-")[0]
    made = made_up.result(precision, created_utc=f"2001-01-{2 + at // 1440:02}T{at // 60 % 24:02}:{at % 60:02}:00Z")
    identity = made.engine if engine == precision else replace(made.engine, engine_id=f"{hash_of(engine)}")
    latency = LatencySummary(200, *(1000 / fps * factor for factor in (1.0, 1.0, 1.1, 1.2, 1.4, 1.9)))
    figures = replace(
        made.measurement,
        pipeline_rate=rate(fps),
        engine_rate=rate(fps * 1.05),
        stages=dict.fromkeys(STAGES, latency),
        memory_peak_mib=400,
    )
    found = replace(
        made,
        result_id=f"{session}-{round}-{engine}-{branch}-{at}",
        engine=identity,
        measurement=figures,
        session=session,
        round=round,
        git_branch=branch,
        git_commit=commit,
    )
    return replace(found, **changes)


def hash_of(name: str) -> str:
    """16 hexadecimal digits."""
    return name.encode().hex()[:16].ljust(16, "0")


def rate(fps: float) -> Rate:
    """A steady one."""
    return Rate(fps, fps * 0.99, fps * 1.01, 10, True, "stable")


def in_turns(
    slower_pct: float, rounds: int = 5, *, noise_pct: float = 1.0, drift_pct: float = 5.0, seed: int = 0
) -> List[BenchResult]:
    """Two engines in turns, "fp32" on main and "fp32-2" on a change that is so much slower."""
    rng = np.random.default_rng(seed)
    results = []
    for number in range(1, rounds + 1):
        mood = 20 * np.exp(rng.normal(0, drift_pct / 100))
        for engine, factor in (("fp32", 1.0), ("fp32-2", 1 - slower_pct / 100)):
            fps = float(mood * factor * np.exp(rng.normal(0, noise_pct / 100)))
            branch, commit = ("main", "a" * 12) if engine == "fp32" else ("change", "b" * 12)
            results.append(run(fps, round=number, engine=engine, at=number, branch=branch, commit=commit))
    return results


def sessions(rates: Sequence[float], *, at: int = 0, **changes: Any) -> List[BenchResult]:
    """A session of one run for each rate."""
    return [run(fps, session=f"s{at + index}", at=at + index, **changes) for index, fps in enumerate(rates)]


def with_energy(result: BenchResult, watts: float, sensor: str = "INA3221") -> BenchResult:
    """The run with power measured over its frames."""
    energy = Energy("module input", sensor, 100, 10.0, 0.1, watts, watts, watts * 10, 0.1, 200)
    return replace(result, measurement=replace(result.measurement, energy=energy))


def disturbed(result: BenchResult) -> BenchResult:
    """The run with a reason not to compare it."""
    return replace(result, measurement=replace(result.measurement, disturbances=("throttled: soctherm",)))
