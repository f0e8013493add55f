"""The real service as the measurements run it: `edgekit.runtime serve` with a stamp for each detection.

python bench/served.py REQUEST.json STAMPS.bin

Runs the service of REQUEST.json in this process, as `python -m edgekit.runtime serve REQUEST.json` does. The moment at
which a frame's detections and events are there, before the sinks get them, is written to STAMPS.bin beside the clock
that the frame's pixels show. Sources of the kind `stills://?fps=10` cost nothing to capture and decode. While the
service runs, capture.json beside STAMPS.bin names its capture processes.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import BuildRequest
from edgekit.core.service import Health, ServiceSettings
from edgekit.core.wire import from_wire, to_wire
from edgekit.files import write_json
from tests.runtime.capture.cameras import SYSTEM_PYTHON, clock_ns, free_port

STAMP = struct.Struct("<iiqqqqi4x")
STAMPS = np.dtype(
    [("stream", "<i4"), ("index", "<i4"), ("made_ns", "<i8"), ("captured_ns", "<i8"), ("decoded_ns", "<i8"),
     ("there_ns", "<i8"), ("objects", "<i4"), ("", "<i4")]
)  # fmt: skip
_CAMERAS = Path(__file__).with_name("clock_cameras.py")
_STILLS = 30
_MOST_NS, _CLOCK_PX = (1 << 63) - 1, 512


# The service's own process


def main() -> int:
    """Serve with stamps."""
    request, stamps = sys.argv[1], Path(sys.argv[2])
    from edgekit.runtime import __main__ as runtime
    from edgekit.runtime import service, sources

    sources._OPENERS["stills"] = _open_stills
    file = os.open(stamps, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    names = [stream["name"] for stream in _settings_of(request)["streams"]]
    opening, opening_sinks = service.open_streams, service.open_sinks

    def open_streams(*given: Any, **more: Any) -> Any:
        source = opening(*given, **more)
        threading.Thread(target=_tell_pids, args=(source, stamps.with_name("capture.json")), daemon=True).start()
        return source

    def open_sinks(*given: Any, **more: Any) -> Any:
        sinks = opening_sinks(*given, **more)
        write = sinks.write

        def stamped(detected: Any) -> None:
            os.write(file, _stamp(detected, names))
            write(detected)

        sinks.write = stamped
        return sinks

    service.open_streams, service.open_sinks = open_streams, open_sinks
    return runtime.main(["serve", request])


def _settings_of(request: str) -> dict[str, Any]:
    release = Path(json.loads(Path(request).read_text())["release_dir"])
    settings: dict[str, Any] = json.loads((release / "settings.json").read_text())
    return settings


def _stamp(detected: Any, names: Sequence[str]) -> bytes:
    there_ns, frame = time.monotonic_ns(), detected.frame
    has_clock = frame.pixels.shape[1] >= _CLOCK_PX and not frame.constant
    made_ns = clock_ns(frame.pixels) & _MOST_NS if has_clock else 0  # any bits, of a camera without a clock
    times = (made_ns, int(frame.captured_s * 1e9), int(detected.finished_s * 1e9), there_ns)
    return STAMP.pack(names.index(frame.stream), frame.index, *times, len(detected.detections))


def _tell_pids(source: Any, path: Path) -> None:
    """The capture process of each camera, now and whenever one changes."""
    told: dict[str, Any] = {}
    while True:
        now = {stream.name: getattr(stream, "pid", None) for stream in source.streams}
        if now != told:
            path.with_suffix(".part").write_text(json.dumps(now))
            path.with_suffix(".part").replace(path)
            told = now
        time.sleep(0.1)


@cache
def _stills() -> list[np.ndarray]:
    """The same for every stream, so that none adds memory by its pictures."""
    return list(street(640, 360, 8))


def _open_stills(uri: str, rest: str) -> Any:
    """Rendered pictures from memory at a camera's pace: the service without capturing and decoding."""
    from edgekit.runtime.scene_source import MemorySource

    fps = float(uri.rpartition("fps=")[2] or 10)
    source = MemorySource(_stills())
    source.live, source.ready, source.fps = True, False, fps
    return source


