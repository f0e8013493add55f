"""Results -> releases of one detector on one device, in the order in which they came. Pure.

A release is an engine that was new when it was first measured. Engines of one model are measured beside each other to
compare precisions; of these the one with the fewest bits is the release, the others are what it is compared with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from edgekit.core.engine import PRECISIONS, EngineManifest
from edgekit.core.results import BenchResult
from edgekit.errors import UsageError
from edgekit.report.forecast.clock import in_order, moment
from edgekit.report.recorded.tables import say

_NOTHING: Mapping[tuple[str, str], tuple[float, str]] = {}
MOST_RELEASES = 60  # the newest; what came before them says little about what comes next
_BESIDE = timedelta(hours=1)  # engines measured within it are compared; none of them was released in between


@dataclass(frozen=True)
class Release:
    """An engine and every result of it that counts, oldest first. map_loss_pct: None where either side is unknown.

    loss_against: the precision that the loss is against; "itself" for an engine that no wider one was measured beside.
    """

    engine: EngineManifest
    results: tuple[BenchResult, ...]
    map_loss_pct: float | None = None
    loss_against: str = ""

    @property
    def released_utc(self) -> str:
        """When it was first measured."""
        return self.results[0].created_utc


@dataclass(frozen=True)
class ReleaseHistory:
    """What a forecast is made from. references: engines measured beside releases. Each list is in order of time.

    left_out: reason -> how many results; clock: what is wrong with the times of the results, as sentences.
    """

    device: str
    detector: str
    releases: tuple[Release, ...]
    references: tuple[Release, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    clock: tuple[str, ...] = ()

    @property
    def newest(self) -> Release | None:
        """The release measured first most recently."""
        return self.releases[-1] if self.releases else None


def release_history(
    results: Sequence[BenchResult],
    *,
    scenario: str = "pipeline",
    shipped_engine: str | None = None,
    clock_back: Collection[str] = (),
    now_utc: str = "",
    judged: Mapping[tuple[str, str], tuple[float, str]] = _NOTHING,
) -> ReleaseHistory:
    """The releases among results of one device and detector, in the order in which they were recorded.

    Counted are results of one scenario that nothing disturbed, under the conditions of the newest of them; the others
    are counted in left_out. shipped_engine: an engine that is a release whatever its precision. clock_back: ids of
    results before which the clock went back. judged: losses that an evaluation found, for engines whose reference was
    never measured, see outlook.Known.

    Raises UsageError if there are several devices or detectors among the results, which are then named.
    """
    device, detector = _subject(results)
    ordered, clock = in_order(results, clock_back, now_utc)
    left_out: dict[str, int] = {}
    counted = _counted(ordered, scenario, left_out)
    engines = _by_engine(counted)
    wanted = _release_ids(counted, shipped_engine)
    told = {engine_id: loss for (of_device, engine_id), loss in judged.items() if of_device == device}
    losses = {**told, **_map_losses(ordered)}
    made = [Release(group[0].engine, tuple(group), *losses.get(key, (None, ""))) for key, group in engines.items()]
    releases = [one for one in made if one.engine.engine_id in wanted]
    older = sum(len(one.results) for one in releases[:-MOST_RELEASES])
    if older:
        left_out[say("left_out", "older", most=MOST_RELEASES)] = older
    return ReleaseHistory(
        device,
        detector,
        releases=tuple(releases[-MOST_RELEASES:]),
        references=tuple(one for one in made if one.engine.engine_id not in wanted),
        left_out=left_out,
        clock=clock,
    )


def _subject(results: Sequence[BenchResult]) -> tuple[str, str]:
    subjects = sorted({(result.device, result.engine.detector) for result in results})
    if len(subjects) > 1:
        raise UsageError(
            "a forecast is about one detector on one device, these results are about several",
            why="\n".join(f"{detector} on {device}" for device, detector in subjects),
            hint="edgekit forecast --device NAME --detector NAME",
        )
    return subjects[0] if subjects else ("", "")


def _counted(ordered: Sequence[BenchResult], scenario: str, left_out: dict[str, int]) -> list[BenchResult]:
    usable = []
    for result in ordered:
        reason = _unusable(result, scenario)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            usable.append(result)
    return _of_equal_conditions(usable, left_out)


def _unusable(result: BenchResult, scenario: str) -> str:
    if not result.comparable:
        return say("left_out", "disturbed")
    if result.conditions.scenario != scenario:
        return say("left_out", "scenario", scenario=result.conditions.scenario)
    measured = result.measurement
    return "" if measured.pipeline_rate or measured.engine_rate else say("left_out", "no_rate")


def _of_equal_conditions(usable: Sequence[BenchResult], left_out: dict[str, int]) -> list[BenchResult]:
    if not usable:
        return []
    wanted = series_conditions(usable[-1])
    kept = []
    for result in usable:
        found = series_conditions(result)
        differing = [
            say("conditions", name, value=found[name], wanted=wanted[name])
            for name in wanted
            if found[name] != wanted[name]
        ]
        if differing:
            reason = say("left_out", "conditions", parts="; ".join(differing))
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            kept.append(result)
    return kept


def series_conditions(result: BenchResult) -> dict[str, object]:
    """What must be equal along a history. Not what a release may change: model, input size, TensorRT, precision."""
    conditions = result.conditions
    return {
        "module": result.profile.module,
        "back end": result.profile.backend,
        "power mode": result.profile.power_mode,
        "source": conditions.source,
        "frames of": f"{conditions.frame_width} x {conditions.frame_height}",
        "batch": conditions.batch,
        "threads": conditions.threads,
        "clocks locked": conditions.clocks_locked,
        "governor": conditions.governor,
    }


def _by_engine(results: Iterable[BenchResult]) -> dict[str, list[BenchResult]]:
    """Engine id -> its results; in the order in which engines were first measured."""
    engines: dict[str, list[BenchResult]] = {}
    for result in results:
        engines.setdefault(result.engine.engine_id, []).append(result)
    return engines


def _release_ids(results: Sequence[BenchResult], shipped_engine: str | None) -> set[str]:
    """Engines that are narrower than every other of their model that was measured before them or beside them."""
    first = [group[0] for group in _by_engine(results).values()]
    sessions = {(result.session, result.engine.engine_id) for result in results if result.session}
    wanted = set()
    for position, result in enumerate(first):
        rivals = [
            other
            for index, other in enumerate(first)
            if other.engine.model_sha256 == result.engine.model_sha256
            and (index < position or _beside(result, other, sessions))
        ]
        if result.engine.engine_id == shipped_engine or all(
            _width(one.engine) >= _width(result.engine) for one in rivals
        ):
            wanted.add(result.engine.engine_id)
    return wanted


def _beside(result: BenchResult, other: BenchResult, sessions: Collection[tuple[str, str]]) -> bool:
    """Whether two engines were measured to be compared: in one session, or shortly after one another."""
    if (result.session, other.engine.engine_id) in sessions:
        return True
    times = moment(result.created_utc), moment(other.created_utc)
    return times[0] is not None and times[1] is not None and abs(times[1] - times[0]) <= _BESIDE


def _width(engine: EngineManifest) -> int:
    """Orders precisions: 0 for FP32, less for fewer bits."""
    return -PRECISIONS.index(engine.precision) if engine.precision in PRECISIONS else 0


def _map_losses(results: Sequence[BenchResult]) -> dict[str, tuple[float, str]]:
    """Engine id -> what it lost of mAP50-95 in %, against the widest engine of its model on the same labelled set.

    Accuracy belongs to the engine, not to the run: also results that are left out for their speed are asked.
    """
    judged = {result.engine.engine_id: result for result in results if result.accuracy is not None}
    losses = {}
    for engine_id, result in judged.items():
        rivals = [other for other in judged.values() if _same_test(result, other)]
        widest = max(rivals, key=lambda other: _width(other.engine))
        assert widest.accuracy is not None and result.accuracy is not None
        is_reference = widest.engine.engine_id == engine_id
        if widest.accuracy.map50_95 > 0 and not (is_reference and result.engine.precision != "fp32"):
            loss = 100 * (1 - result.accuracy.map50_95 / widest.accuracy.map50_95)
            losses[engine_id] = (loss, "itself" if is_reference else widest.engine.precision)
    return losses


def _same_test(one: BenchResult, other: BenchResult) -> bool:
    return (
        one.engine.model_sha256 == other.engine.model_sha256
        and one.accuracy is not None
        and other.accuracy is not None
        and one.accuracy.dataset_sha256 == other.accuracy.dataset_sha256
    )
