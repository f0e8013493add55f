"""How old a detection is: from a clock drawn into a camera's pictures to the detection, in the real service.

    python bench/camera_latency.py --minutes 1                    one camera that the engine can follow
    python bench/camera_latency.py --load 5 --minutes 1           five cameras with 5 times what the engine can take
    python bench/camera_latency.py --load 1 --minutes 30 --save   for the record: bench/results/camera-latency-1x-DATE
    python bench/camera_latency.py --streams 2 --fps 30           other cameras

The service is a process of its own with a release as `edgekit deploy` makes it: roadscene, FP32 on ONNX Runtime,
objects followed, a zone and a line, the page open, JSON lines written. Cameras are GStreamer's RTSP server on the same
machine. The end is when a frame's detections, numbers and events are there, before the sinks get them. Encoding,
transport over the loopback and decoding are inside.

A slope is a line through the medians of blocks of time, with its 95 % interval by Student's t. Goals: p99 of at most 3
frame times where the engine can follow, and no growth: an interval that holds 0 and is so narrow that over the run it
leaves room for no more than a tenth of a frame time.
Needs what tests/runtime/capture needs; with matplotlib also draws the figures.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import RESULTS, machine, save_result
from figures import Slope, busy_figures, commit, fairness, slope_of, usage_figures
from served import Served, Watch, build, busy, cameras, load_roadscene, serving

from edgekit.core.events import EventSettings
from edgekit.core.service import ServiceSettings, StreamSettings
from edgekit.core.zones import Line, Zone
from tests.runtime.capture.cameras import free_port

ROOT = Path(__file__).resolve().parents[1]
# What each load means unless --streams, --fps or --threads say otherwise. With one thread the engine alone does about
# 30 FPS on the machine of the record and leaves a core to the cameras.
LOADS = {1: (1, 15, 1), 5: (5, 30, 1)}
WARM_UP_S = (10.0, 60.0)  # a twentieth of the time, within these
BLOCKS = 30
GOAL_FRAME_TIMES = 3.0
FLAT_FRAME_TIMES = 0.1


def main() -> int:
    """Measure, print, and write the record if asked to."""
    arguments = parse()
    streams, fps, threads = (
        given or default
        for given, default in zip(
            (arguments.streams, arguments.fps, arguments.threads), LOADS[arguments.load], strict=True
        )
    )
    detector, model = load_roadscene(arguments.largest_batch)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        engine = build(folder, detector, model)
        with cameras(folder, streams, arguments.size, fps) as there:
            settings = settings_for(there.uris, folder, threads)
            with serving(folder / "service", engine, detector, settings) as served:
                began = busy(there.pid)
                watch = watch_service(served, streams, arguments.minutes)
                spent = busy_figures(began, busy(there.pid))
            figures = {**figures_of(served, watch, fps, streams), **spent}
    result = {
        "load": arguments.load, "cameras": streams, "size": arguments.size, "fps": fps, "threads": threads,
        "largest_batch": detector.profile.maximum.batch, "minutes": arguments.minutes,
        **figures, "commit": commit(), **machine(),
    }  # fmt: skip
    name = f"camera-latency-{arguments.load}x" + ("", f"-batch{arguments.largest_batch}")[arguments.largest_batch > 0]
    if arguments.save:
        stem = RESULTS / f"{name}-{datetime.now(timezone.utc):%Y-%m-%d}"
        result["plot"] = draw(result, stem.with_suffix(".png"))
    save_result(name, result, render(result), arguments)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", type=int, default=1, choices=sorted(LOADS))
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--fps", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="of the engine")
    parser.add_argument("--largest-batch", type=int, default=0, help="of the engine; 0: as detector.yaml says")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    return parser.parse_args()


def settings_for(uris: list[str], folder: Path, threads: int) -> ServiceSettings:
    """A service as people have it: a zone, a line, detections in a file, the page."""
    zone = Zone("road", ((0.1, 0.5), (0.9, 0.5), (0.9, 0.98), (0.1, 0.98)))
    line = Line("middle", (0.5, 0.3), (0.5, 1.0))
    names = [f"camera-{number}" for number in range(len(uris))] if len(uris) > 1 else [""]
    return ServiceSettings(
        service="bench",
        streams=tuple(StreamSettings(uri, name) for uri, name in zip(uris, names, strict=True)),
        sinks=(f"jsonl:{folder / 'found.jsonl'}",),
        threads=threads,
        events=EventSettings(zones=(zone,), lines=(line,)),
        page_port=free_port(),
    )


def watch_service(served: Served, streams: int, minutes: float) -> Watch:
    """Let it run, and see how it fares. What comes before the warm-up is over counts for nothing."""
    served.wait_for_frames(streams=streams)
    seconds = minutes * 60
    time.sleep(min(max(seconds / 20, WARM_UP_S[0]), WARM_UP_S[1]))
    began_s = time.monotonic()
    with Watch(served, min(5.0, seconds / 20)) as watch:
        while (left_s := began_s + seconds - time.monotonic()) > 0:
            if served.process.poll() is not None:
                raise SystemExit(f"the service ended:\n{served.log[-3000:]}")
            time.sleep(min(1.0, left_s))
    return watch


# Figures, from stamps and looks alone


def figures_of(served: Served, watch: Watch, fps: int, streams: int) -> dict[str, Any]:
    """Everything that is recorded beside the conditions."""
    began_s, ended_s = watch.usages[0].at_s, watch.usages[-1].at_s
    stamps = served.stamps
    stamps = stamps[(stamps["there_ns"] > began_s * 1e9) & (stamps["there_ns"] <= ended_s * 1e9)]
    at_s, latency_ms = stamps["there_ns"] / 1e9 - began_s, (stamps["there_ns"] - stamps["made_ns"]) / 1e6
    readable = (latency_ms > 0) & (latency_ms < 600e3)  # else the clock was not what was read
    unreadable, at_s, latency_ms = int((~readable).sum()), at_s[readable], latency_ms[readable]
    seconds, health = ended_s - began_s, served.health()
    return {
        "seconds": round(seconds, 1),
        "frames": len(latency_ms),
        "clocks_unreadable": unreadable,
        "offered_fps": fps * streams,
        "taken_fps": round(len(stamps) / seconds, 2),
        "overload": round(fps * streams * seconds / max(1, len(stamps)), 2),
        "latency": latency_figures(at_s, latency_ms, fps, seconds),
        "own_age_p50_ms": round(float(np.median(stamps["decoded_ns"] - stamps["captured_ns"])) / 1e6, 2),
        "streams": stream_figures(stamps, latency_ms, readable, seconds, health, streams),
        "objects_a_frame": round(float(stamps["objects"].mean()), 2),
        "usage": usage_figures(watch.usages),
        "said": watch.said,
    }


def latency_figures(at_s: np.ndarray, latency_ms: np.ndarray, fps: int, seconds: float) -> dict[str, Any]:
    """Percentiles, and what became of them over the blocks."""
    edges = np.linspace(0, seconds, BLOCKS + 1)
    parts = [latency_ms[(at_s >= low) & (at_s < high)] for low, high in pairwise(edges)]
    centres = np.array([low + seconds / BLOCKS / 2 for low, part in zip(edges[:-1], parts, strict=True) if len(part)])
    p50s = np.array([np.median(part) for part in parts if len(part)])
    p99s = np.array([np.percentile(part, 99) for part in parts if len(part)])
    p50, p95, p99, most = (float(value) for value in np.percentile(latency_ms, (50, 95, 99, 100)))
    slope = slope_of(centres, p50s)
    return {
        "p50_ms": round(p50, 2), "p95_ms": round(p95, 2), "p99_ms": round(p99, 2), "max_ms": round(most, 2),
        "p50_frame_times": round(p50 * fps / 1e3, 2), "p99_frame_times": round(p99 * fps / 1e3, 2),
        "within_goal": round(float((latency_ms <= GOAL_FRAME_TIMES * 1e3 / fps).mean()), 5),
        "slope_p50_ms_an_hour": vars(slope),
        "slope_p99_ms_an_hour": vars(slope_of(centres, p99s)),
        "verdict": slope.verdict(seconds / 3600, FLAT_FRAME_TIMES * 1e3 / fps),
        "block_s": round(seconds / BLOCKS, 1),
        "block_p50_ms": [round(float(v), 2) for v in p50s], "block_p99_ms": [round(float(v), 2) for v in p99s],
    }  # fmt: skip


def stream_figures(
    stamps: np.ndarray, latency_ms: np.ndarray, readable: np.ndarray, seconds: float, health: Any, streams: int
) -> list[dict[str, Any]]:
    """Each camera: frames, rate, gaps, latency, and what the service says was dropped since it started."""
    rows = []
    for number in range(streams):
        mine = stamps["stream"] == number
        ages, gaps = latency_ms[mine[readable]], np.diff(np.sort(stamps["there_ns"][mine])) / 1e6
        rows.append(
            {
                "name": health.streams[number].name,
                "frames": int(mine.sum()),
                "fps": round(float(mine.sum()) / seconds, 2),
                "p50_ms": round(float(np.median(ages)), 2) if len(ages) else None,
                "p99_ms": round(float(np.percentile(ages, 99)), 2) if len(ages) else None,
                "longest_gap_ms": round(float(gaps.max()), 1) if len(gaps) else None,
                "dropped": health.streams[number].dropped,
                "condition": health.streams[number].condition,
            }
        )
    return rows


# For people


def render(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    latency, usage = result["latency"], result["usage"]
    overloaded = result["load"] > 1
    rows = "\n".join(
        f"| {row['name'] or 'the camera'} | {row['frames']} | {row['fps']:.2f} | {row['p50_ms']} | {row['p99_ms']} "
        f"| {row['longest_gap_ms']} | {row['dropped']} | {row['condition']} |"
        for row in result["streams"]
    )
    rates = [row["fps"] for row in result["streams"]]
    said = "\n".join(f"- {looks} of {usage['looks']} looks: {sentence}" for sentence, looks in _alike(result["said"]))
    goal = "no goal for p99" if overloaded else f"goal {GOAL_FRAME_TIMES:g}: {_met(latency['p99_frame_times'])}"
    plot = f"\n![latency and memory over time]({result['plot']})\n" if result.get("plot") else ""
    return f"""# From the camera's clock to the detection, load {result["load"]}x

