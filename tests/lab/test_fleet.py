"""A street of virtual Jetsons at once: some are off, some stall, and the command says which is which."""

from __future__ import annotations

import json
import time

import pytest

from tests.lab.deploying import SOURCE, edgekit, make_project, provisioned_image, write_inventory

pytestmark = pytest.mark.lab

STREET = {"street": ["cam-1", "cam-2", "cam-3", "cam-4"]}


@pytest.fixture(scope="module")
def cameras(jetson):
    image = provisioned_image(jetson)
    made = [jetson("xavier-nx", name=name, image=image) for name in STREET["street"]]
    yield made
    for device in made:
        device.power_off()


@pytest.fixture(scope="module")
def project(cameras, tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("fleet") / "project", *cameras, groups=STREET)


def change(project, cameras, seed):
    write_inventory(project, *cameras, groups=STREET, source=SOURCE.replace("seed=3", f"seed={seed}"))


def deploy(project, *arguments):
    done = edgekit(project, "deploy", "--device", "street", *arguments, "--json", timeout=240)
    return done, {item["device"]: item for item in json.loads(done.stdout)["devices"]}


def test_a_group_is_deployed_at_once_and_a_second_run_changes_nothing(project, cameras):
    """The nightly command of a fleet."""
    change(project, cameras, 3)
    done, devices = deploy(project)
    assert done.returncode == 0, done.stderr
    assert {item["state"] for item in devices.values()} <= {"healthy", "unchanged"}
    assert list(devices) == STREET["street"]
    again, devices = deploy(project)
    assert again.returncode == 0 and {item["state"] for item in devices.values()} == {"unchanged"}
    status = edgekit(project, "status", "street", "--check")
    assert status.returncode == 0 and status.stdout.count("healthy") == 4


def test_a_device_that_is_off_is_unreachable_and_the_others_get_their_release(project, cameras):
    """Lost: either the street's update for one dead camera, or the knowledge that it is dead."""
    change(project, cameras, 4)
    cameras[1].cut()
    try:
        started_s = time.monotonic()
        done, devices = deploy(project)
        took_s = time.monotonic() - started_s
    finally:
        cameras[1].heal()
    assert done.returncode == 9, done.stderr
    assert {name: item["state"] for name, item in devices.items()} == {
        "cam-1": "healthy",
        "cam-2": "unreachable",
        "cam-3": "healthy",
        "cam-4": "healthy",
    }
    assert "1 unreachable (cam-2)" in done.stderr and took_s < 60
    caught_up, devices = deploy(project)
    assert caught_up.returncode == 0
    assert [item["state"] for item in devices.values()] == ["unchanged", "healthy", "unchanged", "unchanged"]


def test_a_device_that_stalls_in_the_middle_holds_up_no_other(project, cameras):
    """A stopped sshd answers nothing and closes nothing."""
    change(project, cameras, 5)
    cameras[2].run(["pkill", "-STOP", "sshd"])
    try:
        started_s = time.monotonic()
        done, devices = deploy(project, "--jobs", "2")
        took_s = time.monotonic() - started_s
    finally:
        cameras[2].run(["pkill", "-CONT", "sshd"])
    assert done.returncode == 9, done.stderr
    assert [item["state"] for item in devices.values()] == ["healthy", "healthy", "unreachable", "healthy"]
    assert max(item["duration_s"] for item in devices.values()) <= devices["cam-3"]["duration_s"]
    assert took_s < 60


def test_a_bad_release_is_reverted_on_each_device_and_the_exit_code_says_so(project, cameras):
    """A typo in a group's source reaches every camera; none may stay blind."""
    write_inventory(project, *cameras, groups=STREET, source="/nowhere/street.mp4")
    done, devices = deploy(project)
    assert done.returncode == 8
    assert {item["state"] for item in devices.values()} == {"reverted"}
    assert all("runs again" in item["error"]["what"] for item in devices.values())
