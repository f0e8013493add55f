"""Which results stand against which, what was left out, and the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.core.results import BenchResult
from edgekit.errors import NotFoundError, UsageError
from edgekit.report.comparison.comparing import conditions_of
from edgekit.report.gate.naming import BRANCH, COMMIT, Named, clean_commit, find_named, names_known

# What a change may bring with it: a model trained anew is what a gate is for.
_MAY_DIFFER = ("engine.model_sha256",)
_LISTED = 6


@dataclass(frozen=True)
class Side:
    """Results of one engine under one set of conditions, oldest first, one or more. name: "branch main"."""

    name: str
    results: tuple[BenchResult, ...]

    @property
    def newest(self) -> BenchResult:
        """The result that stands for the side in a heading."""
        return self.results[-1]

    @property
    def engine_id(self) -> str:
        """Of the engine that all of them measured."""
        return self.newest.engine.engine_id


@dataclass(frozen=True)
class Sides:
    """history: the baseline's own, of the same conditions and of any engine, without the candidate: how much runs of
    one engine differ is taken from it. left_out: one line for each disturbed result."""

    baseline: Side
    candidate: Side
    history: tuple[BenchResult, ...] = ()
    left_out: tuple[str, ...] = ()


def gate_conditions(result: BenchResult) -> dict[str, Any]:
    """What has to be equal on both sides, by the path of the field in a result file."""
    return {name: value for name, value in conditions_of(result).items() if name not in _MAY_DIFFER}


def condition_differences(first: BenchResult, second: BenchResult) -> tuple[str, ...]:
    """One line "field: value and value" for each condition that differs; empty: they compare."""
    ours, theirs = gate_conditions(first), gate_conditions(second)
    return tuple(f"{name}: {ours[name]} and {theirs.get(name)}" for name in ours if ours[name] != theirs.get(name))


def select_sides(
    results: Sequence[BenchResult],
    baseline: Named,
    *,
    candidate: str | None = None,
    deployed_engine_id: str | None = None,
    precision: str | None = None,
) -> Sides:
    """The two sides, out of the results of one device and detector.

    Without a name, the candidate is what was measured last; of several engines in that session the deployed one. Of
    the baseline count the newest commit under the same conditions and, where there are any, of the same precision; on
    its own branch the candidate is held against the commits before. Raises UsageError or NotFoundError, exit code 2,
    where nothing compares.
    """
    everything = sorted({r.result_id: r for r in (*results, *baseline.results)}.values(), key=_order)
    usable = [result for result in everything if result.comparable]
    left_out = tuple(_disturbed(result) for result in everything if not result.comparable)
    fresh = [result for result in usable if precision in (None, result.engine.precision)]
    if candidate is None:
        ours = _last_measured(fresh, baseline, deployed_engine_id, left_out)
    else:
        ours = _called(fresh, candidate, deployed_engine_id)
    theirs = _baseline(usable, baseline, ours, unless_same=candidate is None, left_out=left_out)
    return Sides(_with_accuracy(theirs, usable), _with_accuracy(ours, usable), _history(usable, theirs, ours), left_out)


def sides_in_turns(
    measured: Sequence[BenchResult],
    baseline_id: str,
    candidate_id: str,
    name: str,
    recorded: Sequence[BenchResult] = (),
) -> Sides:
    """The sides of two engines that were measured in turns just now.

    recorded: what is known of them besides, for their accuracy. Raises UsageError where every run of one was disturbed.
    """
    left_out = tuple(_disturbed(result) for result in measured if not result.comparable)
    known = (*recorded, *measured)
    theirs, ours = (_with_accuracy(_undisturbed(measured, one, left_out), known) for one in (baseline_id, candidate_id))
    return Sides(replace(_of_no_commit(theirs), name=name), replace(ours, name="deployed now"), left_out=left_out)


def _of_no_commit(side: Side) -> Side:
    """Its runs record the commit that is checked out now, which is not what its engine is from."""
    return replace(side, results=tuple(replace(result, git_commit=None) for result in side.results))


def _undisturbed(measured: Sequence[BenchResult], engine_id: str, left_out: Sequence[str]) -> Side:
    found = tuple(result for result in measured if result.comparable and result.engine.engine_id == engine_id)
    if not found:
        raise UsageError(
            f"every run of engine {engine_id} was disturbed: nothing to compare",
            why="\n".join(left_out[:_LISTED]),
            hint="edgekit bench --preflight",
        )
    return Side(engine_id, found)


def sessions_of(results: Iterable[BenchResult]) -> tuple[tuple[BenchResult, ...], ...]:
    """Results by session, in order; one that belongs to none is a session of its own."""
    groups: dict[str, list[BenchResult]] = {}
    for result in results:
        groups.setdefault(result.session or result.result_id, []).append(result)
    return tuple(tuple(group) for group in groups.values())


def _history(usable: Sequence[BenchResult], theirs: Side, ours: Side) -> tuple[BenchResult, ...]:
    """Of the baseline's branch; without one, the runs of its engine. What is judged is no measure of itself."""
    branch, judged = theirs.newest.git_branch, _ids(ours.results)
    own = [
        result
        for result in usable
        if (result.git_branch == branch if branch else result.engine.engine_id == theirs.engine_id)
        and result.result_id not in judged
        and not condition_differences(result, theirs.newest)
    ]
    return tuple(own)


