"""How fast a camera comes back, how old its pictures are, and what a hand-over costs; with real RTSP servers.

python bench/capture_recovery.py faults --count 12      freezes, kills, cuts, garbage and passwords on four cameras of
                                                         a real service at once, beside one that nothing happens to
python bench/capture_recovery.py faults --count 200 --save   for the record: bench/results/capture-faults-DATE
python bench/capture_recovery.py restarts --count 200   capture processes killed: descriptors and memory
python bench/capture_recovery.py latency --seconds 30   from a clock drawn into the pictures to the frame at hand
python bench/capture_recovery.py copy                   a 1080p picture out of shared memory

Needs Debian's ffmpeg, python3-gi, gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins; see tests/runtime/capture.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import machine, save_result
from figures import commit, usage_figures
from served import Served, Watch, build, serving

from edgekit.core.backoff import SLOW_S
from edgekit.core.camera_uri import hide_credentials, parse_camera_uri
from edgekit.core.service import ServiceSettings, StreamSettings
from edgekit.files import sha256_file
from edgekit.runtime.capture.messages import Picture
from edgekit.runtime.capture.process import CaptureProcess
from edgekit.runtime.capture.source import CameraSource
from tests.fakes import detector_spec
from tests.runtime.capture.cameras import Proxy, RtspServer, clock_ns, descriptors, free_port, resident_mib
from tests.tiny_yolo import save_tiny_yolo

SMALL = ("--size", "640x360", "--fps", "15")


GOAL_S = 10.0
PASSWORD = "right"
DISTURBANCES = ("server frozen", "server killed", "cable pulled", "garbage", "capture frozen", "capture killed")
PASSWORD_CHANGED = "password changed"
PASSWORD_EVERY = 25  # faults for one change of password
# A frame that was on its way when the source came back says nothing.
_ON_THE_WAY_S = 0.3
_GIVE_UP_S = 90.0


class Sight:
    """What the service shows of each camera while it runs: the times of its frames, and the lines of its log."""

    def __init__(self, served: Served, streams: int) -> None:
        self.served = served
        self.frames: list[deque[float]] = [deque(maxlen=400) for _ in range(streams)]
        self.longest_gap_s = [0.0] * streams
        self.counts = [0] * streams
        self.lines: list[tuple[float, str]] = []
        self._place = self._log_place = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def first_after(self, stream: int, at_s: float) -> float | None:
        """When the first frame after a moment was there; waits for it, None if that takes too long."""
        while time.monotonic() < at_s + _GIVE_UP_S and self.served.process.poll() is None:
            found = [there_s for there_s in list(self.frames[stream]) if there_s >= at_s]
            if found:
                return found[0]
            time.sleep(0.02)
        return None

    def said_after(self, uri: str, at_s: float) -> tuple[float, str] | None:
        """The first line after a moment in which the log tells of trouble with a camera, and when it came."""
        lines = ((said_s, line) for said_s, line in list(self.lines) if said_s >= at_s and line.startswith(f"{uri}: "))
        return next(((s, line[len(uri) + 2 :]) for s, line in lines if not line.endswith(": ok")), None)

    def wait_for_trouble(self, uri: str, at_s: float) -> None:
        while self.said_after(uri, at_s) is None and time.monotonic() < at_s + 20:
            time.sleep(0.01)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            stamps, self._place = self.served.stamps_since(self._place)
            for stream, there_ns in zip(stamps["stream"].tolist(), stamps["there_ns"].tolist(), strict=True):
                times = self.frames[stream]
                gap_s = there_ns / 1e9 - times[-1] if times else 0.0
                self.longest_gap_s[stream] = max(self.longest_gap_s[stream], gap_s)
                self.counts[stream] += 1
                times.append(there_ns / 1e9)
            with (self.served.folder / "service.log").open("rb") as log:
                log.seek(self._log_place)
                text = log.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._log_place += len(whole)
            self.lines += [(time.monotonic(), line) for line in whole.decode(errors="replace").splitlines()]


class Camera:
    """One camera that things happen to: its server, a cable to it, and what the service shows of it."""

    def __init__(self, number: int, seed: int) -> None:
        self.number, self.chance = number, random.Random(f"{seed} {number}")
        self.server = RtspServer(*SMALL, "--user", "admin", "--password", PASSWORD).start()
        self.proxy = Proxy(self.server.port)
        self.uri = self.proxy.uri.replace("://", f"://admin:{PASSWORD}@")
        self.shown = hide_credentials(self.uri)  # as the log shows it

    @property
    def name(self) -> str:
        return f"camera-{self.number}"

    def suffer(self, kinds: Sequence[str], sight: Sight, rows: list[dict[str, Any]]) -> None:
        """One fault after the other, a few seconds of pictures between them."""
        for kind in kinds:
            time.sleep(self.chance.uniform(1, 3))
            if sight.served.process.poll() is not None:
                return  # who started the service says how it ended
            rows.append(self.fault(kind, sight))
            print(json.dumps(rows[-1]), flush=True)

    def fault(self, kind: str, sight: Sight) -> dict[str, Any]:
        """Recovery counts from when the source is there again; that of a capture process from the fault."""
        started_s = time.monotonic()
        self._do(kind, sight)
        back_s = time.monotonic()
        if kind == "capture frozen":  # counts from the fault, but frames come only after it was seen
            sight.wait_for_trouble(self.shown, started_s)
        from_s = started_s if kind.startswith("capture") else back_s
        got_s = sight.first_after(self.number, back_s + _ON_THE_WAY_S)
        self.proxy.forget_dead()
        said = sight.said_after(self.shown, started_s)
        return {
            "camera": self.number,
            "kind": kind,
            "held_s": round(back_s - started_s, 2),
            "seen_s": None if said is None else round(said[0] - started_s, 2),
            "recovery_s": None if got_s is None else round(got_s - from_s, 2),
            "said": "" if said is None else said[1],
        }

    def _do(self, kind: str, sight: Sight) -> None:
        held_s = self.chance.uniform(5, 14)
        if kind == "server frozen":
            self.server.freeze()
            time.sleep(held_s)
            self.server.thaw()
        elif kind in ("server killed", PASSWORD_CHANGED):
            self._restart(held_s, changed=kind == PASSWORD_CHANGED)
        elif kind == "cable pulled":
            self.proxy.hole = True
            time.sleep(held_s)
            self.proxy.hole = False
        elif kind == "garbage":
            self.proxy.damage = random.Random(self.chance.random())
            time.sleep(held_s / 2)
            self.proxy.damage = None
        else:
            pid = sight.served.capture_pids()[self.name]
            assert pid is not None, f"{self.name} has no capture process"
            os.kill(pid, signal.SIGSTOP if kind == "capture frozen" else signal.SIGKILL)

    def _restart(self, held_s: float, changed: bool) -> None:
        options = self.server.options
        self.server.kill()
        if changed:
            self.server.options = (*options[:-1], "another")
            self.server.start()
        time.sleep(held_s)
        if changed:
            self.server.kill()
            self.server.options = options
        self.server.start()

    def close(self) -> None:
        self.server.thaw()
        self.server.kill()
        self.proxy.close()


def faults(count: int, seed: int, cameras: int) -> dict[str, Any]:
    """So many faults, on several cameras of one service at once, beside a camera that nothing happens to."""
    plans = plan_faults(count, seed, cameras)
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        disturbed = [Camera(number, seed) for number in range(cameras)]
        for camera in disturbed:
            stack.callback(camera.close)
        beside = stack.enter_context(RtspServer(*SMALL))
        served = stack.enter_context(_service(folder, [*(camera.uri for camera in disturbed), beside.uri]))
        served.wait_for_frames(60, cameras + 1)
        sight = Sight(served, cameras + 1)
        stack.callback(sight.close)
        time.sleep(10)
        began_s, sight.longest_gap_s[-1], sight.counts[-1] = time.monotonic(), 0.0, 0
        with Watch(served, 2.0) as watch:
            threads = [
                threading.Thread(target=camera.suffer, args=(plan, sight, rows))
                for camera, plan in zip(disturbed, plans, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            took_s = time.monotonic() - began_s
            time.sleep(10)
        dead = [c.name for c in disturbed if sight.first_after(c.number, time.monotonic()) is None]
        health, secret = served.health(), served.log.count(PASSWORD) + served.log.count("admin")
        beside_row = {
            "longest gap ms": round(sight.longest_gap_s[-1] * 1e3),
            "fps": round(sight.counts[-1] / (took_s + 10), 2),
            "said": sum(line.startswith(beside.uri) for at_s, line in sight.lines if at_s > began_s),
        }
    disturbances = [row["recovery_s"] for row in rows if row["kind"] != PASSWORD_CHANGED]
    return {
        "faults": len(disturbances),
        "changes of password": len(rows) - len(disturbances),
        "cameras": cameras,
        "seconds": round(took_s),
        "recovery": summary(disturbances),
        "by kind": {kind: summary([r["recovery_s"] for r in rows if r["kind"] == kind]) for kind in kinds(rows)},
        "seen": {kind: summary([r["seen_s"] for r in rows if r["kind"] == kind]) for kind in kinds(rows)},
        "not said at all": Counter(row["kind"] for row in rows if row["seen_s"] is None),
        "said": Counter(f"{row['kind']}: {row['said'] or '(nothing)'}" for row in rows),
        "never back": sum(row["recovery_s"] is None for row in rows),
        "dead at the end": dead,
        "camera beside": beside_row,
        "usage": usage_figures(watch.usages),
        "secrets in the log": secret,
        "at the end": {stream.name: stream.condition for stream in health.streams},
        "rows": rows,
    }


def plan_faults(count: int, seed: int, cameras: int) -> list[list[str]]:
    """For each camera its faults: every kind equally often in all, and some changes of the password on top."""
    kinds_wanted = [DISTURBANCES[number % len(DISTURBANCES)] for number in range(count)]
    kinds_wanted += [PASSWORD_CHANGED] * (count // PASSWORD_EVERY)
    random.Random(seed).shuffle(kinds_wanted)
    return [kinds_wanted[number::cameras] for number in range(cameras)]


def _service(folder: Path, uris: list[str]) -> AbstractContextManager[Served]:
    """The real service on these cameras, with a network that costs next to nothing."""
    model = save_tiny_yolo(folder / "tiny.onnx")
    detector = replace(detector_spec(64, 96), model_sha256=sha256_file(model), confidence=0.3)
    streams = tuple(StreamSettings(uri, f"camera-{number}") for number, uri in enumerate(uris))
    settings = ServiceSettings("bench", streams, threads=1, page_port=free_port())
    return serving(folder / "service", build(folder, detector, model), detector, settings)


def render_faults(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    recovery, held, beside = result["recovery"], result["usage"], result["camera beside"]
    rows = "\n".join(
        f"| {kind} | {row['n']} | {_times(result['seen'][kind])} | {row['p50_s']} | {row['p95_s']} | {row['max_s']} |"
        for kind, row in result["by kind"].items()
    )
    said = "\n".join(f"- {count} x {text}" for text, count in sorted(result["said"].items()))
    met = "met" if recovery["p95_s"] <= GOAL_S and not result["dead at the end"] else "missed"
    total, own, files = (held[name] for name in ("own_mib", "service_mib", "service_descriptors"))
    return f"""# Cameras that fail, and the service

