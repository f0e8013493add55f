"""From everything measured for one device and detector, the results that a report is about. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edgekit.core.results import BenchResult
from edgekit.report.comparison.comparing import Difference, conditions_of, differences

_MAIN_SCENARIO = "pipeline"


@dataclass(frozen=True)
class LeftOut:
    """A result that is not compared: what disturbed it, or else each condition in which it differs."""

    result_id: str
    disturbances: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        if self.disturbances:
            return f"{self.result_id}: disturbed: {'; '.join(self.disturbances)}"
        return f"{self.result_id}: {'; '.join(map(str, self.differences))}"


@dataclass(frozen=True)
class Choice:
    """results: those that are compared, one for each engine. left_out: each other, with the reason.

    rounds: engine id -> its runs of that session, the one in `results` first. others: the newest undisturbed run of
    each further scenario and engine, for what only such a run shows: streams, a soak, the engine alone.
    """

    results: tuple[BenchResult, ...]
    left_out: tuple[LeftOut, ...]
    rounds: dict[str, tuple[BenchResult, ...]] = field(default_factory=dict)
    others: tuple[BenchResult, ...] = ()


def choose(results: Sequence[BenchResult]) -> Choice:
    """The set that makes the most telling honest comparison (of at least one result).

    Disturbed runs never compare; only if there is no other the newest of them stands alone. Only the newest result's
    model, device key and power mode are considered. Among sets of equal conditions those of the scenario "pipeline"
    go first, then the one with most engines, then the newest. Within it the newest result of each engine counts; of
    several rounds the middle one. Accuracy belongs to the engine file, not to the run: a run that did not measure it
    takes it from the newest one of the same engine.
    """
    newest_first = [
        _with_accuracy(result, results) for result in sorted(results, key=lambda r: r.created_utc, reverse=True)
    ]
    sound = [result for result in newest_first if result.comparable]
    if not sound:
        return Choice(tuple(newest_first[:1]), tuple(_left_out(newest_first[0], r) for r in newest_first[1:]))
    group = _telling_group(sound)
    rounds: dict[str, tuple[BenchResult, ...]] = {}
    for result in group:
        if result.engine.engine_id not in rounds and not any(differences(result, kept[0]) for kept in rounds.values()):
            rounds[result.engine.engine_id] = _middle_first(_same_session(result, group))
    kept = tuple(members[0] for members in rounds.values())
    others = _other_scenarios(sound, kept[0])
    left_out = (r for r in newest_first if r not in others and (not r.comparable or differences(kept[0], r)))
    return Choice(kept, tuple(_left_out(kept[0], result) for result in left_out), rounds, others)


def _telling_group(newest_first: Sequence[BenchResult]) -> list[BenchResult]:
    groups: dict[str, list[BenchResult]] = {}
    for result in newest_first:
        if _subject(result) == _subject(newest_first[0]):
            groups.setdefault(str(conditions_of(result)), []).append(result)
    return max(
        groups.values(),
        key=lambda members: (
            members[0].conditions.scenario == _MAIN_SCENARIO,
            len({member.engine.engine_id for member in members}),
        ),
    )


def _same_session(newest: BenchResult, group: Sequence[BenchResult]) -> list[BenchResult]:
    """All runs of the engine in the newest one's session; without a session that one alone."""
    if not newest.session:
        return [newest]
    return [r for r in group if (r.engine.engine_id, r.session) == (newest.engine.engine_id, newest.session)]


def _middle_first(runs: Sequence[BenchResult]) -> tuple[BenchResult, ...]:
    by_rate = sorted(runs, key=lambda result: result.measurement.rate.fps)
    middle = by_rate[(len(by_rate) - 1) // 2]
    return middle, *(result for result in runs if result is not middle)


def _other_scenarios(sound: Sequence[BenchResult], main: BenchResult) -> tuple[BenchResult, ...]:
    found: dict[tuple[str, str], BenchResult] = {}
    for result in sound:
        if _subject(result) == _subject(main) and result.conditions.scenario != main.conditions.scenario:
            found.setdefault((result.conditions.scenario, result.engine.engine_id), result)
    return tuple(found.values())


def _left_out(main: BenchResult, result: BenchResult) -> LeftOut:
    """A disturbed run's reason is its disturbance, whatever else differs."""
    if not result.comparable:
        return LeftOut(result.result_id, disturbances=result.measurement.disturbances)
    return LeftOut(result.result_id, differences=differences(main, result))


def _with_accuracy(result: BenchResult, results: Sequence[BenchResult]) -> BenchResult:
    if result.accuracy is not None:
        return result
    judged = [other for other in results if other.accuracy and other.engine.engine_id == result.engine.engine_id]
    return replace(result, accuracy=max(judged, key=lambda r: r.created_utc).accuracy) if judged else result


def _subject(result: BenchResult) -> tuple[str, str, str | None]:
    return result.engine.model_sha256, result.profile.engine_key, result.profile.power_mode
