"""The command the kit is named for, on a virtual Jetson: real SSH, real systemd, Python 3.8."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

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

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def device(jetson):
    return jetson("xavier-nx", name="street-1", image=provisioned_image(jetson))


@pytest.fixture(scope="module")
def project(device, tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("deploy") / "project", device)


@pytest.fixture
def deployed(project, device):
    """The good release in service."""
    write_inventory(project, device)
    return answer(edgekit(project, "deploy", "--device", device.name, "--json"))


def change(project, device, seed, **settings):
    """Another release, as good as the one before."""
    write_inventory(project, device, source=SOURCE.replace("seed=3", f"seed={seed}"), **settings)


def deploying(project, device):
    """`edgekit deploy` as a process whose progress can be read."""
    command = [sys.executable, "-m", "edgekit", "--project", str(project), "deploy", "--device", device.name]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment())


def read_until(process, beginning):
    for line in process.stderr:
        if line.startswith(beginning):
            return
    raise AssertionError(f"never said {beginning!r}")


def test_a_service_runs_under_systemd_and_a_second_deployment_touches_nothing(project, device, deployed):
    """A nightly deployment must not restart a camera; the user edgekit serves what the login user may only place."""
    assert device.run(["systemctl", "is-active", UNIT]).stdout.strip() == "active"
    assert device.run(["systemctl", "is-enabled", UNIT]).stdout.strip() == "enabled"
    pid = main_pid(device)
    assert device.run(["ps", "-o", "user=", "-p", pid]).stdout.strip() == "edgekit"
    again = answer(edgekit(project, "deploy", "--device", device.name, "--json"))
    assert (again["steps"], again["changed"], again["release_id"]) == ([], False, deployed["release_id"])
    assert main_pid(device) == pid
    assert edgekit(project, "status", "--check").returncode == 0


def test_a_deployment_that_changes_nothing_is_one_call(project, device, deployed, monkeypatch):
    """Each further call costs a round trip and a Python on a small board; the goal is two seconds in all."""
    from edgekit.control import deploy, survey
    from edgekit.control.connect import link_to
    from edgekit.control.groundwork import Groundwork
    from edgekit.control.inventory import load_inventory
    from edgekit.control.link import silent
    from edgekit.control.project import open_project
    from edgekit.control.ssh.link import SSHLink

    calls = []
    converse = SSHLink._converse
    monkeypatch.setattr(SSHLink, "_converse", lambda *given: calls.append(given[1]) or converse(*given))
    opened = open_project(project)
    link = link_to(opened, load_inventory(opened).device(device.name))
    facts = survey.survey(Groundwork(opened), load_inventory(opened).device(device.name), link, silent)
    deploy.execute(facts, deploy.plan(facts), silent)
    link.close()
    assert len(calls) == 1


def test_a_cut_link_during_the_probation_changes_nothing(project, device, deployed):
    """The decision is the device's; the command finds it again when the link is back."""
    change(project, device, seed=11, probation={"frames": 5, "seconds": 4})
    process = deploying(project, device)
    read_until(process, "on probation")
    device.run(["pkill", "-f", "sshd: jetson"], check=False)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0, rest
    assert "the link is lost; the device goes on by itself" in rest
    service = state_of(project, device.name)
    assert service["release_id"] != deployed["release_id"] and service["journal"]["phase"] == "settled"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_hosts_end_during_the_probation_changes_nothing(project, device, deployed, number):
    """A closed laptop must leave neither a half-checked release nor a stopped service."""
    change(project, device, seed=20 + number)
    process = deploying(project, device)
    read_until(process, "on probation")
    process.send_signal(number)
    process.stderr.close()
    process.wait()
    wait_for(lambda: state_of(project, device.name)["journal"]["phase"] == "settled")
    service = state_of(project, device.name)
    assert service["running"] and service["release_id"] not in ("", deployed["release_id"])
    again = answer(edgekit(project, "deploy", "--device", device.name, "--json"))
    assert again["steps"] == [] and again["release_id"] == service["release_id"]


def test_rollback_returns_to_the_release_before(project, device, deployed):
    """The way back for what no figure shows."""
    change(project, device, seed=31)
    new = answer(edgekit(project, "deploy", "--device", device.name, "--json"))
    back = answer(edgekit(project, "rollback", "--device", device.name, "--json"))
    assert (back["before"], back["release_id"]) == (new["release_id"], deployed["release_id"])
    assert state_of(project, device.name)["health"]["release"] == deployed["release_id"]


def test_stop_holds_over_a_reboot_and_start_brings_it_back(project, device, deployed):
    """Whoever stops a camera for maintenance must not meet it running after a power cut; and the reverse."""
    answer(edgekit(project, "stop", "--device", device.name, "--json"))
    device.reboot()
    assert not state_of(project, device.name)["running"]
    assert answer(edgekit(project, "start", "--device", device.name, "--json"))["started"] == [SERVICE]
    device.reboot()
    wait_for(lambda: edgekit(project, "status", "--check").returncode == 0)


def test_bench_detect_build_and_inspect_work_over_ssh(project, device, deployed, tmp_path):
    """Files that they write lie on the device and must come here."""
    result = edgekit(project, "bench", "--fps", "--seconds", "1", "--device", device.name)
    assert result.returncode == 0 and f"with FP32 on {device.name}" in result.stdout, result.stderr
    assert state_of(project, device.name)["running"]
    lines, pictures = tmp_path / "found.jsonl", tmp_path / "pictures"
    outputs = ["--jsonl", str(lines), "--images", str(pictures)]
    found = answer(
        edgekit(project, "detect", f"{SOURCE}&frames=4", "--device", device.name, *outputs, "--frames", "4", "--json")
    )
    assert len(lines.read_text().splitlines()) == found["frames"] == len(list(pictures.iterdir())) == 4
    refused = edgekit(project, "detect", "street.mp4", "--device", device.name)
    assert refused.returncode == 2 and "read on the device" in refused.stderr
    built = answer(edgekit(project, "build", "--precision", "int8", "--device", device.name, "--json"))
    assert built["precision"] == "int8" and built["calibration_images"] == 6
    shown = answer(edgekit(project, "inspect", built["engine_id"], "--device", device.name, "--json"))
    assert shown["fit"]["fits"] is True


def test_logs_go_on_after_a_lost_link(project, device, deployed):
    """A person who follows a log over a bad link should miss no line and type nothing."""
    command = [sys.executable, "-m", "edgekit", "--project", str(project), "logs", "--device", device.name, "-f"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        read_line_with(process, "self-test passed")
        device.run(["pkill", "-f", "sshd: jetson"], check=False)
        device.run(["systemctl", "restart", UNIT])
        read_line_with(process, f"[{main_pid(device)}]: self-test passed")
    finally:
        process.kill()
        process.communicate()


def read_line_with(process, text):
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"never said {text!r}")


def test_a_device_that_is_off_is_unreachable_and_not_well(project, device, deployed):
    """Silence is no health."""
    device.power_off()
    try:
        done = edgekit(project, "status", "--check", "--json")
        assert done.returncode == 9 and json.loads(done.stdout)[device.name]["state"] == "unreachable"
        assert edgekit(project, "deploy", "--device", device.name).returncode == 9
    finally:
        device.power_on()