{result["faults"]} faults and {result["changes of password"]} changes of password on {result["cameras"]} cameras at \
once, in {result["seconds"]} s, commit {result["commit"]}.
Each is GStreamer's RTSP server on this machine, H.264, 640x360 at 15 FPS, with user and password, behind a proxy. One
camera more has none. The service is `edgekit.runtime serve` with a tiny network.

| | |
|---|---|
| recovery of {result["faults"]} faults, P95 | **{recovery["p95_s"]} s** (goal {GOAL_S:g} s: {met}) |
| median, max | {recovery["p50_s"]} s, {recovery["max_s"]} s |
| never back, dead at the end | {result["never back"]}, {len(result["dead at the end"])} |
| memory of its own of the service | {own["first"]} to {own["last"]} MiB: {own["growth_pct"]:+.1f} % (goal: < +5 %) |
| the same with capture processes | {total["first"]} to {total["last"]} MiB |
| descriptors of the service | {files["first"]:.0f} to {files["last"]:.0f}, most {files["most"]:.0f} (goal: +0) |
| threads, all processes | {held["threads"]["first"]:.0f} to {held["threads"]["last"]:.0f} |
| processes | {held["processes"]["first"]:.0f} to {held["processes"]["last"]:.0f} |
| the camera beside | {beside["fps"]} FPS, gaps up to {beside["longest gap ms"]} ms, {beside["said"]} lines in the log |
| user or password in the log | {result["secrets in the log"]} times |

