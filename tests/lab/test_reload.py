"""A release that differs in zones and thresholds alone, under a real systemd: no frame is lost, nothing starts anew."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.lab.conftest import MakeJetson
from tests.lab.deploying import (
    SERVICE,
    SOURCE,
    UNIT,
    answer,
    edgekit,
    environment,
    main_pid,
    make_project,
    provisioned_image,
    state_of,
    wait_for,
    write_inventory,
)
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

CANARY = "canary-c4mera-passw0rd"


def zone(right: float, classes: tuple[str, ...] = ()) -> dict[str, Any]:
    """`events:` with one zone, which reaches so far to the right."""
    corners = [[0.1, 0.1], [right, 0.1], [right, 0.9], [0.1, 0.9]]
    return {"zones": [{"name": "gate", "points": corners, "classes": list(classes)}]}


@pytest.fixture(scope="module")
def device(jetson: MakeJetson) -> VirtualJetson:
    return jetson("xavier-nx", name="reloaded", image=provisioned_image(jetson))


@pytest.fixture(scope="module")
def project(device, tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("reload") / "project", device)


@pytest.fixture
def serving(project, device):
    """A service with one zone; what `edgekit deploy` said."""
    write_inventory(project, device, events=zone(0.5))
    deployed = answer(edgekit(project, "deploy", "--device", device.name, "--json"))
    wait_for(lambda: state_of(project, device.name)["health"]["frames"] > 0)
    return deployed


def log(device):
    return device.run(["journalctl", "-u", UNIT, "--no-pager", "-o", "cat"]).stdout


def frames_of(device):
    return json.loads(device.read(f"/var/lib/edgekit/{SERVICE}/health.json"))["frames"]


def test_a_zone_that_is_moved_is_taken_over_by_the_process_that_runs(project, device, serving):
    """Zones are moved ten times until they are right: each restart would be a gap, and the counters at zero."""
    pid, before = main_pid(device), state_of(project, device.name)["health"]
    starts = log(device).count("self-test passed")
    write_inventory(project, device, events=zone(0.8))
    done = edgekit(project, "deploy", "--device", device.name, "--json")
    new = answer(done)
    after = state_of(project, device.name)
    assert new["release_id"] not in ("", serving["release_id"])
    assert (main_pid(device), after["restarts"]) == (pid, 0)
    assert after["journal"]["good"][0] == after["health"]["release"] == new["release_id"]
    assert after["health"]["started_unix_s"] == before["started_unix_s"]
    lasted_s = after["health"]["updated_unix_s"] - before["updated_unix_s"]
    frames = after["health"]["frames"] - before["frames"]
    assert frames >= 10 * lasted_s * 0.95 - 2, f"{frames} frames of a camera of 10 FPS in {lasted_s:.1f} s"
    said = log(device)
    assert f"took release {new['release_id']} over, without a restart" in said
    assert said.count("self-test passed") == starts, "the engine was loaded again"
    assert "taken over without a restart" in done.stderr


def test_going_back_to_the_zones_of_before_is_no_restart_either(project, device, serving):
    """The way back must not cost more than the way there."""
    write_inventory(project, device, events=zone(0.7))
    answer(edgekit(project, "deploy", "--device", device.name, "--json"))
    pid = main_pid(device)
    back = answer(edgekit(project, "rollback", "--device", device.name, "--json"))
    assert (back["release_id"], main_pid(device)) == (serving["release_id"], pid)


def test_another_threshold_is_taken_over_too(project, device, serving):
    """It is verified anew and brings a self-test of its own, for the next start; the engine stays loaded."""
    pid, path = main_pid(device), project / "detectors" / "tiny" / "detector.yaml"
    kept = path.read_text()
    path.write_text(kept + "thresholds: {confidence: 0.6}\n")
    try:
        new = answer(edgekit(project, "deploy", "--device", device.name, "--json"))
        assert {step["action"] for step in new["steps"]} >= {"verify", "activate"}
        assert (new["engine_id"], main_pid(device)) == (serving["engine_id"], pid)
        assert state_of(project, device.name)["health"]["release"] == new["release_id"]
        device.run(["systemctl", "restart", UNIT])
        wait_for(lambda: main_pid(device) not in (pid, "0"))
        wait_for(lambda: state_of(project, device.name)["health"]["frames"] > 0)
    finally:
        path.write_text(kept)


def test_what_cannot_be_taken_over_is_a_restart(project, device, serving):
    """And proves itself from its beginning."""
    pid = main_pid(device)
    write_inventory(project, device, events=zone(0.5), source=SOURCE.replace("seed=3", "seed=4"))
    new = answer(edgekit(project, "deploy", "--device", device.name, "--json"))
    assert main_pid(device) != pid
    assert state_of(project, device.name)["health"]["release"] == new["release_id"]


def test_a_service_that_stands_still_is_restarted_when_it_does_not_take_over(project, device, serving):
    """SIGHUP reaches it and nothing follows: after ten seconds the ordinary way is gone."""
    pid = main_pid(device)
    write_inventory(project, device, events=zone(0.55))
    # Signals other than KILL wait until CONT, which comes when systemd stops it.
    device.run(["sh", "-c", f"(sleep 1; kill -STOP {pid}) >/dev/null 2>&1 &"])
    new = answer(edgekit(project, "deploy", "--device", device.name, "--json"))
    wait_for(lambda: main_pid(device) not in (pid, "0"))
    wait_for(lambda: state_of(project, device.name)["health"]["release"] == new["release_id"])


def test_a_zone_of_a_class_that_there_is_not_is_refused_here(project, device, serving):
    """Before anything is sent; the service never notices."""
    pid, frames = main_pid(device), frames_of(device)
    write_inventory(project, device, events=zone(0.5, ("lorry",)))
    refused = edgekit(project, "deploy", "--device", device.name)
    assert refused.returncode == 2 and "lorry" in refused.stderr
    assert main_pid(device) == pid
    wait_for(lambda: frames_of(device) > frames)


def test_a_power_cut_between_the_swap_and_the_take_over_leaves_the_new_release(project, device, serving):
    """The journal says what is under way; the service that starts reads what is current."""
    write_inventory(project, device, events=zone(0.9), probation={"frames": 5, "seconds": 8})
    command = [sys.executable, "-m", "edgekit", "--project", str(project), "deploy", "--device", device.name]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    on_probation = 'grep -q \'"phase": "probation"\' /opt/edgekit/journal/tiny.json'
    device.run(["sh", "-c", f"while ! {on_probation}; do sleep 0.02; done"])
    device.power_loss()
    device.power_on()
    process.wait()
    wait_for(lambda: state_of(project, device.name)["journal"]["phase"] == "settled", 60)
    service = state_of(project, device.name)
    assert service["journal"]["good"][0] not in ("", serving["release_id"])
    wait_for(lambda: state_of(project, device.name)["health"]["release"] == service["journal"]["good"][0])


def test_a_password_of_a_camera_is_readable_for_nobody_else(project, device, serving):
    """Whoever has an account on a board in the field must not get the password of every camera there."""
    write_inventory(
        project,
        device,
        source=f"rtsp://admin:{CANARY}@10.88.0.1:9/street",
        probation={"frames": 5, "seconds": 1, "deadline_s": 20},
    )
    failed = edgekit(project, "deploy", "--device", device.name)
    assert failed.returncode == 8 and CANARY not in failed.stdout + failed.stderr
    held = device.run(["grep", "-rl", CANARY, "/opt/edgekit", "/var/lib/edgekit"], check=False).stdout.split()
    assert held, "it is not there at all: this test looks in the wrong places"
    for path in held:
        assert device.run(["stat", "-c", "%U:%G %a", path]).stdout.strip() == "jetson:edgekit 640", path
    assert readable_by(device, "nobody") == ""
    assert readable_by(device, "edgekit") != "", "the service itself must read it"
    assert CANARY not in device.run(["ps", "-ewwo", "args"]).stdout
    assert CANARY not in device.run(["journalctl", "--no-pager"]).stdout
    shown = [edgekit(project, *words).stdout for words in (["status", "--json"], ["logs", "--device", device.name])]
    assert not [text for text in shown if CANARY in text]


def test_a_password_is_kept_nowhere_on_this_machine_but_where_it_was_written(project, device):
    """What the kit keeps of deployments is read by reports, and sent around."""
    held = [path for path in project.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert [path.name for path in held] == ["devices.yaml"]
    assert (project / ".edgekit" / "devices").stat().st_mode & 0o077 == 0


def readable_by(device, user):
    """Files below the kit's folders that hold the password and that a user can read."""
    words = ["grep", "-rls", CANARY, "/opt/edgekit", "/var/lib/edgekit", "/var/cache/edgekit", "/run/edgekit", "/tmp"]
    return device.run(["runuser", "-u", user, "--", *words], check=False).stdout.strip()
