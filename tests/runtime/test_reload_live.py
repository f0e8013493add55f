"""A service that really runs takes over other zones and thresholds: every frame comes through, in one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.engine import BuildRequest
from edgekit.core.events import EventSettings
from edgekit.core.service import ServiceSettings, StreamSettings
from edgekit.core.tracking import TrackingSettings
from edgekit.core.wire import to_wire
from edgekit.core.zones import Zone
from edgekit.files import sha256_file, write_json
from edgekit.runtime.assembly import assemble
from edgekit.runtime.engines import build_engine
from edgekit.runtime.health import read_health
from edgekit.runtime.probe import probe_device
from edgekit.runtime.store import Store
from tests.fakes import detector_spec
from tests.tiny_releases import SERVICE, deliver, manifest_of, quiet
from tests.tiny_yolo import save_tiny_yolo

REPOSITORY = Path(__file__).resolve().parents[2]
FRAMES = 1500
# No live source: each of its frames waits until there is time for it, so none may be missing in the end.
SOURCE = f"scenes://?seed=3&width=160&height=96&fps=30&live=0&frames={FRAMES}"
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """(detector, files of the engine by their path in a release)."""
    folder = tmp_path_factory.mktemp("engine")
    model = save_tiny_yolo(folder / "tiny.onnx")
    detector = replace(detector_spec(64, 96), model_sha256=sha256_file(model), confidence=0.3)
    profile = probe_device()
    request = BuildRequest(detector, "fp32", profile.engine_key, str(model), str(folder / "engines"))
    built = folder / "engines" / build_engine(request, profile, quiet).engine_id
    return detector, {f"engine/{path.name}": path.read_bytes() for path in built.iterdir()}


class Running:
    """The service on a device folder; `offer` makes another release current and asks it to take that over."""

    def __init__(self, root, engine):
        self.store, self.log, (self.detector, self.files) = Store(str(root)), root / "found.jsonl", engine
        self.store.make()
        self.state = self.store.state_dir(SERVICE)
        self.first = self.release("gate", 0.3)

    def release(self, zone, confidence, **settings):
        tracking = TrackingSettings(sure_score=0.3, confirm_frames=1)
        sinks = (f"events:{self.log}",)
        events = EventSettings((Zone(zone, WHOLE),), tracking=tracking)
        fields = {"sinks": sinks, "events": events, "page_port": 0, **settings}
        wanted = ServiceSettings(SERVICE, (StreamSettings(SOURCE),), **fields)
        made = {"settings.json": wanted, "detector.json": replace(self.detector, confidence=confidence)}
        content = {**self.files, **{name: json.dumps(to_wire(value)).encode() for name, value in made.items()}}
        deliver(self.store.root, content)
        manifest = manifest_of(content)
        assemble(self.store, manifest)
        self.store.place_current(SERVICE, manifest.release_id)
        return manifest.release_id

    def start(self):
        request = self.store.root / "serve.json"
        write_json(request, {"release_dir": str(self.store.current / SERVICE), "state_dir": str(self.state)})
        command = [sys.executable, "-m", "edgekit.runtime", "serve", str(request)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def until(self, condition, limit_s=30.0):
        deadline_s = time.monotonic() + limit_s
        while True:
            health = read_health(self.state)
            if health is not None and condition(health):
                return health
            assert time.monotonic() < deadline_s, f"in vain: {health}"
            time.sleep(0.01)

    def events(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def running(tmp_path, engine):
    return Running(tmp_path, engine)


def test_other_zones_and_thresholds_hold_from_the_next_frame_on_and_none_is_missing(running):
    """Lost: the promise of a reload."""
    process = running.start()
    before = running.until(lambda health: health.detections > 0)
    door = running.release("door", 0.3)
    process.send_signal(signal.SIGHUP)
    taken = running.until(lambda health: health.release == door)
    running.until(lambda health: any(event["place"] == "door" for event in running.events()))
    deaf = running.release("door", 0.999)
    process.send_signal(signal.SIGHUP)
    last = running.until(lambda health: health.release == deaf)
    said = process.communicate(timeout=60)[1]
    after = read_health(running.state)
    assert process.returncode == 0, said
    assert before.frames <= taken.frames < last.frames < FRAMES, "all of it happened on the way"
    assert (taken.pid, after.pid, after.frames, after.dropped) == (before.pid, before.pid, FRAMES, 0)
    assert (after.release, after.loaded_from) == (deaf, running.first)
    assert said.count("over, without a restart") == 2
    assert after.detections - last.detections <= 2 * 20, "what was in the engine, and nothing since"
    places = [event["place"] for event in running.events()]
    assert set(places) == {"gate", "door"} and places == sorted(places, reverse=True)
    gate, there = ({e["track_id"] for e in running.events() if e["place"] == place} for place in ("gate", "door"))
    assert gate & there, "who was in the picture kept its number"


def test_what_needs_a_restart_is_refused_and_the_old_release_goes_on(running):
    """Half of it would be worse than none; the reconciler restarts the service then."""
    process = running.start()
    running.until(lambda health: health.frames > 0)
    new = running.release("gate", 0.3, loop=True)
    process.send_signal(signal.SIGHUP)
    said = process.communicate(timeout=60)[1]
    assert f"not taken over: release {new} needs a restart: settings.json: loop" in said
    after = read_health(running.state)
    assert (after.release, after.frames, after.loaded_from) == (running.first, FRAMES, "")
