"""How many of the worst layers to keep in float next, and what comes of a search: rules without files or devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.control.sensitivity.record import Attempt, Search
from edgekit.core.gate import share_text

FIRST_COUNT = 2
# Beyond this share of the layers little of INT8's speed is left, and the fault lies with the calibration set.
MOST_SHARE = 0.5


def next_count(passed: Mapping[int, bool], layers: int) -> int | None:
    """How many of the worst layers to keep in float next, None when there is nothing left to try.

    passed: count -> whether that engine kept its accuracy; 0 must be in it. Counts double until an engine passes; then
    layers are given back by halves, until one layer less is known to be too few.
    """
    most = max(1, int(layers * MOST_SHARE))
    enough = min((count for count, good in passed.items() if good), default=None)
    too_few = max(
        (count for count, good in passed.items() if not good and (enough is None or count < enough)), default=-1
    )
    if enough is None:
        wanted = min(max(FIRST_COUNT, 2 * too_few), most)
        return wanted if wanted > too_few else None
    middle = (too_few + enough) // 2
    return middle if too_few < middle < enough else None


@dataclass(frozen=True)
class Advice:
    """What is recommended. keep_float: what detector.yaml should name, None if nothing should change there."""

    sentence: str
    keep_float: tuple[str, ...] | None = None


def advise(search: Search) -> Advice:
    """What a search led to, in a sentence or two for people, with its cost in speed."""
    best, first = search.best, search.first
    if first.passed:
        return Advice(f"nothing to mend: {_kept(first)}")
    if best is None:
        return Advice(_not_mended(search))
    added = len(best.keep_float) - len(search.start)
    layers = f"{added} {'layer' if added == 1 else 'layers'} more in float"
    baseline = search.baseline_precision.upper()
    if search.speed is None or search.speed.after_ms >= search.speed.baseline_ms:
        return Advice(
            f"with {layers} {_kept(best)}, but INT8 is then no faster than {baseline} ({_speed(search)}): "
            f"{baseline} is enough here, or calibrate with a set that covers more scenes"
        )
    return Advice(f"keep {layers}: {_kept(best)}; {_speed(search)}", best.keep_float)


def _kept(attempt: Attempt) -> str:
    assert attempt.gate is not None
    overall = attempt.gate.overall
    whose = "mAP50-95" if attempt.gate.labelled_by == "people" else "agreement with the model"
    unsure = ", ".join(row.stratum for row in attempt.gate.unsure)
    return f"INT8 keeps {share_text(overall.kept)} of the baseline's {whose}" + (
        f" (too few pictures to be sure of {unsure})" if unsure else ""
    )


def _speed(search: Search) -> str:
    if search.speed is None:
        return "its speed was not measured"
    before = f"{search.speed.before_ms:.3g} ms before, " if search.speed.before_ms else ""
    baseline = f"{search.speed.baseline_ms:.3g} ms at {search.baseline_precision.upper()}"
    return f"inference p50 {search.speed.after_ms:.3g} ms, {before}{baseline}"


def _not_mended(search: Search) -> str:
    tried = max(len(attempt.keep_float) for attempt in search.attempts) - len(search.start)
    if not tried:
        return "INT8 loses too much, and no engine with layers in float was tried yet"
    return (
        f"not mended: INT8 loses too much even with {tried} of its {len(search.harms)} layers in float. "
        "Calibrate with a set that covers what was lost "
        f"(edgekit calib inspect {search.calibration} --against {search.dataset}), or stay with "
        f"{search.baseline_precision.upper()}"
    )
