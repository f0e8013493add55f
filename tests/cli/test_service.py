"""The whole path by its commands, in a project of a few pictures: real processes, a real supervisor, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.onnx_models import save_head_only, save_yolov8

DEVICES = """
devices:
  local:
    kind: local
    detector: tiny
    precision: {precision}
    source: "scenes://?seed=3&width=320&height=192&fps=20&live=1"
    probation: {{seconds: 0.5, frames: 5}}
  broken:
    kind: local
    detector: tiny
    precision: fp32
    source: {missing}
    probation: {{deadline_s: 6}}
"""


# Nothing listens there; its host key is made up.
DEAD = """
  away:
    kind: jetson
    address: 127.0.0.1
    port: 1
    user: nobody
    detector: tiny
    source: /data/street.mp4
"""


def write_pictures(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for index in range(count):
        cv2.imwrite(str(folder / f"p{index}.png"), rng.integers(0, 255, (48, 64, 3), np.uint8))


def make_project(root: Path) -> Path:
    detector = root / "detectors" / "tiny"
    detector.mkdir(parents=True)
    save_yolov8(detector / "model.onnx")
    (detector / "detector.yaml").write_text("labels: [car, person]\ncalibration: few\n")
    few = root / "calib_sets" / "few"
    write_pictures(few / "images", 6)
    (few / "set.yaml").write_text("images: {folder: images}\n")
    (root / "devices.yaml").write_text(DEVICES.format(precision="fp32", missing=root / "none.mp4"))
    return root


def stop_services(root: Path) -> None:
    for device in ("local", "broken"):
        if (root / ".edgekit" / "devices" / device / "journal").exists():
            edgekit(root, "stop", "--device", device)


@pytest.fixture
def project(tmp_path):
    """A project that nothing was done with."""
    yield make_project(tmp_path / "project")
    stop_services(tmp_path / "project")


@pytest.fixture(scope="session")
def deployed_once(tmp_path_factory):
    """A project whose service was deployed, committed and stopped; for copies."""
    root = make_project(tmp_path_factory.mktemp("deployed") / "project")
    answer(edgekit(root, "deploy", "--json"))
    stop_services(root)
    return root


@pytest.fixture
def deployed(tmp_path, deployed_once):
    """A project with a committed release: what is tested is what comes after it. `deploy` starts its service."""
    root = tmp_path / "project"
    # Hard links stay hard links: a device counts them to know what it still needs.
    subprocess.run(["cp", "-a", deployed_once, root], check=True)
    yield root
    stop_services(root)


def edgekit(root, *arguments, timeout=120):
    command = [sys.executable, "-m", "edgekit", "--project", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def answer(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def services(root, device="local"):
    return answer(edgekit(root, "status", device, "--json"))[device]["services"]


def wait_for(condition, limit_s=20.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def test_deploy_starts_a_healthy_service_and_a_second_run_does_nothing(project):
    """The command the kit is named for; and a second run must not restart cameras."""
    first = answer(edgekit(project, "deploy", "--json"))
    assert [step["action"] for step in first["steps"]] == ["build", "verify", "release", "activate"]
    assert first["changed"] is True
    (running,) = services(project)
    assert running["running"] and running["release_id"] == first["release_id"]
    assert running["health"]["frames"] > 0
    second = answer(edgekit(project, "deploy", "--json"))
    assert (second["steps"], second["changed"], second["release_id"]) == ([], False, first["release_id"])
    assert services(project)[0]["pid"] == running["pid"]
    (camera,) = answer(edgekit(project, "cameras", "--json"))["looks"]
    assert (camera["condition"], camera["in_service"]) == ("ok", True)
    logs = answer(edgekit(project, "logs", "--json"))
    assert any("fp32 engine" in line for line in logs["lines"])
    assert edgekit(project, "status", "local", "--check").returncode == 0
    assert answer(edgekit(project, "stop", "--json"))["stopped"] == ["tiny"]
    assert edgekit(project, "status", "local", "--check").returncode == 8


def test_a_dry_run_shows_the_plan_and_touches_nothing(project):
    """Lost: a look before the leap."""
    plan = answer(edgekit(project, "deploy", "--dry-run", "--json"))
    assert [step["action"] for step in plan["steps"]] == ["build", "verify", "release", "activate"]
    device_root = project / ".edgekit" / "devices" / "local"
    assert not list(device_root.glob("engines/*")) and not list(device_root.glob("current/*"))


def test_int8_without_a_labelled_set_does_not_ship_by_itself(project):
    """INT8 whose accuracy nobody measured is what breaks detectors in the field."""
    text = DEVICES.format(precision="auto", missing=project / "none.mp4")
    (project / "devices.yaml").write_text(text)
    done = answer(edgekit(project, "deploy", "--json"))
    assert done["precision"] == "fp32"
    assert "accuracy was not measured" in done["decision"]
    assert [item["precision"] for item in done["verifications"]] == ["fp32", "int8"]
    pictures = list((project / ".edgekit" / "samples" / "local-tiny").iterdir())
    assert len(pictures) == 6


def test_an_int8_that_cannot_be_built_leaves_the_baseline_to_ship(project):
    """A network that resists quantisation must not keep a fleet from its update; asked for outright it is an error."""
    text = DEVICES.format(precision="auto", missing=project / "none.mp4")
    (project / "devices.yaml").write_text(text)
    save_head_only(project / "detectors" / "tiny" / "model.onnx")
    done = answer(edgekit(project, "deploy", "--json"))
    assert done["precision"] == "fp32" and "INT8 failed" in done["decision"]
    pid = services(project)[0]["pid"]
    again = answer(edgekit(project, "deploy", "--json"))
    assert again["release_id"] == done["release_id"] and services(project)[0]["pid"] == pid
    assert edgekit(project, "deploy", "--precision", "int8").returncode == 5


def break_source(project):
    """The next deployment is blind: a typo in its source."""
    inventory = (project / "devices.yaml").read_text().replace("scenes://?seed=3&", "/nowhere/scenes?")
    (project / "devices.yaml").write_text(inventory.replace("seconds: 0.5,", "deadline_s: 6, seconds: 0.5,"))


def test_a_release_that_sees_nothing_gives_way_to_the_one_before_and_is_refused_from_then_on(deployed):
    """Lost: the camera, after a typo in its source; and again with every run of a nightly deployment."""
    good = answer(edgekit(deployed, "deploy", "--json"))
    break_source(deployed)
    bad = edgekit(deployed, "deploy", "--json")
    assert bad.returncode == 8
    error = json.loads(bad.stdout)["error"]
    assert error["kind"] == "UnhealthyError"
    assert f"release {good['release_id']} runs again" in error["what"] and "/nowhere/scenes" in error["what"]
    wait_for(lambda: services(deployed)[0]["health"] is not None)
    (service,) = services(deployed)
    assert service["release_id"] == good["release_id"] and service["journal"]["bad"]
    refused = edgekit(deployed, "deploy")
    assert refused.returncode == 8
    assert "failed on local before" in refused.stderr and "/nowhere/scenes" in refused.stderr
    assert "deploy --device local --retry" in refused.stderr
    assert "failed: " in edgekit(deployed, "status").stderr


def test_ctrl_c_during_the_probation_leaves_the_decision_to_the_device(deployed):
    """Neither a half-checked release nor a stopped service may be what an impatient person leaves behind."""
    good = answer(edgekit(deployed, "deploy", "--json"))
    break_source(deployed)
    command = [sys.executable, "-m", "edgekit", "--project", str(deployed), "deploy"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("on probation"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130 and "goes on by itself" in rest
    assert services(deployed)[0]["journal"]["phase"] == "probation"
    wait_for(lambda: services(deployed)[0]["journal"]["phase"] == "settled", 40.0)
    (service,) = services(deployed)
    assert service["release_id"] == good["release_id"]
    wait_for(lambda: services(deployed)[0]["running"])


def test_a_deployment_finds_the_probation_that_it_was_cut_off_from(project):
    """The same command again is all that a person should have to know after a lost link."""
    inventory = (project / "devices.yaml").read_text()
    (project / "devices.yaml").write_text(inventory.replace("seconds: 0.5", "seconds: 3"))
    command = [sys.executable, "-m", "edgekit", "--project", str(project), "deploy"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("on probation"):
                process.kill()
                break
        process.stderr.read()
    done = answer(edgekit(project, "deploy", "--json"))
    assert [step["reason"] for step in done["steps"]] in ([], ["the release is on probation already"])
    (service,) = services(project)
    assert service["journal"]["good"] == [done["release_id"]] and service["running"]


def test_a_first_release_that_sees_nothing_is_stopped_and_explained(project):
    """There is nothing to go back to; it must not restart for ever either."""
    bad = edgekit(project, "deploy", "--device", "broken")
    assert bad.returncode == 8
    assert "none.mp4" in bad.stderr and "edgekit logs --device broken" in bad.stderr
    assert not any(service["running"] for service in services(project, "broken"))


def test_rollback_goes_back_by_one_release_or_to_the_one_named(deployed):
    """The command for the night when the new release is well by every figure, and wrong."""
    first = answer(edgekit(deployed, "deploy", "--json"))["release_id"]
    nothing = edgekit(deployed, "rollback")
    assert nothing.returncode == 8 and "no older release of tiny" in nothing.stderr
    inventory = (deployed / "devices.yaml").read_text()
    (deployed / "devices.yaml").write_text(inventory.replace("seed=3", "seed=4"))
    second = answer(edgekit(deployed, "deploy", "--json"))["release_id"]
    back = answer(edgekit(deployed, "rollback", "--json"))
    assert (back["before"], back["release_id"], back["changed"]) == (second, first, True)
    assert services(deployed)[0]["health"]["release"] == first
    forth = answer(edgekit(deployed, "rollback", "--to", second[:6], "--json"))
    assert forth["release_id"] == second
    unknown = edgekit(deployed, "rollback", "--to", "zzzz")
    assert unknown.returncode == 2 and first in unknown.stderr
    kept = answer(edgekit(deployed, "gc", "--keep", "1", "--dry-run", "--json"))
    assert f"releases/{first}" in kept["removed"] and f"releases/{second}" not in kept["removed"]
    assert answer(edgekit(deployed, "gc", "--keep", "1", "--json"))["removed"] == kept["removed"]
    assert edgekit(deployed, "rollback").returncode == 8


def test_start_brings_a_stopped_service_back_without_deploying(deployed):
    """After maintenance nobody wants a new release, only the old one."""
    first = answer(edgekit(deployed, "deploy", "--json"))
    answer(edgekit(deployed, "stop", "--json"))
    assert answer(edgekit(deployed, "start", "--json"))["started"] == ["tiny"]
    (service,) = services(deployed)
    assert service["running"] and service["release_id"] == first["release_id"] and service["health"]["frames"] > 0
    assert "runs already" in edgekit(deployed, "start").stdout


def test_several_devices_at_once_end_each_in_its_own_state(project):
    """A fleet's command must say which device is well, which went back and which could not be asked."""
    text = (project / "devices.yaml").read_text() + DEAD
    (project / "devices.yaml").write_text(text)
    done = edgekit(project, "deploy", "--device", "local", "--device", "away", "--json")
    assert done.returncode == 9, done.stderr
    by_name = {item["device"]: item for item in json.loads(done.stdout)["devices"]}
    assert by_name["local"]["state"] == "healthy" and by_name["local"]["result"]["changed"]
    assert by_name["away"]["state"] == "unreachable" and by_name["away"]["result"] is None
    assert "1 unreachable (away)" in done.stderr and "away: " in done.stderr
    worse = edgekit(project, "deploy", "--device", "broken", "--device", "local", "--device", "away")
    assert worse.returncode == 8
    assert "1 reverted (broken)" in worse.stderr and "1 unreachable (away)" in worse.stderr
    assert "unchanged" in worse.stdout
    state = edgekit(project, "status", "local", "away", "--check", "--json")
    assert state.returncode == 9 and json.loads(state.stdout)["away"]["state"] == "unreachable"