# What the measurements do around it


def street(width: int, height: int, count: int, seed: int = 1) -> Iterator[np.ndarray]:
    """Pictures of the procedural street, a tenth of a second apart."""
    from edgekit.scenes import SceneStream

    stream = SceneStream(seed, width, height, 10.0, ("day",))
    for _ in range(count):
        yield stream.read()[0]


@dataclass(frozen=True)
class Cameras:
    """Cameras that run: their addresses, and the process of all of them."""

    uris: list[str]
    pid: int


@contextmanager
def cameras(folder: Path, streams: int, size: str, fps: int) -> Iterator[Cameras]:
    """So many cameras with clocks. They go before other work: real ones are other machines."""
    import cv2

    width, height = map(int, size.split("x"))
    pictures = folder / "street.i420"
    pictures.write_bytes(
        b"".join(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes() for picture in street(width, height, _STILLS))
    )
    port = free_port()
    command = [SYSTEM_PYTHON, str(_CAMERAS), str(port), "--streams", str(streams), "--size", size, "--fps", str(fps)]
    command = ["nice", "-n", "-5", *command, "--pictures", str(pictures)] if os.geteuid() == 0 else command
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the cameras did not start"
        yield Cameras([f"rtsp://127.0.0.1:{port}/{number}" for number in range(streams)], process.pid)
    finally:
        process.kill()
        process.wait()


def load_roadscene(largest_batch: int = 0) -> tuple[DetectorSpec, Path]:
    """The demo detector as `edgekit deploy` uses it, and its model. largest_batch: 0 for what its YAML says."""
    from edgekit.control.detectors import load_detector
    from edgekit.control.project import open_project

    detector = load_detector(open_project(Path(__file__).resolve().parents[1]), "roadscene")
    spec = detector.spec
    if largest_batch:
        most = replace(spec.profile.maximum, batch=largest_batch)
        spec = replace(spec, profile=replace(spec.profile, maximum=most))
    return spec, detector.model_path


def build(folder: Path, detector: DetectorSpec, model: Path) -> Path:
    """An FP32 engine for this machine."""
    from edgekit.runtime.engines import build_engine
    from edgekit.runtime.probe import probe_device

    profile = probe_device()
    request = BuildRequest(detector, "fp32", profile.engine_key, str(model), str(folder / "engines"))
    return folder / "engines" / build_engine(request, profile, lambda *_: None).engine_id