{result["cameras"]} x {result["size"]} at {result["fps"]} FPS, H.264 over RTSP, {result["seconds"]:.0f} s, \
{result["threads"]} engine thread{"s" if result["threads"] > 1 else ""} of ONNX Runtime, which takes live frames one \
by one, commit {result["commit"]}.

| | |
|---|---|
| frames a second offered, taken | {result["offered_fps"]}, {result["taken_fps"]} ({result["overload"]} to 1) |
| latency p50, p95 | {latency["p50_ms"]} ms, {latency["p95_ms"]} ms |
| latency p99, max | {latency["p99_ms"]} ms, {latency["max_ms"]} ms |
| p99 in frame times of the camera | **{latency["p99_frame_times"]}** ({goal}) |
| slope of the median, ms an hour | **{_slope(latency["slope_p50_ms_an_hour"])}**: {latency["verdict"]} |
| slope of the p99 of blocks, ms an hour | {_slope(latency["slope_p99_ms_an_hour"])} |
| the service's own figure, capture to decoded, p50 | {result["own_age_p50_ms"]} ms |
| objects a frame | {result["objects_a_frame"]} |
| frames whose clock could not be read | {result["clocks_unreadable"]} |
| memory of its own, MiB: first, last, slope an hour | {_ends(usage["own_mib"])} |
| of that the service process | {_ends(usage["service_mib"])} |
| descriptors: first, last, slope an hour | {_ends(usage["descriptors"])} |
| threads, processes at the end | {usage["threads"]["last"]:.0f}, {usage["processes"]["last"]:.0f} |
| CPU seconds a second, service and capture | {usage["cpu_s_a_second"]} |
| of the cameras, of the whole machine | {result["cameras_cpu_s_a_second"]}, {result["machine_cpu_s_a_second"]} |
| fairness (Jain), FPS least and most | {fairness(rates)}, {min(rates):.2f} and {max(rates):.2f} |

