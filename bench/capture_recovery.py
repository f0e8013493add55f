"""How fast a camera comes back, how old its pictures are, and what a hand-over costs; with real RTSP servers.

python bench/capture_recovery.py faults --count 60      freezes, kills and cuts, one after the other, beside a camera
                                                         that nothing happens to
python bench/capture_recovery.py restarts --count 200   capture processes killed: descriptors and memory
python bench/capture_recovery.py latency --seconds 30   from a clock drawn into the pictures to the frame at hand
python bench/capture_recovery.py copy                   a 1080p picture out of shared memory

Needs Debian's ffmpeg, python3-gi, gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins; see tests/runtime/capture.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgekit.core.camera_uri import parse_camera_uri
from edgekit.runtime.capture.messages import Picture
from edgekit.runtime.capture.process import CaptureProcess
from edgekit.runtime.capture.source import CameraSource
from tests.runtime.capture.cameras import Proxy, RtspServer, clock_ns, descriptors, resident_mib

SMALL = ("--size", "640x360", "--fps", "15")


class Reading:
    """A camera read in a thread, with the times of its frames."""

    def __init__(self, uri: str) -> None:
        self.changes: list[tuple[float, str, str]] = []
        self.times_s: list[float] = []
        self.source = CameraSource(
            parse_camera_uri(uri), lambda _, c: self.changes.append((time.monotonic(), c.state, c.detail))
        )
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        for _ in self.source:
            self.times_s.append(time.monotonic())

    def first_after(self, at_s: float, within_s: float = 60.0) -> float | None:
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            found = next((t for t in reversed(self.times_s[-3:]) if t >= at_s), None)
            if found is not None:
                return min(t for t in self.times_s[-200:] if t >= at_s)
            time.sleep(0.02)
        return None

    def close(self) -> None:
        self.source.stop()
        self.thread.join()
        self.source.close()


def faults(count: int, seed: int) -> dict[str, Any]:
    """Each kind of fault in turn; recovery counts from when the source is there again."""
    chance = random.Random(seed)
    server = RtspServer(*SMALL).start()
    rows: list[dict[str, Any]] = []
    with RtspServer(*SMALL) as other, Proxy(server.port) as proxy:
        camera, beside = Reading(proxy.uri), Reading(other.uri)
        assert camera.first_after(0) and beside.first_after(0)
        time.sleep(3)
        before = (descriptors(), resident_mib())
        began_s = time.monotonic()
        for number in range(count):
            kind = ("server frozen", "server killed", "cable pulled", "capture frozen", "capture killed")[number % 5]
            time.sleep(chance.uniform(1, 3))
            rows.append(fault(kind, server, proxy, camera, chance))
            print(json.dumps(rows[-1]), flush=True)
        took_s = time.monotonic() - began_s
        time.sleep(3)
        after = (descriptors(), resident_mib())
        gaps = np.diff([t for t in beside.times_s if t >= began_s])
        camera.close()
        beside.close()
    server.kill()
    return {
        "faults": count,
        "seconds": round(took_s),
        "recovery": summary([row["recovery_s"] for row in rows]),
        "by kind": {kind: summary([r["recovery_s"] for r in rows if r["kind"] == kind]) for kind in kinds(rows)},
        "seen": {kind: summary([r["seen_s"] for r in rows if r["kind"] == kind]) for kind in kinds(rows)},
        "never back": sum(row["recovery_s"] is None for row in rows),
        "camera beside: longest gap ms": round(float(gaps.max()) * 1e3),
        "camera beside: restarts": beside.source.restarts,
        "camera beside: pictures replaced": beside.source.replaced,
        "descriptors": (before[0], after[0]),
        "own memory MiB": (round(before[1], 1), round(after[1], 1)),
    }


def fault(kind: str, server: RtspServer, proxy: Proxy, camera: Reading, chance: random.Random) -> dict[str, Any]:
    started_s = time.monotonic()
    if kind == "server frozen":
        server.freeze()
        time.sleep(chance.uniform(5, 14))
        server.thaw()
    elif kind == "server killed":
        server.kill()
        time.sleep(chance.uniform(0.5, 14))
        server.start()
    elif kind == "cable pulled":
        proxy.hole = True
        time.sleep(chance.uniform(5, 14))
        proxy.hole = False
    else:
        pid = camera.source.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP if kind == "capture frozen" else signal.SIGKILL)
    back_s = time.monotonic()
    if kind == "capture frozen":  # the source is back once the stall was seen
        while camera.changes[-1][0] < started_s:
            time.sleep(0.01)
    got_s = camera.first_after(back_s + 0.3)
    proxy.forget_dead()
    seen = next((at_s for at_s, state, _ in camera.changes if at_s >= started_s and state != "ok"), None)
    return {
        "kind": kind,
        "held_s": round(back_s - started_s, 2),
        "seen_s": None if seen is None else round(seen - started_s, 2),
        "recovery_s": None if got_s is None else round(got_s - back_s, 2),
        "detail": next((d for at_s, s, d in camera.changes if at_s >= started_s and s != "ok"), ""),
    }


def restarts(count: int) -> dict[str, Any]:
    """A capture process killed as soon as it delivered, over and over; the wait between is the shortest there is."""

    class Soon(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return min(a, b)

    rows: list[tuple[int, float]] = []
    with RtspServer(*SMALL) as server, CameraSource(parse_camera_uri(server.uri), chance=Soon()) as source:
        started_s = time.monotonic()
        for frame in source:
            if frame.index % 3 == 2:  # each process delivers three
                rows.append((descriptors(), resident_mib()))
                if source.restarts >= count:
                    break
                assert source.pid is not None
                os.kill(source.pid, signal.SIGKILL)
        took_s = time.monotonic() - started_s
        at = [rows[min(i, len(rows) - 1)] for i in (5, len(rows) // 2, len(rows) - 1)]
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {
        "restarts": count,
        "seconds": round(took_s),
        "descriptors after 5, half, all": [n for n, _ in at],
        "own memory MiB after 5, half, all": [round(mib, 1) for _, mib in at],
        "processes left": len(children),
    }


def latency(seconds: float, options: str, server_options: tuple[str, ...], work_ms: float) -> dict[str, Any]:
    """work_ms: what a slow reader does with each frame, to see that pictures do not grow old."""
    with (
        RtspServer("--clock", *server_options) as server,
        CameraSource(parse_camera_uri(f"{server.uri}?{options}")) as source,
    ):
        began_s, ages_ms, copies_ms, at_s = time.monotonic(), [], [], []
        for frame in source:
            if frame.index >= 15:
                ages_ms.append((time.monotonic_ns() - clock_ns(frame.pixels)) / 1e6)
                copies_ms.append(frame.capture_ms)
                at_s.append(time.monotonic() - began_s)
            time.sleep(work_ms / 1e3)
            if time.monotonic() - began_s > seconds:
                break
        slope = float(np.polyfit(at_s, ages_ms, 1)[0])
        return {
            "options": options,
            "server": server_options,
            "work_ms": work_ms,
            "frames": len(ages_ms),
            "age ms p50, p95, p99, max": [round(float(v), 1) for v in np.percentile(ages_ms, (50, 95, 99, 100))],
            "growth ms/s": round(slope, 3),
            "copy ms p50": round(float(np.median(copies_ms)), 2),
            "replaced": source.replaced,
            "notes": source.notes,
        }


def copy(count: int) -> dict[str, Any]:
    """What taking a 1080p picture out of the ring costs the parent; nothing is captured meanwhile."""
    process = CaptureProcess(parse_camera_uri("rtsp://127.0.0.1:1/none"))
    try:
        times_ms, held = [], []
        for number in range(count):
            picture = Picture(number % 3, number + 1, 1920, 1080, 0)
            started_s = time.perf_counter()
            held.append(process.take(picture))
            times_ms.append((time.perf_counter() - started_s) * 1e3)
            del held[:-3]  # a pipeline keeps a few
        return {
            "copies": count,
            "copy ms p50, p95": [round(float(v), 2) for v in np.percentile(times_ms[20:], (50, 95))],
        }
    finally:
        process.end()


def kinds(rows: list[dict[str, Any]]) -> list[str]:
    return list(Counter(row["kind"] for row in rows))


def summary(values: list[float | None]) -> dict[str, float]:
    known = [value for value in values if value is not None]
    if not known:
        return {}
    p50, p95, most = np.percentile(known, (50, 95, 100))
    return {
        "n": len(known),
        "p50_s": round(float(p50), 2),
        "p95_s": round(float(p95), 2),
        "max_s": round(float(most), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("faults", "restarts", "latency", "copy"))
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--options", default="", help="query of the address, such as back_end=opencv")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", default="15")
    parser.add_argument("--work-ms", type=float, default=0)
    options = parser.parse_args()
    result = {
        "faults": lambda: faults(options.count, options.seed),
        "restarts": lambda: restarts(options.count),
        "latency": lambda: latency(
            options.seconds, options.options, ("--size", options.size, "--fps", options.fps), options.work_ms
        ),
        "copy": lambda: copy(options.count),
    }[options.what]()
    result["machine"] = f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}"
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