def _with_accuracy(side: Side, results: Sequence[BenchResult]) -> Side:
    """Accuracy belongs to the engine, not to the run: a run that lacks it takes the newest one of its engine."""
    known = [r.accuracy for r in results if r.accuracy and r.engine.engine_id == side.engine_id]
    if not known:
        return side
    return replace(side, results=tuple(replace(result, accuracy=known[-1]) for result in side.results))


def _order(result: BenchResult) -> tuple[str, int]:
    return result.created_utc, result.round


def _ids(results: Iterable[BenchResult]) -> set[str]:
    return {result.result_id for result in results}


def _disturbed(result: BenchResult) -> str:
    return f"{result.result_id}: disturbed: {'; '.join(result.measurement.disturbances)}"


def _last_measured(
    usable: Sequence[BenchResult], baseline: Named, deployed_engine_id: str | None, left_out: Sequence[str]
) -> Side:
    taken = set() if baseline.kind == BRANCH else _ids(baseline.results)
    fresh = [result for result in usable if result.result_id not in taken]
    if not fresh:
        raise UsageError(
            f"nothing to judge beside {baseline}",
            why="\n".join(left_out[:_LISTED]),
            hint="measure the change first: edgekit bench --fps",
        )
    last = _last_session(fresh)
    of_engine = _of_one_engine(last, deployed_engine_id)
    return Side(f"last run, {of_engine[-1].created_utc}", of_engine)


def _called(usable: Sequence[BenchResult], name: str, deployed_engine_id: str | None) -> Side:
    found = find_named(usable, name)
    if found is None:
        raise NotFoundError(f"no result to judge is called {name!r}", why=names_known(usable), hint="edgekit history")
    newest = _of_one_engine(_last_session(found.results), deployed_engine_id)[-1]
    return Side(str(found), _same_state(newest, found.results))


def _last_session(results: Sequence[BenchResult]) -> tuple[BenchResult, ...]:
    newest = max(results, key=_order)
    return next(session for session in sessions_of(results) if newest in session)


def _of_one_engine(session: Sequence[BenchResult], deployed_engine_id: str | None) -> tuple[BenchResult, ...]:
    engines = {result.engine.engine_id: result.engine.precision for result in session}
    if len(engines) > 1 and deployed_engine_id not in engines:
        raise UsageError(
            f"the session measured {len(engines)} engines, and none of them is deployed: which is to be judged?",
            why="\n".join(f"{engine_id}  {precision}" for engine_id, precision in engines.items()),
            hint="add --candidate ENGINE, or --precision",
        )
    chosen = deployed_engine_id if deployed_engine_id in engines else next(iter(engines))
    return tuple(result for result in session if result.engine.engine_id == chosen)


def _same_state(newest: BenchResult, results: Sequence[BenchResult]) -> tuple[BenchResult, ...]:
    """The runs of the same engine by the same commit under the same conditions; of a commit with changed files, or
    none, the session alone: nobody knows whether they ran the same code."""
    of_engine = [
        result
        for result in results
        if result.engine.engine_id == newest.engine.engine_id and not condition_differences(newest, result)
    ]
    commit = clean_commit(newest)
    if commit is None:
        return next(session for session in sessions_of(of_engine) if newest in session)
    return tuple(result for result in of_engine if result.git_commit == commit)


def _baseline(
    usable: Sequence[BenchResult], named: Named, ours: Side, *, unless_same: bool, left_out: Sequence[str]
) -> Side:
    called_so = _ids(named.results) - _ids(ours.results)
    pool = [result for result in usable if result.result_id in called_so]
    if unless_same and named.kind == BRANCH and ours.newest.git_branch == named.name:
        pool = [result for result in pool if not _same_code(result, ours.newest)]
    chosen = _alike(pool, named, ours, left_out)
    if unless_same and named.kind in (BRANCH, COMMIT) and _same_code(chosen[-1], ours.newest):
        raise UsageError(
            f"{named} and what is judged are the same commit with the same engine: nothing changed",
            why=f"commit {ours.newest.git_commit}, engine {ours.engine_id}",
            hint="measure the change: edgekit bench --fps    (or name what to judge with --candidate)",
        )
    return Side(str(named), chosen)


def _alike(pool: Sequence[BenchResult], named: Named, ours: Side, left_out: Sequence[str]) -> tuple[BenchResult, ...]:
    if not pool:
        raise NotFoundError(
            f"{named}: no result to compare with, beside the one that is judged",
            why="\n".join(left_out[:_LISTED]),
            hint=f"measure it there: edgekit bench --fps --device {ours.newest.device}",
        )
    alike = [result for result in pool if not condition_differences(result, ours.newest)]
    if not alike:
        raise UsageError(
            f"{named} was measured under other conditions than what is judged",
            why="\n".join(condition_differences(pool[-1], ours.newest)),
            hint="measure both in the same way, or in turns with --measure",
        )
    return _same_state(_preferred(alike, ours), alike)


def _preferred(alike: Sequence[BenchResult], ours: Side) -> BenchResult:
    """The newest that was measured in turns with the candidate, or has its precision, or any."""
    turns = {(result.session, result.round) for result in ours.results if result.session}
    in_turns = [result for result in alike if (result.session, result.round) in turns]
    of_precision = [result for result in alike if result.engine.precision == ours.newest.engine.precision]
    return (in_turns or of_precision or alike)[-1]


def _same_code(first: BenchResult, second: BenchResult) -> bool:
    commit = clean_commit(first)
    return commit is not None and commit == second.git_commit and first.engine.engine_id == second.engine.engine_id
