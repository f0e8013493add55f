"""What more cameras cost, and whether each gets its share: 4, 8 and 16 streams in one real service.

    python bench/streams.py --seconds 10                      a quick look
    python bench/streams.py --counts 2 32 --fps 5             other numbers
    python bench/streams.py --source stills --network tiny    without capturing and decoding, with next to no network:
                                                              what the service itself costs
    python bench/streams.py --seconds 60 --save               for the record: bench/results/camera-streams-...

Cameras are GStreamer's RTSP server on the same machine, one process with a mount for each; its CPU time is not counted.
Latency runs from a clock in the pictures to the detection; for stills, which show none, from their capture.
Where more is offered than the engine takes, the shares show whether it is taken evenly.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from camera_latency import settings_for
from common import machine, save_result
from figures import busy_figures, commit, fairness
from served import Served, Usage, build, busy, cameras, family, load_roadscene, pss_mib, serving, usage

from edgekit.core.detector import DetectorSpec
from edgekit.files import sha256_file
from tests.fakes import detector_spec
from tests.tiny_yolo import save_tiny_yolo

SETTLE_S = 8.0


def main() -> int:
    """Measure each number of streams, print, and write the record if asked to."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        detector, model = load_roadscene(arguments.largest_batch) if arguments.network == "roadscene" else tiny(folder)
        engine = build(folder, detector, model)
        rows = []
        for count in arguments.counts:
            place = folder / str(count)
            place.mkdir()
            rows.append(measure(place, count, arguments, detector, engine))
            print(rows[-1], file=sys.stderr)
    result = {
        "source": arguments.source, "network": arguments.network, "size": arguments.size, "fps": arguments.fps,
        "threads": arguments.threads, "largest_batch": detector.profile.maximum.batch, "seconds": arguments.seconds,
        "rows": rows, "commit": commit(), **machine(),
    }  # fmt: skip
    save_result(f"camera-streams-{arguments.source}-{arguments.network}", result, render(result), arguments)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--source", choices=("rtsp", "stills"), default="rtsp")
    parser.add_argument("--network", choices=("roadscene", "tiny"), default="roadscene")
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--size", default="640x360", help="of RTSP; stills are 640x360")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--threads", type=int, default=1, help="of the engine")
    parser.add_argument("--largest-batch", type=int, default=0, help="of roadscene; 0: as detector.yaml says")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    return parser.parse_args()


def tiny(folder: Path) -> tuple[DetectorSpec, Path]:
    """A network of three convolutions, so that nearly all the work is the service's own."""
    model = save_tiny_yolo(folder / "tiny.onnx")
    return replace(detector_spec(64, 96), model_sha256=sha256_file(model), confidence=0.3), model


@contextmanager
def sources(folder: Path, count: int, arguments: argparse.Namespace) -> Iterator[tuple[list[str], int | None]]:
    """The addresses of so many streams, and the process of the cameras."""
    if arguments.source == "stills":
        yield [f"stills://?fps={arguments.fps}"] * count, None
        return
    with cameras(folder, count, arguments.size, arguments.fps) as there:
        yield there.uris, there.pid


def measure(
    folder: Path, count: int, arguments: argparse.Namespace, detector: DetectorSpec, engine: Path
) -> dict[str, Any]:
    """One service with so many streams, from when all of them give frames and a few seconds more."""
    with sources(folder, count, arguments) as (uris, cameras_pid):
        settings = settings_for(uris, folder, arguments.threads)
        started_s = time.monotonic()
        with serving(folder / "service", engine, detector, settings) as served:
            served.wait_for_frames(60 + 5 * count, count)
            all_there_s = time.monotonic() - started_s
            time.sleep(SETTLE_S)
            busy_before = busy(cameras_pid)
            before, health_before = usage(served.pid), served.health()
            time.sleep(arguments.seconds)
            after, health = usage(served.pid), served.health()
            busy_after = busy(cameras_pid)
            memory = [pss_mib(pid) for pid in family(served.pid)]
        dropped = health.dropped - health_before.dropped
        conditions = {stream.condition for stream in health.streams}
        return {
            "streams": count,
            "all_there_after_s": round(all_there_s, 1),
            **frame_figures(served, before, after, count, arguments),
            **cost_figures(before, after, count, memory),
            **busy_figures(busy_before, busy_after),
            "dropped_a_second": round(dropped / (after.at_s - before.at_s), 2),
            "conditions": sorted(conditions),
            "warnings": list(health.warnings),
        }


