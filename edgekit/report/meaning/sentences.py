"""What the figures of a report mean, as plain sentences that follow from them and from nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from edgekit.core.results import BenchResult
from edgekit.report import numbers
from edgekit.report.comparison.metrics import RateReader
from edgekit.report.comparison.ratio import Ratio, rate_ratio
from edgekit.report.facts_scenes import stratum_label
from edgekit.report.meaning.accuracy import accuracy_meanings, calibration_meanings
from edgekit.report.meaning.runs import Meaning, run_meanings
from edgekit.report.meaning.targets import CLOSE, MET, MISSED, TargetVerdict, target_verdicts
from edgekit.report.plots import STAGES
from edgekit.report.recorded.saying import recorded_all
from edgekit.report.summary import Report
from edgekit.report.texts import text

_GAINS_MORE = 1.05  # times the pipeline's own gain, before the engine's is worth a sentence
_TONES = {MET: "good", MISSED: "bad", CLOSE: "open"}


def meanings(report: Report) -> tuple[Meaning, ...]:
    """The sentences in reading order: trust, speed, accuracy, what limits it, targets, energy, what is missing."""
    return tuple(
        chain(
            _trust(report),
            _speeds(report),
            accuracy_meanings(report),
            _limit(report),
            _targets(report),
            _energy(report),
            _runs(report),
            calibration_meanings(report),
            _missing(report),
        )
    )


def meaning_text(lang: str, meaning: Meaning) -> str:
    """The sentence in "en" or "zh"."""
    words = {name: text(lang, key) for name, key in meaning.words.items()}
    listed = text(lang, "list_comma").join(text(lang, key) for key in meaning.listed)
    strata = text(lang, "list_comma").join(stratum_label(lang, stratum) for stratum in meaning.strata)
    said = {name: recorded_all(lang, sentences) for name, sentences in meaning.recorded.items()}
    values = {"listed": listed, "strata": strata, **meaning.values, **words, **said}
    return text(lang, f"mean_{meaning.key}", **values)


def _trust(report: Report) -> Iterator[Meaning]:
    head = report.headline
    if not head.comparable:
        yield Meaning("disturbed", "bad", recorded={"why": head.measurement.disturbances})
    if not all(result.measurement.rate.stable for result in report.comparison.results):
        yield Meaning("unsteady", "bad")
    if head.conditions.clocks_locked is False:
        yield Meaning("clocks_free", "bad")


def _speeds(report: Report) -> Iterator[Meaning]:
    for before, after in _pairs(report):
        yield from _speed(report, before, after)


def _pairs(report: Report) -> Iterator[tuple[BenchResult, BenchResult]]:
    """Each engine against the baseline; and INT8 against FP16, for where FP16 runs nobody ships FP32."""
    results = report.comparison.results
    for other in results[1:]:
        yield results[0], other
    halves = [result for result in results[1:] if result.engine.precision == "fp16"]
    for other in results[1:]:
        if halves and other.engine.precision == "int8":
            yield halves[0], other


def _speed(report: Report, before: BenchResult, after: BenchResult) -> Iterator[Meaning]:
    ratio = _ratio(report, before, after, lambda result: result.measurement.rate)
    if ratio is None:
        return
    values = {"name": report.name_of(after), "base": report.name_of(before), **_ratio_values(ratio)}
    words = {"basis": "basis_turns" if ratio.pairs else "basis_runs"}
    if not ratio.told_apart:
        yield Meaning("alike", "open", values, words)
        return
    yield Meaning("faster" if ratio.value > 1 else "slower", "good" if ratio.value > 1 else "bad", values, words)
    engine = _ratio(report, before, after, lambda result: result.measurement.engine_rate)
    if engine and engine.told_apart and engine.value > _GAINS_MORE * ratio.value:
        yield Meaning("engine_gains_more", "plain", {"name": values["name"], "factor": f"{engine.value:.2f}"})


def _ratio(report: Report, before: BenchResult, after: BenchResult, read: RateReader) -> Ratio | None:
    return rate_ratio(report.comparison.runs_of(before), report.comparison.runs_of(after), read)


def _ratio_values(ratio: Ratio) -> dict[str, str]:
    return {"factor": f"{ratio.value:.2f}", "low": f"{ratio.low:.2f}", "high": f"{ratio.high:.2f}"}


def _limit(report: Report) -> Iterator[Meaning]:
    """Stages of different frames overlap: the longest one sets the pace, whatever the others take."""
    head = report.headline
    means = {name: head.measurement.stages[name].mean_ms for name in STAGES if name in head.measurement.stages}
    if head.conditions.scenario in ("engine", "camera") or "inference" not in means:
        return
    longest = max(means, key=lambda name: means[name])
    share = head.measurement.pipeline_share
    values = {
        "name": report.name_of(head),
        "ms": numbers.figure(means[longest], 2, "ms"),
        "engine_ms": numbers.figure(means["inference"], 2, "ms"),
        "share": numbers.figure(None if share is None else 100 * share, 1, "%"),
    }
    if longest == "inference":
        yield Meaning("engine_limits" if share is None else "engine_limits_share", "plain", values)
    else:
        yield Meaning("stage_limits", "bad", values, {"stage": longest})


def _targets(report: Report) -> Iterator[Meaning]:
    for verdict in target_verdicts(report.comparison.runs_of(report.headline), report.targets):
        yield _target(report, verdict)


def _target(report: Report, verdict: TargetVerdict) -> Meaning:
    unit, digits = _TARGET_UNITS[verdict.name]
    values = {
        "name": report.name_of(report.headline),
        "wanted": f"{verdict.wanted:g}\N{NARROW NO-BREAK SPACE}{unit}",
        "measured": numbers.figure(verdict.measured, digits, unit),
    }
    tone = _TONES.get(verdict.verdict, "open")
    return Meaning(f"target_{verdict.verdict}", tone, values, {"what": f"target_{verdict.name}"})


_TARGET_UNITS = {
    "fps": ("FPS", 1),
    "p99_ms": ("ms", 1),
    "watts": ("W", 2),
    "joules_per_frame": ("J", 3),
    "mib": ("MiB", 0),
}


def _energy(report: Report) -> Iterator[Meaning]:
    head, base, energy = report.headline, report.comparison.baseline, report.headline.measurement.energy
    (joules, bounds), (watts, _) = report.figure("joules_per_frame"), report.figure("power_mean")
    if energy is None or joules is None or bounds is None:
        return
    values = {
        "name": report.name_of(head),
        "joules": numbers.figure(joules, 3, "J"),
        "low": numbers.figure(bounds[0], 3),
        "high": numbers.figure(bounds[1], 3),
        "watts": numbers.figure(watts, 2, "W"),
        "sensor": energy.sensor,
    }
    by = "energy_by_rounds" if report.rate.rounds > 1 else "energy_by_sampling"
    yield Meaning("energy", "plain", values, {"by": by}, recorded={"of": (energy.of,)})
    before, other = report.figure("joules_per_frame", base)
    if head is not base and before and other and (bounds[1] < other[0] or other[1] < bounds[0]):
        change = 100 * (joules / before - 1)
        told = {"name": values["name"], "base": report.names[0], "pct": numbers.figure(abs(change), 1, "%")}
        yield Meaning("energy_less" if change < 0 else "energy_more", "good" if change < 0 else "bad", told)


def _runs(report: Report) -> Iterator[Meaning]:
    for result in (report.headline, *report.others):
        yield from run_meanings(result, report.name_of(result), report.targets.fps)


def _missing(report: Report) -> Iterator[Meaning]:
    rows = tuple(
        row.key
        for row in report.comparison.rows
        if all(value is None for value in row.values) and row.key != "map_kept"
    )
    if rows:
        yield Meaning("missing", "open", listed=rows)
