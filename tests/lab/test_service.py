"""The service under a real systemd, in its sandbox, as its own user."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.conftest import MakeJetson
from tests.lab.deploying import SERVICE, UNIT, answer, edgekit, main_pid, make_project, provisioned_image, wait_for
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

HEALTH = f"/opt/edgekit/state/{SERVICE}/health.json"


@pytest.fixture(scope="module")
def device(jetson: MakeJetson, tmp_path_factory: pytest.TempPathFactory) -> VirtualJetson:
    """A device whose service runs."""
    made = jetson("xavier-nx", name="served", image=provisioned_image(jetson))
    project = make_project(tmp_path_factory.mktemp("service") / "project", made)
    answer(edgekit(project, "deploy", "--device", made.name, "--json"))
    return made


def shown(device: VirtualJetson, name: str) -> str:
    """A property of the service's unit."""
    return device.run(["systemctl", "show", f"--property={name}", "--value", UNIT]).stdout.strip()


def health(device: VirtualJetson) -> dict[str, Any]:
    """The report, as the login user reads it."""
    return json.loads(device.run(["runuser", "-u", "jetson", "--", "cat", HEALTH]).stdout)


def is_serving(device: VirtualJetson) -> bool:
    """True if the process that runs now reports good frames."""
    if shown(device, "ActiveState") != "active":
        return False
    report = health(device)
    return str(report["pid"]) == main_pid(device) and report["frames"] > 0 and not report["last_error"]


def test_it_runs_as_its_own_user_and_writes_only_where_it_may(device: VirtualJetson) -> None:
    """A service that can write into its release could change what runs after the next start."""
    wait_for(lambda: is_serving(device))
    log = device.run(["journalctl", "-u", UNIT, "-o", "cat", "--no-pager"]).stdout
    assert "self-test passed: 2 pictures" in log
    owner = device.run(["ps", "-o", "user=", "-p", main_pid(device)]).stdout.strip()
    assert owner == "edgekit"
    assert device.run(["find", "/opt/edgekit", "-user", "edgekit"]).stdout == ""
    written = device.run(["find", f"/var/lib/edgekit/{SERVICE}", "-type", "f"]).stdout.split()
    assert written == [f"/var/lib/edgekit/{SERVICE}/health.json"]


def test_a_frozen_service_is_started_again(device: VirtualJetson) -> None:
    """A camera that hangs at night must see again without anyone: within the watchdog's 15 s and 10 more."""
    wait_for(lambda: is_serving(device))
    before = main_pid(device)
    device.run(["kill", "-STOP", before])
    took_s = wait_for(lambda: main_pid(device) not in (before, "0") and is_serving(device), 40)
    assert took_s < 25
    assert "Watchdog timeout" in device.run(["journalctl", "-u", UNIT, "-o", "cat", "--no-pager"]).stdout


def test_a_stop_is_no_failure(device: VirtualJetson) -> None:
    """A failed unit is what makes a device go back to the release before."""
    wait_for(lambda: is_serving(device))
    device.run(["systemctl", "stop", UNIT])
    assert (shown(device, "ActiveState"), shown(device, "Result")) == ("inactive", "success")
    device.run(["systemctl", "start", UNIT])
    wait_for(lambda: is_serving(device))


def test_a_release_that_was_altered_on_the_disk_does_not_become_ready(device: VirtualJetson) -> None:
    """Labels that changed places count cars as people, and everything else looks well."""
    wait_for(lambda: is_serving(device))
    path = device.run(["readlink", "-f", f"/opt/edgekit/current/{SERVICE}/detector.json"]).stdout.strip()
    kept = device.read(path)
    spec = json.loads(kept)
    device.write(path, json.dumps({**spec, "labels": spec["labels"][::-1]}))
    try:
        device.run(["systemctl", "restart", "--no-block", UNIT])
        wait_for(lambda: shown(device, "ExecMainStatus") == "7")
        assert "the self-test failed" in health(device)["last_error"]
    finally:
        device.write(path, kept)
    wait_for(lambda: is_serving(device))