def test_a_killed_service_comes_back_by_itself(deployed):
    """What systemd does on a Jetson, the supervisor does here."""
    answer(edgekit(deployed, "deploy", "--json"))
    pid = services(deployed)[0]["health"]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: services(deployed)[0]["restarts"] == 1 and services(deployed)[0]["health"]["pid"] != pid)


def test_a_killed_supervisor_leaves_no_orphan_and_deploy_mends_it(deployed):
    """Lost: two services on one camera."""
    answer(edgekit(deployed, "deploy", "--json"))
    before = services(deployed)[0]
    os.kill(before["pid"], signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{before['health']['pid']}").exists())
    assert not services(deployed)[0]["running"]
    again = answer(edgekit(deployed, "deploy", "--json"))
    assert [(step["action"], step["reason"]) for step in again["steps"]] == [("start", "it is not running")]
    assert services(deployed)[0]["running"]


def test_bench_measures_the_deployed_engine_and_restarts_the_service(deployed):
    """A running service would share the cores; forgotten in the stopped state it would be an outage."""
    answer(edgekit(deployed, "deploy", "--json"))
    done = edgekit(deployed, "bench", "--fps", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    assert "FPS" in done.stdout and "not 1000 / inference ms" in done.stdout
    assert services(deployed)[0]["running"]
    (result,) = (deployed / ".edgekit" / "results").glob("*.json")
    stored = json.loads(result.read_text())
    assert stored["engine"]["precision"] == "fp32" and stored["measurement"]["pipeline_rate"]["fps"] > 0
    missed = edgekit(deployed, "bench", "--fps", "1000000", "--seconds", "1", "--json")
    assert missed.returncode == 10
    assert "TargetMissedError" in missed.stderr + missed.stdout
    report = answer(edgekit(deployed, "report", "--json"))
    assert Path(report["path"]).read_text().startswith("<!doctype html>")


def test_bench_without_an_engine_says_what_to_type(project):
    """Lost: the way on for someone who starts in the middle."""
    done = edgekit(project, "bench", "--fps")
    assert done.returncode == 2
    assert "nothing is deployed" in done.stderr and "edgekit deploy --device local" in done.stderr


def test_build_proves_the_engine_and_says_how_near_it_is(project):
    """The golden distance is what tells a sound engine from a blind one."""
    plan = answer(edgekit(project, "build", "--dry-run", "--json"))
    assert (plan["precision"], plan["to_do"]) == ("fp32", "build")
    assert not list((project / ".edgekit" / "devices" / "local").glob("engines/*/engine.json"))
    built = answer(edgekit(project, "build", "--json"))
    assert built["engine_id"] == plan["engine_id"]
    assert built["golden_distance"] < 1e-6 and built["warnings"] == []
    again = answer(edgekit(project, "build", "--dry-run", "--json"))
    assert again["to_do"].startswith("nothing") and "golden_pictures" not in again
    assert "golden distance" in edgekit(project, "build").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--route", "calibrator"), "does not build with TensorRT"),
        (("--workspace-mib", "512", "--no-library-tactics"), "--workspace-mib, --library-tactics"),
        (("--workspace-mib", "1"), "--workspace-mib"),
        (("--optimisation-level", "6"), "--optimisation-level"),
        (("--dla-core", "x"), "--dla-core"),
        (("--plugin", "plugins/a.so"), "--plugin"),
        (("--route", "best"), "'--route': 'best' is not one of"),
        (("--calibration", "few"), "--calibration is for INT8"),
        (("--in-container", "--image", "any", "--dry-run"), "--in-container: local does not build with TensorRT"),
        (("--in-container", "--image", ""), "expected the name of an image"),
        (("--image", ""), "add --in-container"),
        (("--plugin", ""), "--plugin: expected a library"),
        (("--precision", "fp16"), "fp16 is not built on this device"),
    ],
)
def test_build_options_that_cannot_be_are_refused_by_name(project, arguments, said):
    """Ignored without a word, an option would be believed."""
    done = edgekit(project, "build", *arguments)
    assert done.returncode in (2, 5) and said in done.stderr
    assert not list((project / ".edgekit" / "devices" / "local").glob("engines/*/engine.json"))


