"""The service as systemd runs it: a real process with a real release, its notifications read from a real socket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.core.collecting import CollectSettings
from edgekit.core.detections import Detections
from edgekit.core.engine import BuildRequest
from edgekit.core.events import EventSettings
from edgekit.core.field import KeptFrame
from edgekit.core.requests import DetectRequest
from edgekit.core.scenes_seen import DIMENSIONS, ScenesSeen
from edgekit.core.selftest import SELFTEST_NAME, SelfTestPicture, SelfTestPlan, objects_of
from edgekit.core.service import Health, ServiceSettings, StreamSettings
from edgekit.core.tracking import TrackingSettings
from edgekit.core.wire import from_wire, to_wire
from edgekit.core.zones import Zone
from edgekit.files import sha256_file, write_json
from edgekit.runtime.detect import run_detect
from edgekit.runtime.engines import build_engine
from edgekit.runtime.probe import probe_device
from tests.fakes import detector_spec
from tests.tiny_yolo import save_tiny_yolo

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = "scenes://?seed=3&width=320&height=192&fps=30&live=1"
SERVE = "import sys; from edgekit.runtime.__main__ import main; {before}; sys.exit(main(['serve', sys.argv[1]]))"


def quiet(what, done, total):
    pass


def streams_of(source):
    """Settings of one source's address, or of several, {name: address}."""
    named = source if isinstance(source, dict) else {"": source}
    return tuple(StreamSettings(uri, name) for name, uri in named.items())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A release of a tiny network, complete with its self-test."""
    folder = tmp_path_factory.mktemp("made")
    model = save_tiny_yolo(folder / "tiny.onnx")
    detector = replace(detector_spec(64, 96), model_sha256=sha256_file(model), confidence=0.3)
    profile = probe_device()
    request = BuildRequest(detector, "fp32", profile.engine_key, str(model), str(folder / "engines"))
    engine = folder / "engines" / build_engine(request, profile, quiet).engine_id
    release = folder / ("0123456789abcdef")
    shutil.copytree(str(engine), str(release / "engine"))
    write_json(release / "detector.json", to_wire(detector))
    (release / "selftest").mkdir()
    random = np.random.default_rng(2)
    pixels = cv2.resize(random.integers(0, 255, (9, 16, 3), np.uint8), (640, 360))
    cv2.imwrite(str(release / "selftest" / "00.jpg"), pixels)
    lines = folder / "found.jsonl"
    pictures = str(release / "selftest")
    run_detect(DetectRequest(str(engine), detector, pictures, sinks=(f"jsonl:{lines}",)), profile, quiet)
    found = Detections.from_records(json.loads(lines.read_text())["detections"])
    picture = SelfTestPicture(
        "00.jpg", sha256_file(release / "selftest" / "00.jpg"), objects_of(found, detector.labels)
    )
    write_json(release / "selftest" / SELFTEST_NAME, to_wire(SelfTestPlan("fake", 0.3, (picture,))))
    return release


class Device:
    """A release in service on a device: `current` names it, the state lies elsewhere."""

    def __init__(self, root: Path, made: Path) -> None:
        self.release = root / "releases" / made.name
        shutil.copytree(str(made), str(self.release))
        self.current, self.state = root / "current", root / "state"
        self.current.symlink_to(self.release)
        self.settings(SOURCE)
        self.socket_path = str(root / "notify")
        write_json(root / "serve.json", {"release_dir": str(self.current), "state_dir": str(self.state)})
        self.request = str(root / "serve.json")

    def settings(self, source, **more):
        write_json(
            self.release / "settings.json",
            to_wire(ServiceSettings("street", streams_of(source), **{"page_port": 0, **more})),
        )

    def health(self) -> Health:
        return from_wire(Health, json.loads((self.state / "health.json").read_text()))

    @contextmanager
    def running(self, before="pass", watchdog_s=0.3, command=None):
        """(process, received): the service and what systemd has heard so far, as a growing list."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.bind(self.socket_path)
            channel.settimeout(20.0)
            environment = {
                **os.environ,
                "NOTIFY_SOCKET": self.socket_path,
                "WATCHDOG_USEC": str(int(watchdog_s * 1e6)),
                "PYTHONPATH": str(REPOSITORY),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            process = subprocess.Popen(
                command or [sys.executable, "-c", SERVE.format(before=before), self.request],
                cwd=str(self.release),
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            try:
                yield process, channel
            finally:
                process.kill()
                process.communicate()


@pytest.fixture
def device(tmp_path, made):
    return Device(tmp_path, made)


def heard_until(channel, wanted):
    """Messages up to the one that is wanted."""
    heard, deadline_s = [], time.monotonic() + 20
    while not heard or heard[-1] != wanted:
        channel.settimeout(max(0.001, deadline_s - time.monotonic()))
        try:
            heard.append(channel.recv(4096).decode())
        except socket.timeout:
            pytest.fail(f"{wanted} did not come after {heard[-5:]}")
    return heard


def heard_for(channel, seconds):
    heard, ended_s = [], time.monotonic() + seconds
    while time.monotonic() < ended_s:
        channel.settimeout(max(0.001, ended_s - time.monotonic()))
        try:
            heard.append(channel.recv(4096).decode())
        except socket.timeout:
            break
    return heard


def ended(process):
    """(exit code, what it answered, its log)"""
    out, log = process.communicate(timeout=30)
    return process.returncode, json.loads(out.decode().splitlines()[-1]) if out else None, log.decode()


def contents(folder: Path):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.timed
def test_it_is_ready_after_its_self_test_and_its_first_frame(device):
    """READY any earlier would commit a release that sees nothing."""
    before = contents(device.release)
    with device.running() as (process, channel):
        heard = heard_until(channel, "READY=1")
        assert "STATUS=testing the engine" in heard
        waits = heard.index("STATUS=waiting for the first frame of " + SOURCE)
        assert heard.index("WATCHDOG=1") > waits
        health = device.health()
        assert health.frames >= 1 and health.release == device.release.name and health.last_error == ""
        assert heard_for(channel, 1.0).count("WATCHDOG=1") >= 6
        process.send_signal(signal.SIGTERM)
        assert heard_until(channel, "STOPPING=1")
        code, _, log = ended(process)
    assert code == 143 and "self-test passed: 1 pictures" in log
    assert device.health().last_error == "" and device.health().pid == process.pid
    assert contents(device.release) == before, "something was written into the release"


def test_a_source_that_ends_well_leaves_its_last_figures(device):
    """A recording that was worked through is a success, and its counts are the result."""
    device.settings(SOURCE.replace("live=1", "live=0&frames=150"))
    with device.running() as (process, channel):
        heard_until(channel, "STOPPING=1")
        code, answer, _ = ended(process)
    assert code == 0 and answer["result"]["frames"] == 150
    health = device.health()
    assert health.frames == 150 and health.p99_ms is not None and health.p99_ms > 0


def test_hard_frames_are_kept_and_told_of_where_that_was_asked_for(device):
    """Collecting is wired into every frame of a service: here the health, the disk and the metrics agree."""
    collect = CollectSettings(per_hour=3600, uncertain_band=0.7, random_share=0.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    device.settings(SOURCE, collect=collect, page_port=port)
    seen = ScenesSeen("white", "a" * 64, 9, 0.9, ((9.0,) * DIMENSIONS,), {"light:day": 1.0})
    write_json(device.release / "scenes.json", to_wire(seen))
    with device.running() as (process, channel):
        heard_until(channel, "READY=1")
        deadline_s = time.monotonic() + 20
        while not (device.health().field and device.health().field.added) and time.monotonic() < deadline_s:
            time.sleep(0.1)
        field = device.health().field
        assert field.kept == field.added >= 1 and field.removed == 0 and field.drift is None
        assert {"far", "uncertain"} >= set(field.reasons) and field.reasons
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert "edgekit_field_frames " in answer.read().decode()
        process.send_signal(signal.SIGTERM)
        code, _, log = ended(process)
    assert code == 143 and "hard frames are kept in" in log
    kept = list((device.state / "field").glob("*.json"))
    assert len(kept) >= field.kept and all(path.with_suffix(".jpg").exists() for path in kept)
    frame = from_wire(KeptFrame, json.loads(kept[0].read_text()))
    assert (frame.width_px, frame.height_px) == (320, 192) and frame.drift > 1.5
    assert frame.engine_id == device.health().engine_id


def spoil_labels(device):
    spec = json.loads((device.release / "detector.json").read_text())
    write_json(device.release / "detector.json", {**spec, "labels": spec["labels"][::-1]})


def spoil_input(device):
    spec = json.loads((device.release / "detector.json").read_text())
    write_json(device.release / "detector.json", {**spec, "input": {**spec["input"], "scale": 1.0}})


def spoil_picture(device):
    (device.release / "selftest" / "00.jpg").write_bytes(b"\xff\xd8")


def spoil_plan(device):
    (device.release / "selftest" / SELFTEST_NAME).write_text("{")


def spoil_weights(device):
    rewrite_engine(device, lambda factors: factors * [1, 1.2, 1, 1, 1, 1])


def blind(device):
    rewrite_engine(device, lambda factors: factors * [1, 1, 1, 1, 0.1, 0.1])


def rewrite_engine(device, change):
    """An engine whose six outputs are multiplied by other factors, with a manifest that vouches for it."""
    path, manifest_path = device.release / "engine" / "model.onnx", device.release / "engine" / "engine.json"
    model = onnx.load(str(path))
    (factors,) = [tensor for tensor in model.graph.initializer if tensor.name == "span"]
    changed = change(numpy_helper.to_array(factors).reshape(6)).reshape(1, 6, 1)
    factors.CopyFrom(numpy_helper.from_array(changed.astype(np.float32), "span"))
    onnx.save(model, str(path))
    manifest = json.loads(manifest_path.read_text())
    write_json(manifest_path, {**manifest, "file_sha256": sha256_file(path), "file_bytes": path.stat().st_size})


@pytest.mark.parametrize("spoil", [spoil_labels, spoil_input, spoil_picture, spoil_plan, spoil_weights, blind])
def test_a_failed_self_test_ends_it_before_it_is_ready(device, spoil):
    """Lost: the moment at which the release before could have been kept."""
    spoil(device)
    with device.running() as (process, channel):
        heard = heard_until(channel, "STOPPING=1")
        code, answer, _ = ended(process)
    assert code == 7 and answer["error"]["kind"] == "VerifyError"
    assert "READY=1" not in heard and "WATCHDOG=1" not in heard
    assert "self-test" in device.health().last_error and device.health().frames == 0
    assert any(message.startswith("STATUS=failed: the self-test") for message in heard)


def test_a_release_without_a_self_test_says_so(device):
    """Releases of an earlier version carry none, and rolling back to them must work."""
    shutil.rmtree(str(device.release / "selftest"))
    with device.running() as (process, channel):
        heard_until(channel, "READY=1")
        process.terminate()
        assert "carries no self-test" in ended(process)[2]


@pytest.mark.parametrize(
    ("source", "what"),
    [("/nowhere/street.mp4", "there is no file"), ("gopher://admin:secret@cam/1", "cam"), ("EMPTY", "cannot be")],
)
def test_a_source_that_gives_nothing_is_an_error_with_its_reason(device, source, what):
    """A service without a camera must never count as started; and the camera's password stays secret."""
    empty = device.release.parent / "empty.mp4"
    empty.write_bytes(b"")
    device.settings(str(empty) if source == "EMPTY" else source)
    with device.running() as (process, channel):
        heard = heard_until(channel, "STOPPING=1")
        code, _, log = ended(process)
    assert code in (2, 4) and "READY=1" not in heard
    assert what in device.health().last_error
    assert "secret" not in " ".join(heard) + log + device.health().last_error


def test_a_camera_that_is_away_is_waited_for_and_starts_nothing_again(device):
    """Being started again brings no camera back, and after the fifth time a good release would be taken back."""
    device.settings("rtsp://admin:secret@127.0.0.1:1/street")  # nothing listens on port 1
    with device.running() as (process, channel):
        heard = heard_until(channel, "WATCHDOG=1") + heard_for(channel, 3.0)
        health = device.health()
        process.terminate()
        code, _, log = ended(process)
    assert "READY=1" not in heard and heard.count("WATCHDOG=1") >= 2
    assert "127.0.0.1:1/street is " in health.last_error and health.frames == 0
    assert code == 143 and "secret" not in " ".join(heard) + log + health.last_error


def test_an_engine_that_gives_no_numbers_never_becomes_ready_and_ends(device):
    """NaN finds nothing and looks like an empty street."""
    shutil.rmtree(str(device.release / "selftest"))
    rewrite_engine(device, lambda factors: factors * np.nan)
    patience = "import edgekit.runtime.health_report as report; report._BAD_FOR_S = 1.0"
    with device.running(before=patience) as (process, channel):
        heard = heard_until(channel, "STOPPING=1")
        code, answer, _ = ended(process)
    assert code == 6 and "NaN or infinite" in answer["error"]["what"]
    assert "READY=1" not in heard and "WATCHDOG=1" not in heard
    assert "NaN or infinite: output0" in device.health().last_error


def two_cameras(**more):
    return {"north": SOURCE, "south": SOURCE.replace("seed=3", "seed=4"), **more}


def test_each_camera_has_its_name_figures_objects_and_events(device):
    """Of two cameras' frames nobody could tell which is which."""
    lines = device.release.parent / "found.jsonl"
    everywhere = Zone("street", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    tracking = TrackingSettings(sure_score=0.3, unsure_score=0.1)
    events = EventSettings((everywhere,), tracking=tracking)
    device.settings(two_cameras(), sinks=(f"jsonl:{lines}",), events=events)
    with device.running() as (process, channel):
        heard_until(channel, "READY=1")
        heard_for(channel, 2.5)
        process.terminate()
        assert ended(process)[0] == 143
    health = device.health()
    assert [(stream.name, stream.condition) for stream in health.streams] == [("north", "ok"), ("south", "ok")]
    assert sum(stream.frames for stream in health.streams) == health.frames
    assert all(stream.frames > 20 and stream.fps > 5 for stream in health.streams)
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert {record["stream"] for record in records} == {"north", "south"}
    assert any(item["track_id"] for record in records for item in record["detections"])


def test_one_camera_that_is_away_is_said_and_the_other_goes_on(device):
    """A broken camera must not take a good one along, nor hide behind it."""
    device.settings(two_cameras(yard="rtsp://admin:secret@127.0.0.1:1/yard"))
    with device.running() as (process, channel):
        heard_until(channel, "READY=1")
        heard_for(channel, 2.5)
        health = device.health()
        process.terminate()
        code, _, log = ended(process)
    assert code == 143 and health.last_error == ""
    north, south, yard = health.streams
    assert north.fps > 5 and south.fps > 5 and (yard.frames, yard.source) == (0, "rtsp://***@127.0.0.1:1/yard")
    assert yard.condition in ("connecting", "reconnecting")
    assert any(warning.startswith("yard: ") for warning in health.warnings)
    assert "secret" not in log + json.dumps(to_wire(health))


def test_a_file_that_is_none_does_not_keep_the_cameras_from_being_watched(device):
    """One empty file among eight cameras, and nothing would be seen at all."""
    empty = device.release.parent / "empty.mp4"
    empty.write_bytes(b"")
    device.settings(two_cameras(old=str(empty)))
    with device.running() as (process, channel):
        heard_until(channel, "READY=1")
        heard_for(channel, 1.5)
        health = device.health()
        process.terminate()
        log = ended(process)[2]
    assert [stream.condition for stream in health.streams] == ["ok", "ok", "ended"]
    assert "empty.mp4" in health.streams[2].detail and "old: ended: " in health.warnings[0]
    assert log.count("old ended: ") == 1


def test_an_engine_that_hangs_is_not_hidden_by_a_camera_that_is_away(device):
    """The camera's thread would feed the watchdog for it."""
    device.settings({"north": SOURCE, "yard": "rtsp://127.0.0.1:1/yard"})
    with device.running(before=HANG) as (_, channel):
        heard_until(channel, "READY=1")
        heard_for(channel, 3.0)
        assert "WATCHDOG=1" not in heard_for(channel, 2.0)


def free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def test_the_page_shows_what_the_service_sees(device):
    """People look at the page; if it told of anything but these frames it would be worse than none."""
    port = free_port()
    device.settings(two_cameras(), page_port=port)
    with device.running() as (process, channel):
        heard_until(channel, "READY=1")
        heard_for(channel, 1.5)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status.json") as answer:
            status = json.load(answer)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/streams/south.jpg") as answer:
            picture = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
        process.terminate()
        assert f"the page is at http://127.0.0.1:{port}" in ended(process)[2]
    assert status["alive"] and status["health"]["release"] == device.release.name
    assert picture.shape == (192, 320, 3)


def test_a_taken_port_is_a_warning_and_no_reason_to_stop(device):
    """A second service on the device would never start, for a page that nobody looks at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        device.settings(SOURCE, page_port=port)
        with device.running() as (_, channel):
            heard_until(channel, "READY=1")
            heard_for(channel, 1.5)
            health = device.health()
    assert health.frames > 10 and len(health.warnings) == 1
    assert f"there is no page: the page cannot use port {port}" in health.warnings[0]


HANG = (
    "import time; from edgekit.runtime.ort.engine import OrtEngine; run = OrtEngine.infer; calls = []; "
    "OrtEngine.infer = lambda *a: (calls.append(1), time.sleep(3600 if len(calls) > 30 else 0), run(*a))[-1]"
)


@pytest.mark.parametrize("how", ["the engine's thread hangs", "the process is stopped"])
def test_the_watchdog_starves_when_frames_no_longer_advance(device, how):
    """A timer would feed it for ever, and the camera would be dead all the same."""
    with device.running(before=HANG if how.startswith("the engine") else "pass") as (process, channel):
        heard_until(channel, "READY=1")
        heard_until(channel, "WATCHDOG=1")
        if how == "the process is stopped":
            process.send_signal(signal.SIGSTOP)
        heard_for(channel, 1.5)
        assert heard_for(channel, 1.0) == []
        assert process.poll() is None


def test_a_full_disk_does_not_stop_a_camera(device):
    """The report cannot be written; detecting goes on, and the log says so."""
    device.state.write_text("a file where the folder should be")
    with device.running() as (process, channel):
        heard_until(channel, "READY=1")
        assert "WATCHDOG=1" in heard_for(channel, 0.5)
        process.terminate()
        assert "health.json cannot be written" in ended(process)[2]


def test_it_does_not_outlive_the_supervisor_that_started_it(device):
    """Two services on one camera, the older one with nobody to stop it."""
    starter = (
        "import subprocess, sys, time; "
        "p = subprocess.Popen([sys.executable, '-m', 'edgekit.runtime', 'serve', sys.argv[1]], stdout=2); "
        "print(p.pid, flush=True); time.sleep(3600)"
    )
    with device.running(command=[sys.executable, "-c", starter, device.request]) as (process, channel):
        assert process.stdout is not None
        child = int(process.stdout.readline())
        heard_until(channel, "READY=1")
        process.kill()
        assert heard_until(channel, "STOPPING=1")
        deadline_s = time.monotonic() + 10
        while Path(f"/proc/{child}/exe").exists():
            assert time.monotonic() < deadline_s, "the service lives on"
            time.sleep(0.02)
