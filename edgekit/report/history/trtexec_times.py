"""The queries that trtexec writes with --exportTimes, and what its figures mean. Pure.

Source: sampleReporting.cpp of TensorRT's samples/common, releases 8.2 to 10; NVIDIA's "Command-Line Programs".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

from edgekit.errors import ConfigError
from edgekit.report.history.foreign import ForeignResult, finite

SWITCHES = ("cuda_graph", "spin_wait", "data_transfers")
DEFINITIONS = {
    "throughput_qps": "queries / host wall time, several in flight; a query is a batch (8.x with --batch=N: a picture)",
    "latency": "H2D + GPU compute + D2H of one query, no waiting for others; no capture, preprocessing, decoding",
    "end_to_end": "from the call of H2D to the end of D2H of one query, with the wait before it (8.4 and older)",
    "enqueue": "host time to enqueue one query",
    "gpu_compute": "kernels of one query on the GPU",
}
_TIMES = {
    "latencyMs": "latency",
    "computeMs": "gpu_compute",
    "h2dMs": "h2d",
    "d2hMs": "d2h",
    "endToEndMs": "end_to_end",
}
_PERCENTILES = (90.0, 95.0, 99.0)
_WARM_UP_MS = 200.0  # trtexec's default
_MIN_FOR_P99 = 100


def definitions_of(figures: Mapping[str, float]) -> dict[str, str]:
    """What the given figures mean, by the beginning of their names."""
    return {name: text for name, text in DEFINITIONS.items() if any(figure.startswith(name) for figure in figures)}


def queries_of(text: str) -> list[Any] | None:
    """The entries of a file of --exportTimes; None for a log, whose lines also begin with a bracket."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, list) else None


def result_of_times(data: Sequence[Any], source_name: str, source_sha256: str) -> ForeignResult:
    """Each entry is one query. TensorRT 8.4 and older also wrote those of the warm-up, and "endToEndMs"."""
    queries = [_numbers(entry, index, source_name) for index, entry in enumerate(data)]
    with_warm_up = any("endToEndMs" in query for query in queries)
    counted = [query for query in queries if not with_warm_up or query.get("startComputeMs", 0.0) >= _WARM_UP_MS]
    if not counted:
        raise ConfigError(f"{source_name}: no query after the warm-up of {_WARM_UP_MS:.0f} ms in it")
    return ForeignResult(
        foreign_id=f"trtexec-{source_sha256[:16]}-0",
        tool="trtexec",
        tool_version=None,
        device=None,
        model=None,
        precision=None,
        measured=None,
        figures=_figures_of(counted),
        settings=dict.fromkeys(SWITCHES, "unknown"),
        definitions=definitions_of(dict.fromkeys((*_TIMES.values(), "throughput_qps"), 0.0)),
        notes=f"from --exportTimes, {len(counted)} queries"
        + (f", {len(queries) - len(counted)} of the warm-up left out" if with_warm_up else ""),
        source_name=source_name,
        source_sha256=source_sha256,
    )


def _numbers(entry: Any, index: int, source_name: str) -> dict[str, float]:
    pairs = entry.items() if isinstance(entry, dict) else ()
    told = {key: finite(value) for key, value in pairs if type(value) in (int, float)}
    numbers = {key: value for key, value in told.items() if value is not None}
    if "latencyMs" not in numbers or "computeMs" not in numbers:
        raise ConfigError(
            f"{source_name}[{index}]: expected a query as --exportTimes writes it, with latencyMs and computeMs"
        )
    return numbers


def _figures_of(queries: Sequence[Mapping[str, float]]) -> dict[str, float]:
    figures: dict[str, float] = {"queries": float(len(queries))}
    started, ended = queries[0].get("startH2dMs"), queries[-1].get("endD2hMs")
    if started is not None and ended is not None and ended > started:
        figures["throughput_qps"] = 1000 * len(queries) / (ended - started)
    for key, name in _TIMES.items():
        values = sorted(query[key] for query in queries if key in query)
        if values:
            figures |= {f"{name}_{part}_ms": value for part, value in _summary(values).items()}
    return figures


def _summary(values: Sequence[float]) -> dict[str, float]:
    """As trtexec counts them; no 99th percentile of fewer than 100 queries."""
    found = {"min": values[0], "max": values[-1], "mean": mean(values), "median": median(values)}
    wanted = [percent for percent in _PERCENTILES if percent < 99 or len(values) >= _MIN_FOR_P99]
    return found | {f"p{percent:g}": _percentile(values, percent) for percent in wanted}


def _percentile(values: Sequence[float], percent: float) -> float:
    left_out = int((1 - percent / 100) * len(values))
    return values[max(len(values) - 1 - left_out, 0)]