| fault | times | log tells after, median (max) s | recovery, median s | P95 s | max s |
|---|---|---|---|---|---|
{rows}

Recovery counts from when the source is there again to the next detection; for capture processes, which the camera
never left, from the fault. After a wrong password the service waits {SLOW_S[0]:g} to {SLOW_S[1]:g} s on purpose:
cameras lock accounts. Such faults are no part of the P95 above. Garbage changes some bytes of the stream; it need not
end it. Memory: medians of the first and the last tenth of the looks, one every 2 s.

What the log said first:

{said}
"""


def _times(row: dict[str, float]) -> str:
    return f"{row['p50_s']} ({row['max_s']})" if row else "-"


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
    parser.add_argument("--cameras", type=int, default=4, help="of faults: how many suffer them at the same time")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--options", default="", help="query of the address, such as back_end=opencv")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", default="15")
    parser.add_argument("--work-ms", type=float, default=0)
    parser.add_argument("--json", action="store_true", help="of faults: print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="of faults: also write bench/results/")
    options = parser.parse_args()
    result = {
        "faults": lambda: faults(options.count, options.seed, options.cameras),
        "restarts": lambda: restarts(options.count),
        "latency": lambda: latency(
            options.seconds, options.options, ("--size", options.size, "--fps", options.fps), options.work_ms
        ),
        "copy": lambda: copy(options.count),
    }[options.what]()
    result = {**result, "commit": commit(), **machine()}
    if options.what == "faults":
        save_result("capture-faults", result, render_faults(result), options)
    else:
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
