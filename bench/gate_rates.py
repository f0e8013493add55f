"""How often `edgekit gate` calls a slowdown one, and how often it calls nothing one, on this machine.

    python bench/gate_rates.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt --save

In every round one engine is measured three times in turns by the scenario "pipeline", as `edgekit gate --measure` does:
as it is, as it is once more, and with every inference made 5 % longer by work on the same processor. Blocks of rounds
are gates: the second against the first is a clean repeat, the third against the first a planted slowdown. The order of
the three changes from round to round.

Then, for more rounds than anybody waits for, gates are drawn from the recorded pairs of runs with replacement; and for
machines that are more or less restless than this one, gates are made up with a known spread and a known slowdown.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.core.preflight import Preflight
from edgekit.core.requests import BenchRequest
from edgekit.core.results import BenchResult
from edgekit.report.gate.comparing import compare
from edgekit.report.gate.judging import judge
from edgekit.report.gate.metrics import GATE_METRICS, SPEED
from edgekit.report.gate.outcome import CANNOT_TELL, Limits
from edgekit.report.gate.sides import Side, Sides
from edgekit.runtime.bench.pipeline import measure_pipeline
from edgekit.runtime.bench.session import Session
from edgekit.runtime.bench.watch import Watch
from edgekit.runtime.detect import limit_cv_threads
from edgekit.runtime.engine_files import read_manifest
from edgekit.runtime.engines import Engine, build_engine
from edgekit.runtime.probe import probe_device

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import add_model_arguments, detector_from, machine, save_result
from figures import commit

ARMS = ("base", "again", "slower")
ORDERS = list(permutations(ARMS))
SOURCE = "memory://?width=1280&height=720&frames=16"
# One process measures all turns here, so the memory of a turn is not told apart from that of the turns before.
METRICS = tuple(metric for metric in GATE_METRICS if metric.key != "memory_peak")
KNOWN_SPREADS_PCT = (1.0, 2.0, 4.0, 8.0)
DRAWN_ROUNDS = (3, 5, 8, 12, 20)
Z95 = 1.959964


def main() -> int:
    """Measure, print, and write bench/results/gate_rates-DATE.{json,md} if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--gates", type=int, default=20, help="of each kind")
    parser.add_argument("--rounds", type=int, default=5, help="of a gate")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn: pipeline, and as long the engine alone")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no further gate after that")
    parser.add_argument("--threads", type=int, default=0, help="of the engine; 0: all processors")
    parser.add_argument("--slower-pct", type=float, default=5.0)
    parser.add_argument("--draws", type=int, default=500, help="gates drawn for each number of rounds")
    arguments = parser.parse_args()
    started_s, load = time.monotonic(), os.getloadavg()[0]
    runs = measure_all(arguments)
    measured_s = time.monotonic() - started_s
    limits = Limits()
    result: dict[str, object] = {
        "commit": commit(),
        "model": arguments.model.name,
        "rounds": arguments.rounds,
        "turn_s": arguments.seconds,
        "slower_pct": arguments.slower_pct,
        "threads": arguments.threads,
        "measured_s": round(measured_s),
        "load_at_start": round(load, 2),
        "limits": vars(limits),
        "measured": {arm: outcomes(blocks(runs, arm, arguments.rounds), limits) for arm in ARMS[1:]},
        "change_pct": {arm: changes(runs, arm) for arm in ARMS[1:]},
        "pair_spread_pct": spreads(runs),
        "drawn": drawn(runs, limits, arguments.draws),
        "known": known(runs["base"][0], limits, arguments.draws, arguments.slower_pct),
        **machine(),
    }
    save_result("gate_rates", result, render(result), arguments)
    return 0


