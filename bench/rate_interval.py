"""How often the 95 % interval of a rate holds the true rate, for the interval in use and for the plain one.

    python bench/rate_interval.py --model detectors/roadscene/model.onnx --labels detectors/roadscene/labels.txt --save

First made-up runs of 10 s with known truth: frames of about 30 a second whose times have noise of their own, and noise
that frames within a correlation time share, as when a machine is slow for a while. Then this machine: one long record
of the pipeline, cut into short runs; the truth is the rate of the whole record, so that whatever slows the machine for
longer than a run counts against the interval. "plain" takes 10 windows for independent, as edgekit did before.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import add_model_arguments, detector_from, loaded_engine, machine, save_result
from figures import commit

from edgekit.core.stats import mean_interval, share_interval, summarise_rate
from edgekit.runtime.bench.replayed import Replayed
from edgekit.runtime.detect import limit_cv_threads
from edgekit.runtime.pipeline import Pipeline
from edgekit.runtime.sources import open_source

SOURCE = "memory://?width=1280&height=720&frames=16"
SETTLING_FRAMES = 20
LEAST_FRAMES = 3  # of a run that has a rate
FPS, RUN_S, OWN_SHAPE, SHARED = 30.0, 10.0, 20.0, 0.1
CORRELATED_S = (0.0, 0.1, 0.3, 1.0, 2.0, 4.0)


def main() -> int:
    """Measure, print, and write the record if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the record")
    parser.add_argument("--run-seconds", type=float, nargs="+", default=[1.0, 2.0, 5.0])
    parser.add_argument("--made-up", type=int, default=2000, help="runs for each correlation time")
    arguments = parser.parse_args()
    record_s = record(arguments)
    result = {
        "made_up": [{"correlated_s": each, **covered(made_up(each, arguments.made_up))} for each in CORRELATED_S],
        "machine": [{"run_s": each, **covered(cut(record_s, each))} for each in arguments.run_seconds],
        "record": described(record_s), "commit": commit(), **machine(),
    }  # fmt: skip
    save_result("rate_interval", result, render(result), arguments)
    return 0


def made_up(correlated_s: float, runs: int) -> Iterator[tuple[np.ndarray, float]]:
    """(finish times, the true rate) of runs with known truth."""
    rng = np.random.default_rng(20_26)
    count = int(FPS * RUN_S) + 1
    for _ in range(runs):
        took_s = rng.gamma(OWN_SHAPE, 1 / OWN_SHAPE, count) / FPS
        if correlated_s:
            took_s = took_s * np.exp(SHARED * shared_noise(rng, count, correlated_s) - SHARED**2 / 2)
        yield np.cumsum(took_s), FPS


def shared_noise(rng: np.random.Generator, count: int, correlated_s: float) -> np.ndarray:
    """Standard normal, alike within the correlation time: a first-order autoregressive process."""
    keep, drawn = float(np.exp(-1 / (FPS * correlated_s))), rng.normal(0, 1, count)
    noise = np.empty(count)
    noise[0] = drawn[0]
    for index in range(1, count):
        noise[index] = keep * noise[index - 1] + (1 - keep**2) ** 0.5 * drawn[index]
    return noise


def record(arguments: argparse.Namespace) -> np.ndarray:
    """When frames came out of the pipeline, in seconds."""
    limit_cv_threads()
    finished_s: list[float] = []
    with (
        loaded_engine(detector_from(arguments), arguments.model) as (_, stages),
        Replayed(lambda: open_source(SOURCE)) as source,
        Pipeline(source, stages) as pipeline,
    ):
        for number, detected in enumerate(pipeline):
            if number < SETTLING_FRAMES:
                continue
            finished_s.append(detected.finished_s)
            if finished_s[-1] - finished_s[0] >= arguments.seconds:
                break
    return np.array(finished_s) - finished_s[0]


def cut(record_s: np.ndarray, run_s: float) -> Iterator[tuple[np.ndarray, float]]:
    """(finish times, the rate of the whole record) of runs one after the other."""
    truth = (len(record_s) - 1) / float(record_s[-1])
    for start_s in np.arange(0, record_s[-1] - run_s, run_s):
        run = record_s[(record_s >= start_s) & (record_s < start_s + run_s)]
        if len(run) > LEAST_FRAMES:
            yield run, truth