def frame_figures(
    served: Served, before: Usage, after: Usage, count: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Rates, how even they are, and how old detections are."""
    stamps, seconds = served.stamps, after.at_s - before.at_s
    stamps = stamps[(stamps["there_ns"] > before.at_s * 1e9) & (stamps["there_ns"] <= after.at_s * 1e9)]
    began = stamps["made_ns" if arguments.source == "rtsp" else "captured_ns"]
    latency_ms = (stamps["there_ns"] - began) / 1e6
    rates = [float((stamps["stream"] == number).sum()) / seconds for number in range(count)]
    p99s = [float(np.percentile(latency_ms[stamps["stream"] == n], 99)) for n in range(count) if rates[n]]
    p50, p99 = np.percentile(latency_ms, (50, 99))
    return {
        "frames": len(stamps),
        "offered_fps": arguments.fps * count,
        "taken_fps": round(sum(rates), 2),
        "least_fps": round(min(rates), 2),
        "most_fps": round(max(rates), 2),
        "fairness": fairness(rates),
        "latency_p50_ms": round(float(p50), 1),
        "latency_p99_ms": round(float(p99), 1),
        "latency_p99_of_streams_ms": [round(min(p99s), 1), round(max(p99s), 1)],
        "service_cpu_ms_a_frame": round((after.service_cpu_s - before.service_cpu_s) / max(1, len(stamps)) * 1e3, 2),
    }


def cost_figures(before: Usage, after: Usage, count: int, memory: list[float]) -> dict[str, Any]:
    """What the service and its capture processes took."""
    seconds = after.at_s - before.at_s
    service = (after.service_cpu_s - before.service_cpu_s) / seconds
    capture = (after.cpu_s - before.cpu_s) / seconds - service
    return {
        "cpu_s_a_stream_second": round((service + capture) / count, 4),
        "service_cpu_s_a_second": round(service, 3),
        "capture_cpu_s_a_stream_second": round(capture / count, 4),
        "service_pss_mib": round(memory[0], 1),
        "capture_pss_mib_each": round(sum(memory[1:]) / count, 1),
        "memory_mib_a_stream": round(sum(memory) / count, 1),
        "threads": after.threads,
        "processes": after.processes,
        "service_descriptors": after.service_descriptors,
        "descriptors": after.descriptors,
    }


def render(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    rows = result["rows"]
    lines = [
        ("frames a second offered", "offered_fps"),
        ("frames a second taken", "taken_fps"),
        ("FPS of a stream, least", "least_fps"),
        ("FPS of a stream, most", "most_fps"),
        ("fairness (Jain)", "fairness"),
        ("latency p50, ms", "latency_p50_ms"),
        ("latency p99, ms", "latency_p99_ms"),
        ("p99 of the best and the worst stream, ms", "latency_p99_of_streams_ms"),
        ("dropped a second", "dropped_a_second"),
        ("CPU seconds a stream and second", "cpu_s_a_stream_second"),
        ("of that capture", "capture_cpu_s_a_stream_second"),
        ("CPU of the service process, ms a frame", "service_cpu_ms_a_frame"),
        ("CPU seconds a second, all of the machine", "machine_cpu_s_a_second"),
        ("of that the cameras", "cameras_cpu_s_a_second"),
        ("memory of the service process, MiB", "service_pss_mib"),
        ("memory of a capture process, MiB", "capture_pss_mib_each"),
        ("memory a stream, MiB, all in all", "memory_mib_a_stream"),
        ("threads, all processes", "threads"),
        ("processes", "processes"),
        ("descriptors of the service process", "service_descriptors"),
        ("from start until every stream gave a detection, s", "all_there_after_s"),
        ("conditions at the end", "conditions"),
    ]
    table = "\n".join(f"| {what} | " + " | ".join(_text(row[name]) for row in rows) + " |" for what, name in lines)
    said = "\n".join(f"- {row['streams']} streams: {warning}" for row in rows for warning in row["warnings"])
    more = f"; each stream more takes {_memory_of_one_more(rows):.1f} MiB" if len(rows) > 1 else ""
    kind = "H.264 over RTSP" if result["source"] == "rtsp" else "pictures from memory, nothing decoded"
    return f"""# Many streams, one engine: {result["source"]}, {result["network"]}

{result["size"]} at {result["fps"]} FPS each, {kind}, {result["seconds"]:g} s for each column.
Engine threads: {result["threads"]}; batches of up to {result["largest_batch"]}; commit {result["commit"]}.

| streams | {" | ".join(str(row["streams"]) for row in rows)} |
|---|{"---|" * len(rows)}
{table}

Memory is the proportional share, shared memory included{more}. The cameras ran on the same cores, before other work.
{said}
"""


def _memory_of_one_more(rows: list[dict[str, Any]]) -> float:
    first, last = rows[0], rows[-1]
    mib = [row["memory_mib_a_stream"] * row["streams"] for row in (first, last)]
    return float((mib[1] - mib[0]) / (last["streams"] - first["streams"]))


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    sys.exit(main())
