"""Engines of a device measured in turns: a session of one round or several."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from edgekit.control.bench.checkout import read_checkout
from edgekit.control.bench.engines import turns
from edgekit.control.bench.measuring import Turn, measure, save_result
from edgekit.control.bench.partial import Partial, PartialFile, left_behind, left_text, partial_file
from edgekit.control.bench.pausing import paused
from edgekit.control.device_use import alone_on
from edgekit.control.scenarios import Scenario
from edgekit.control.services import ask_state
from edgekit.control.tuning import left_tuned_text, read_preflight
from edgekit.control.visit import Visit
from edgekit.core.engine import EngineManifest
from edgekit.core.preflight import Preflight
from edgekit.core.progress import OnProgress
from edgekit.core.results import BenchResult

OnNote = Callable[[str], None]
# Yields the names of the settings that it changed.
Tuning = AbstractContextManager[tuple[str, ...]]
_UNTUNED: Tuning = nullcontext(())


@dataclass(frozen=True)
class Asides:
    """What is told beside the results. preflight None: it is not read before the first turn, only by the turns."""

    note: OnNote = lambda text: None
    result: Callable[[BenchResult], None] = lambda result: None
    preflight: Callable[[Preflight], None] | None = None


def new_session() -> str:
    """A name for one call of `edgekit bench`; sorts by time."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def measure_rounds(
    seen: Visit,
    engines: Sequence[EngineManifest],
    scenario: Scenario,
    rounds: int,
    on_progress: OnProgress,
    *,
    session: str = "",
    note: str = "",
    tuning: Tuning = _UNTUNED,
    tell: Asides = Asides(),
) -> list[BenchResult]:
    """Measure each engine once a round, in turns; the results in the order in which they were measured.

    Each is saved in the project's results as soon as it is there, then told. The device's service is stopped meanwhile
    and started again, also one that an earlier run left stopped, which is noted. Other benches of this project on the
    machine are waited for. note: kept in the results. tuning: entered while the machine is ours alone. A run that is
    cut off leaves a *.partial.json, and the results of the turns that were over.

    Raises what ended the measuring, DeployError while a release is on probation.
    """
    folder = seen.project.results_dir
    with alone_on(seen.project, seen.device, on_progress) as waited, tuning as tuned:
        seen = replace(seen, state=ask_state(seen.link)) if waited else seen
        left = left_behind(folder, seen.device.name)
        begun = _begun(seen, engines, scenario, session or new_session(), rounds, left.values())
        with partial_file(folder, begun) as partial:
            for path, one in left.items():
                tell.note(left_text(one))
                if one.stopped_service in ("", seen.device.service):
                    path.unlink(missing_ok=True)
            with paused(seen.link, seen.service, seen.device.probation.deadline_s, partial, on_progress):
                if tell.preflight:
                    found = read_preflight(seen.link, on_progress)
                    if found.tuned and not tuned:
                        tell.note(left_tuned_text(seen.device, found))
                    tell.preflight(found)
                turn = Turn(begun.session, 0, read_checkout(seen.project.root), note, tuned)
                return [*_in_turns(seen, engines, scenario, rounds, on_progress, partial, turn, tell)]


def _in_turns(
    seen: Visit,
    engines: Sequence[EngineManifest],
    scenario: Scenario,
    rounds: int,
    on_progress: OnProgress,
    partial: PartialFile,
    turn: Turn,
    tell: Asides,
) -> Iterator[BenchResult]:
    for index, (number, engine) in enumerate(turns(engines, rounds)):
        partial.write(precision=engine.precision, round=number)
        told = _telling(partial, on_progress, index, len(engines) * rounds)
        result = measure(seen, engine, scenario, replace(turn, round=number), told)
        save_result(seen.project.results_dir, result)
        tell.result(result)
        yield result


def _begun(
    seen: Visit,
    engines: Sequence[EngineManifest],
    scenario: Scenario,
    session: str,
    rounds: int,
    left: Iterable[Partial],
) -> Partial:
    stopped = any(one.stopped_service == seen.device.service for one in left)
    return Partial(
        started_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        device=seen.device.name,
        detector=seen.detector.spec.name,
        precision=engines[0].precision,
        scenario=scenario.name,
        session=session,
        total=round(scenario.seconds * len(engines) * rounds),
        rounds=rounds,
        stopped_service=seen.device.service if stopped else "",
    )


def _telling(partial: PartialFile, on_progress: OnProgress, index: int, turns_in_all: int) -> OnProgress:
    """Passes progress on, of several turns as one, and keeps the partial file up to date."""
    now = partial.content
    whose = f"measuring in turns, {now.precision} in round {now.round} of {now.rounds}"

    def told(what: str, done: int, total: int) -> None:
        done_in_all, in_all = index * total + min(done, total), turns_in_all * total
        if turns_in_all == 1 or not total:
            on_progress(what, done, total)
        else:
            on_progress(whose, done_in_all, in_all)
        if total:
            partial.advance(done_in_all, in_all)

    return told