def plain(finished_s: np.ndarray) -> tuple[float, float]:
    """The interval of ten windows that are taken for independent."""
    edges = np.linspace(0, len(finished_s) - 1, min(10, len(finished_s) - 1) + 1).astype(int)
    rates = np.diff(edges) / np.diff(finished_s[edges])
    mean, low, high = mean_interval(rates)
    fps = (len(finished_s) - 1) / float(finished_s[-1] - finished_s[0])
    return fps - (mean - low), fps + (high - mean)


def covered(runs: Iterator[tuple[np.ndarray, float]]) -> dict[str, Any]:
    """Shares of runs whose interval holds the truth, and half widths as shares of the rate."""
    rows = []
    for finished_s, truth in runs:
        rate, (low, high) = summarise_rate(finished_s), plain(finished_s)
        assert rate is not None
        inside = rate.low_fps <= truth <= rate.high_fps
        rows.append((inside, low <= truth <= high, rate.stable, *((b - a) / 2 / rate.fps for a, b in
                    ((rate.low_fps, rate.high_fps), (low, high)))))  # fmt: skip
    held, held_plain, stable, half, half_plain = map(np.array, zip(*rows, strict=True))
    return {
        "runs": len(rows),
        "held": share_of(held),
        "held_plain": share_of(held_plain),
        "half_width_median": round(float(np.median(half)), 4),
        "half_width_plain_median": round(float(np.median(half_plain)), 4),
        "called_stable": round(float(stable.mean()), 4),
        "held_of_stable": share_of(held[stable]) if stable.any() else None,
    }


def share_of(inside: np.ndarray) -> list[float]:
    """A share and its 95 % interval."""
    low, high = share_interval(int(inside.sum()), len(inside))
    return [round(value, 4) for value in (float(inside.mean()), low, high)]


def described(record_s: np.ndarray) -> dict[str, float]:
    """How noisy the machine was."""
    took_s = np.diff(record_s)
    halves = np.histogram(record_s, np.arange(0, record_s[-1], 0.5))[0] * 2.0
    return {
        "seconds": round(float(record_s[-1]), 2),
        "fps": round((len(record_s) - 1) / float(record_s[-1]), 2),
        "frame_variation": round(float(took_s.std() / took_s.mean()), 4),
        "half_second_variation": round(float(halves.std() / halves.mean()), 4),
        "alike_after_half_a_second": round(correlation(halves, 1), 3),
        "alike_after_5_s": round(correlation(halves, 10), 3),
    }


def correlation(values: Sequence[float] | np.ndarray, lag: int) -> float:
    """Of values with those so many places later."""
    deviations = np.asarray(values) - np.mean(values)
    return float((deviations[lag:] * deviations[:-lag]).sum() / (deviations**2).sum())


def render(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    told = result["record"]
    return f"""# Does the interval of a rate hold the true rate?

Share of runs whose 95 % interval holds it, with the interval of that share; half widths are medians, of the rate.

## Made-up runs of {RUN_S:g} s, {FPS:g} FPS, whose truth is known

{table(result["made_up"], "noise alike for", lambda row: f"{row['correlated_s']:g} s")}

## This machine: {told["seconds"]:g} s at {told["fps"]:g} FPS, cut into runs

{table(result["machine"], "runs of", lambda row: f"{row['run_s']:g} s")}

Rates of half seconds vary by {told["half_second_variation"]:.1%}; their correlation is
{told["alike_after_half_a_second"]:.2f} with the next one, and {told["alike_after_5_s"]:.2f} with the one after 5 s.
What slows a machine for longer than a run cannot be seen within it: the interval is of the run, and only several rounds
show the rest. Commit {result["commit"]}.
"""


def table(rows: list[dict[str, Any]], head: str, name: Callable[[dict[str, Any]], str]) -> str:
    """A row for each kind of run."""
    lines = [
        f"| {head} | runs | in use | half width | plain | half width | called stable | in use, of those |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            name(row), row["runs"], share(row["held"]), f"{row['half_width_median']:.1%}", share(row["held_plain"]),
            f"{row['half_width_plain_median']:.1%}", f"{row['called_stable']:.0%}",
            share(row["held_of_stable"]) if row["held_of_stable"] else "-",
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def share(figures: list[float]) -> str:
    """A share with its interval."""
    middle, low, high = figures
    return f"{middle:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    sys.exit(main())