| camera | frames | FPS | p50 ms | p99 ms | longest gap ms | dropped | at the end |
|---|---|---|---|---|---|---|---|
{rows}

Slopes are over {BLOCKS} blocks of {latency["block_s"]} s, with the 95 % interval; dropped is since the start.
What the service said meanwhile: {"nothing." if not said else ""}
{said}
{plot}"""


def _alike(said: dict[str, int]) -> list[tuple[str, int]]:
    """Sentences that differ in their numbers alone as one, by its first example; the most frequent first."""
    examples: dict[str, str] = {}
    looks: Counter[str] = Counter()
    for sentence, count in said.items():
        kind = re.sub(r"[\d.]+", "#", sentence)
        examples.setdefault(kind, sentence)
        looks[kind] += count
    return [(examples[kind], count) for kind, count in looks.most_common()]


def _met(frame_times: float) -> str:
    return "met" if frame_times <= GOAL_FRAME_TIMES else "missed"


def _slope(slope: dict[str, float]) -> str:
    return Slope(**slope).text


def _ends(figure: dict[str, Any]) -> str:
    return f"{figure['first']:g}, {figure['last']:g}, {_slope(figure['slope_an_hour'])}"


def draw(result: dict[str, Any], path: Path) -> str | None:
    """Latency of the blocks and memory over time; the file's name, None without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is missing; pip install matplotlib", file=sys.stderr)
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    latency, usage = result["latency"], result["usage"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), constrained_layout=True)
    minutes = (np.arange(len(latency["block_p50_ms"])) + 0.5) * latency["block_s"] / 60
    left.plot(minutes, latency["block_p99_ms"], marker=".", label="p99")
    left.plot(minutes, latency["block_p50_ms"], marker=".", label="p50")
    if result["load"] == 1:
        left.axhline(GOAL_FRAME_TIMES * 1e3 / result["fps"], color="grey", linestyle="--", label="3 frame times")
    left.set(xlabel="minutes", ylabel="clock to detection [ms]", ylim=(0, None))
    for name, label in (("own_mib", "service and capture"), ("service_mib", "service")):
        series = usage[name]["series"]
        right.plot(np.linspace(0, result["seconds"] / 60, len(series)), series, label=label)
    right.set(xlabel="minutes", ylabel="memory of its own [MiB]", ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return path.name


if __name__ == "__main__":
    sys.exit(main())