@dataclass
class Served:
    """A service that runs, or ran. Its files: stamps.bin, capture.json, state/health.json and service.log in folder."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stamps(self) -> np.ndarray:
        """All so far; STAMPS says of what."""
        path = self.folder / "stamps.bin"
        data = path.read_bytes() if path.exists() else b""
        return np.frombuffer(data[: len(data) // STAMP.size * STAMP.size], STAMPS)

    def stamps_since(self, place: int) -> tuple[np.ndarray, int]:
        """Those after the first `place`, and the new place."""
        with (self.folder / "stamps.bin").open("rb") as file:
            file.seek(place * STAMP.size)
            data = file.read()
        count = len(data) // STAMP.size
        return np.frombuffer(data[: count * STAMP.size], STAMPS), place + count

    def health(self) -> Health:
        return from_wire(Health, json.loads((self.folder / "state" / "health.json").read_text()))

    def capture_pids(self) -> dict[str, int | None]:
        found: dict[str, int | None] = json.loads((self.folder / "capture.json").read_text())
        return found

    @property
    def log(self) -> str:
        return (self.folder / "service.log").read_text(errors="replace")

    def wait_for_frames(self, within_s: float = 60.0, streams: int = 1) -> None:
        """Until each of so many streams gave a frame."""
        deadline_s = time.monotonic() + within_s
        while len(np.unique(self.stamps["stream"])) < streams:
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                raise SystemExit(f"the service gives no frames:\n{self.log[-3000:]}")
            time.sleep(0.1)


@contextmanager
def serving(folder: Path, engine: Path, detector: DetectorSpec, settings: ServiceSettings) -> Iterator[Served]:
    """The service of these settings, until the block ends."""
    release = folder / "0123456789abcdef"
    release.mkdir(parents=True)
    (release / "engine").symlink_to(engine)
    write_json(release / "detector.json", to_wire(detector))
    write_json(release / "settings.json", to_wire(settings))
    write_json(folder / "serve.json", {"release_dir": str(release), "state_dir": str(folder / "state")})
    command = [sys.executable, __file__, str(folder / "serve.json"), str(folder / "stamps.bin")]
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    served = Served(folder, process)
    try:
        yield served
        if process.poll() is not None:
            raise SystemExit(f"the service ended meanwhile, with {process.returncode}:\n{served.log[-3000:]}")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Usage:
    """What the service and its capture processes hold at one moment. Memory: their own, in RAM, shared left out."""

    at_s: float
    cpu_s: float  # of those that live
    service_cpu_s: float
    own_mib: float
    service_mib: float
    descriptors: int
    service_descriptors: int
    threads: int
    processes: int


def usage(pid: int) -> Usage:
    """Of a process and all below it; those that end meanwhile count for nothing."""
    rows = [row for row in map(_usage_of, family(pid)) if row is not None]
    if not rows:
        raise ProcessLookupError(pid)
    cpu, mib, descriptors, threads = (sum(column) for column in zip(*rows, strict=True))
    return Usage(
        time.monotonic(), cpu, rows[0][0], mib, rows[0][1], int(descriptors), rows[0][2], int(threads), len(rows)
    )


def family(pid: int) -> list[int]:
    """The process and those below it."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                found.extend(map(int, task.read_text().split()))
            except OSError:
                continue
    return found


@dataclass(frozen=True)
class Busy:
    """CPU seconds spent since each began: by all of this machine, and by the cameras."""

    at_s: float
    machine_s: float
    cameras_s: float


def busy(cameras_pid: int | None) -> Busy:
    """Now. Idle time and waiting for disks are left out. Source: proc(5), /proc/stat."""
    fields = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
    spent = sum(fields) - fields[3] - fields[4]
    cameras_s = 0.0 if cameras_pid is None else (_usage_of(cameras_pid) or (0.0,))[0]
    return Busy(time.monotonic(), spent / os.sysconf("SC_CLK_TCK"), cameras_s)


def _usage_of(pid: int) -> tuple[float, float, int, int] | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return None
    if "RssAnon" not in status:
        return None  # it has ended and is not reaped yet
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return cpu_s, int(status["RssAnon"].split()[0]) / 1024, descriptors, int(fields[17])


def pss_mib(pid: int) -> float:
    """Proportional share of memory of one process, shared memory included: what its end would free, about."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


class Watch:
    """Looks at a service every few seconds, in a thread: what it holds, what it says of its cameras and itself."""

    def __init__(self, served: Served, every_s: float) -> None:
        self.served, self.every_s = served, every_s
        self.usages: list[Usage] = []
        self.said: dict[str, int] = {}  # sentence -> in how many looks
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            try:
                self.usages.append(usage(self.served.pid))
                health = self.served.health()
            except (OSError, ValueError):
                return
            said = [f"{s.name}: {s.condition}" for s in health.streams if s.condition != "ok"]
            for sentence in (*said, *health.warnings, *filter(None, [health.last_error])):
                self.said[sentence] = self.said.get(sentence, 0) + 1
            if self._ended.wait(self.every_s):
                return


if __name__ == "__main__":
    sys.exit(main())