def test_an_altered_engine_is_refused_and_built_again_on_request(project):
    """A damaged plan must never be loaded; the message says which command mends it."""
    built = answer(edgekit(project, "build", "--json"))
    engine = Path(built["folder"]) / built["file_name"]
    damaged = bytearray(engine.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    engine.write_bytes(damaged)
    picture = project / "calib_sets" / "few" / "images" / "p0.png"
    assert answer(edgekit(project, "build", "--force", "--json"))["engine_id"] == built["engine_id"]
    assert edgekit(project, "detect", str(picture), "--json").returncode == 0


def test_an_engine_of_another_device_is_refused(project):
    """The folder of one machine copied to another: peers load it and crash."""
    built = answer(edgekit(project, "build", "--json"))
    manifest = Path(built["folder"]) / "engine.json"
    manifest.write_text(manifest.read_text().replace(built["engine_key"], "orin-nano-8gb-sm87-trt8.5.2-l4t35.4.1"))
    from edgekit.control.detectors import load_detector
    from edgekit.control.project import open_project
    from edgekit.errors import EngineMismatchError
    from edgekit.runtime.engines import load_engine
    from edgekit.runtime.probe import probe_device

    detector = load_detector(open_project(project), "tiny")
    with pytest.raises(EngineMismatchError, match="orin-nano-8gb") as refusal:
        load_engine(built["folder"], detector.spec, probe_device())
    assert refusal.value.hint == "edgekit build tiny --precision fp32"


def test_detect_writes_what_it_is_asked_to_write(project):
    """Pictures, lines and counts of one run agree."""
    images = project / "calib_sets" / "few" / "images"
    out, lines = project / "out", project / "found.jsonl"
    found = answer(
        edgekit(
            project,
            "detect",
            str(images),
            "--images",
            str(out),
            "--jsonl",
            str(lines),
            "--confidence",
            "0.05",
            "--json",
        )
    )
    assert found["frames"] == 6 == len(list(out.iterdir())) == len(lines.read_text().splitlines())
    stored = [json.loads(line) for line in lines.read_text().splitlines()]
    assert found["detections"] == sum(len(line["detections"]) for line in stored)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing_half_written(project, signal_number):
    """Ctrl-C at any time: exit 130, no engine folder, no temporary one."""
    command = [sys.executable, "-m", "edgekit", "--project", str(project), "build", "--precision", "int8"]
    write_pictures(project / "calib_sets" / "many" / "images", 400)
    (project / "calib_sets" / "many" / "set.yaml").write_text("images: {folder: images}\n")
    process = subprocess.Popen([*command, "--calibration", "many"], stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("calibrating"):
                process.send_signal(signal_number)
                break
        process.stderr.read()
    assert process.returncode == 130
    engines = project / ".edgekit" / "devices" / "local" / "engines"
    wait_for(lambda: not [path for path in engines.glob("*") if path.is_dir()] + list(engines.glob(".*.part")))