@dataclass
class Slower:
    """An engine whose every inference takes longer by a share of itself, spent working."""

    engine: Engine
    share: float

    @property
    def manifest(self) -> EngineManifest:
        return self.engine.manifest

    def infer(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        began_s = time.perf_counter()
        outputs = self.engine.infer(tensors)
        until_s = began_s + (time.perf_counter() - began_s) * (1 + self.share)
        while time.perf_counter() < until_s:
            pass
        return outputs

    def stages(self, detector: Any, batch: int) -> None:
        return None


class SlowedSession(Session):
    """A measurement of an engine that was made slower."""

    share = 0.0

    @contextmanager
    def loaded(self) -> Iterator[Any]:
        with super().loaded() as engine:
            yield Slower(engine, self.share) if self.share else engine


def measure_all(arguments: argparse.Namespace) -> dict[str, list[BenchResult]]:
    """The runs of each arm, by round."""
    limit_cv_threads()
    detector, profile = detector_from(arguments), probe_device()
    runs: dict[str, list[BenchResult]] = {arm: [] for arm in ARMS}
    until_s = time.monotonic() + arguments.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        build = BuildRequest(detector, "fp32", profile.engine_key, str(arguments.model), folder)
        engine = Path(folder) / build_engine(build, profile, lambda *_: None).engine_id
        request = BenchRequest(
            str(engine),
            detector,
            source=SOURCE,
            duration_s=arguments.seconds,
            threads=arguments.threads,
            power_every_s=0.0,
        )
        rounds = arguments.gates * arguments.rounds
        for number in range(rounds):
            if number % arguments.rounds == 0 and time.monotonic() > until_s:
                break
            for arm in ORDERS[number % len(ORDERS)]:
                share = arguments.slower_pct / 100 if arm == "slower" else 0.0
                runs[arm].append(measure_once(request, profile, share, number))
            print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return runs


def measure_once(request: BenchRequest, profile: DeviceProfile, share: float, number: int) -> BenchResult:
    """One turn, as a result of its round."""
    with Watch(0.0) as watch:
        session = SlowedSession(request, profile, Preflight(), watch, lambda *_: None)
        session.share = share
        answer = measure_pipeline(session)
    return BenchResult(
        result_id=f"{number}-{share}",
        created_utc="2001-01-01T00:00:00Z",
        device="local",
        profile=profile,
        engine=read_manifest(Path(request.engine_dir)),
        conditions=answer.conditions,
        measurement=answer.measurement,
        session="all",
        round=number,
    )


def blocks(runs: Mapping[str, list[BenchResult]], arm: str, rounds: int) -> list[Sides]:
    """Gates of consecutive rounds."""
    starts = range(0, len(runs["base"]), rounds)
    return [sides(runs["base"][start : start + rounds], runs[arm][start : start + rounds]) for start in starts]


def sides(before: list[BenchResult], after: list[BenchResult]) -> Sides:
    """Two lists of runs, pair by pair."""
    numbered = [tuple(replace(run, round=index) for index, run in enumerate(results)) for results in (before, after)]
    return Sides(Side("base", numbered[0]), Side("change", numbered[1]))


def outcomes(gates: list[Sides], limits: Limits) -> dict[str, Any]:
    """How many were flagged, with the 95 % interval of that rate, and by which figures."""
    reports = [judge(gate, limits, metrics=METRICS) for gate in gates]
    flagged = [report for report in reports if report.failed]
    names = [row.name for report in flagged for row in report.judged("regression")]
    doubtful = sum(bool(report.judged(CANNOT_TELL)) for report in reports)
    low, high = wilson(len(flagged), len(gates))
    return {
        "gates": len(gates), "flagged": len(flagged), "low": low, "high": high, "with_doubts": doubtful,
        "by_figure": {name: names.count(name) for name in dict.fromkeys(names)},
    }  # fmt: skip


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a rate. Source: Wilson, Journal of the American Statistical Association 22, 1927, p. 209."""
    share, square = hits / of, Z95**2
    middle = (share + square / 2 / of) / (1 + square / of)
    half = Z95 * np.sqrt(share * (1 - share) / of + square / 4 / of**2) / (1 + square / of)
    return round(float(max(0.0, middle - half)), 4), round(float(min(1.0, middle + half)), 4)


def changes(runs: Mapping[str, list[BenchResult]], arm: str) -> dict[str, list[float]]:
    """By figure: the change over all rounds with its 95 % interval, in %: what was really planted."""
    everything = sides(runs["base"], runs[arm])
    found = {}
    for metric in METRICS:
        change = compare(metric, everything).change if metric.kind == SPEED else None
        if change is not None:
            ends = (change.ratio, *change.interval(0.025))
            found[metric.key] = [round(100 * (end - 1), 2) for end in ends]
    return found


def spreads(runs: Mapping[str, list[BenchResult]]) -> dict[str, float]:
    """By figure: how much the two of a clean pair differ, as a standard deviation in %."""
    everything = sides(runs["base"], runs["again"])
    found = {metric.key: compare(metric, everything).change for metric in METRICS if metric.kind == SPEED}
    return {key: round(100 * change.spread, 2) for key, change in found.items() if change is not None}


def drawn(runs: Mapping[str, list[BenchResult]], limits: Limits, draws: int) -> list[dict[str, Any]]:
    """Rates for several numbers of rounds, of gates drawn from the recorded pairs."""
    rng = np.random.default_rng(7)
    rows = []
    for rounds in DRAWN_ROUNDS:
        row: dict[str, Any] = {"rounds": rounds}
        for arm in ARMS[1:]:
            gates = []
            for _ in range(draws):
                picked = rng.integers(0, len(runs["base"]), rounds)
                gates.append(sides([runs["base"][i] for i in picked], [runs[arm][i] for i in picked]))
            row[arm] = outcomes(gates, limits)
        rows.append(row)
    return rows


def known(template: BenchResult, limits: Limits, draws: int, effect_pct: float) -> list[dict[str, Any]]:
    """Rates for runs whose truth is known: by the spread of a clean pair, and by the number of rounds."""
    rng = np.random.default_rng(11)
    rows = []
    for spread_pct in KNOWN_SPREADS_PCT:
        for rounds in DRAWN_ROUNDS:
            row: dict[str, Any] = {"spread_pct": spread_pct, "rounds": rounds}
            for arm, slower_pct in (("again", 0.0), ("slower", effect_pct)):
                gates = [made_up(template, rng, rounds, spread_pct / 100, slower_pct / 100) for _ in range(draws)]
                row[arm] = outcomes(gates, limits)
            rows.append(row)
    return rows


def made_up(template: BenchResult, rng: np.random.Generator, rounds: int, spread: float, slower: float) -> Sides:
    """A gate of runs around a template. Two thirds of the noise are the run's own, which all its figures share."""
    sigma, effect = spread / np.sqrt(2), np.log1p(-slower)
    before, after = [], []
    for _ in range(rounds):
        for runs, shift in ((before, 0.0), (after, effect)):
            shared = rng.normal(0, sigma * np.sqrt(2 / 3))
            runs.append(scaled(template, shift + shared + rng.normal(0, sigma / np.sqrt(3), 5), shift))
    return sides(before, after)


def scaled(template: BenchResult, faster: np.ndarray, shift: float) -> BenchResult:
    """The template with its figures multiplied; faster (5,): logarithms for pipeline, engine, p50, p95 and the host's
    time, of which the last does not take part in the shift."""
    figures, factors = template.measurement, np.exp(faster)
    total, host = figures.stages["end_to_end"], figures.stages["host"]
    stages = {
        "end_to_end": replace(total, p50_ms=total.p50_ms / factors[2], p95_ms=total.p95_ms / factors[3], p99_ms=None),
        "host": replace(host, p50_ms=host.p50_ms / factors[4] * np.exp(shift)),
    }
    rates = {
        name: replace(getattr(figures, name), fps=getattr(figures, name).fps * factor)
        for name, factor in (("pipeline_rate", factors[0]), ("engine_rate", factors[1]))
    }
    return replace(template, measurement=replace(figures, stages=stages, **rates))


def render(result: dict[str, Any]) -> str:
    """The record as Markdown."""
    limits = result["limits"]
    kinds = {"again": "clean repeats", "slower": f"{result['slower_pct']:g} % slower inference"}
    lines = [
        "# How often the gate is right",
        "",
        f"{result['rounds']} rounds of {result['turn_s']:g} s (pipeline, and as long the engine alone) on each side, "
        f"in turns; limit {limits['max_regression_pct']:g} %, alpha {limits['alpha']:g} over all figures. "
        f"{result['model']}, FP32, {result['threads'] or 'all'} threads, commit {result['commit']}, "
        f"{result['measured_s']} s of measuring. Load average of the machine before it: {result['load_at_start']}.",
        "",
        "| measured | gates | called a regression | 95 % interval of the rate | by figure |",
        "|---|--:|--:|--:|---|",
        *(f"| {kinds[arm]} | {_cells(found)} |" for arm, found in result["measured"].items()),
        "",
        "Over all rounds: the change with its 95 % interval, and how much the two runs of a clean pair differ.",
        "",
        "| figure | clean repeats | planted | spread of a pair |",
        "|---|--:|--:|--:|",
        *(_change_row(result, key) for key in result["change_pct"]["again"]),
        "",
        f"Drawn from the {result['rounds'] * result['measured']['again']['gates']} recorded pairs, with replacement:",
        "",
        "| rounds | clean called a regression | slower called a regression |",
        "|--:|--:|--:|",
        *(f"| {row['rounds']} | {_rate(row['again'])} | {_rate(row['slower'])} |" for row in result["drawn"]),
        "",
        f"Made up, with known truth ({result['known'][0]['again']['gates']} gates each):",
        "",
        "| spread of a clean pair | rounds | clean called a regression | slower called a regression |",
        "|--:|--:|--:|--:|",
        *(
            f"| {row['spread_pct']:g} % | {row['rounds']} | {_rate(row['again'])} | {_rate(row['slower'])} |"
            for row in result["known"]
        ),
        "",
    ]
    return "\n".join(lines)


def _cells(found: dict[str, Any]) -> str:
    names = ", ".join(f"{name} {count}" for name, count in found["by_figure"].items()) or "-"
    interval = f"{100 * found['low']:.1f} % to {100 * found['high']:.1f} %"
    return f"{found['gates']} | {found['flagged']} | {interval} | {names}"


def _change_row(result: dict[str, Any], key: str) -> str:
    cells = ["{:+.1f} % ({:+.1f} to {:+.1f})".format(*result["change_pct"][arm][key]) for arm in ARMS[1:]]
    return f"| {key} | {' | '.join(cells)} | {result['pair_spread_pct'][key]:.1f} % |"


def _rate(found: dict[str, Any]) -> str:
    share = 100 * found["flagged"] / found["gates"]
    return f"{share:.1f} % ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


if __name__ == "__main__":
    sys.exit(main())
