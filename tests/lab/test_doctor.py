"""`edgekit doctor` on a Jetson that nothing was installed on yet: one answer over SSH, and all that is wrong."""

from __future__ import annotations

import json
import time

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

# /etc/nv_tegra_release of a Xavier NX that was never brought to JetPack 5.
JETPACK_4 = (
    "# R32 (release), REVISION: 7.4, GCID: 33514132, BOARD: t186ref, EABI: aarch64, DATE: Fri Jun 9 04:25:08 UTC 2023\n"
)


def doctor(project, *arguments: str):
    return CliRunner().invoke(app, ["doctor", "--project", str(project.root), *arguments])


def found(project, name: str) -> dict[str, dict[str, str]]:
    """The findings about a device by their subject; of several the worst."""
    report = json.loads(doctor(project, "--device", name, "--json").stdout)
    assert report["devices"][name]["reachable"], report
    return {finding["subject"].partition(": ")[2]: finding for finding in reversed(report["findings"])}


def trust(project, device: VirtualJetson) -> None:
    """Pin the device's host key."""
    arguments = ["enroll", device.name, "--fingerprint", device.host_key_fingerprint, "--project", str(project.root)]
    assert CliRunner().invoke(app, arguments).exit_code == 0


@pytest.fixture(scope="module")
def device(jetson) -> VirtualJetson:
    return jetson("xavier-nx", name="doctor-nx")


@pytest.fixture(scope="module")
def fleet(device, project):
    """A project in which the device is trusted."""
    made = project(device)
    trust(made, device)
    return made


def test_device_whose_key_nobody_trusted_is_not_asked_anything(device, project) -> None:
    """The first thing to do is named, and no login was tried."""
    result = doctor(project(device), "--device", device.name)
    assert result.exit_code == 9
    assert f"edgekit enroll {device.name}" in result.stdout


def test_fresh_xavier_is_known_by_its_own_texts(device, fleet) -> None:
    """The device tree, the release, the mode and the Python of a real Xavier NX, in one round trip."""
    began_s = time.monotonic()
    findings = found(fleet, device.name)
    assert time.monotonic() - began_s < 5.0
    assert findings["Jetson"]["found"] == "Jetson Xavier NX, Jetson Linux 35.4.1, JetPack 5.1.2"
    assert findings["Python"]["found"].startswith("3.8.")
    assert device.host_key_fingerprint in findings["SSH"]["found"]
    assert findings["edgekit"]["remedy"] == f"edgekit provision --device {device.name}"
    assert {finding["severity"] for finding in findings.values()} <= {"warning", "info", "ok"}


def test_what_is_wrong_on_the_device_is_found_there(device, fleet) -> None:
    """A full disk, a hot chip, a user without rights: each is told with what to type there."""
    device.run(["gpasswd", "--delete", "jetson", "video"])
    device.write("/sys/class/thermal/thermal_zone0/temp", "99000\n")
    device.fill_disk(leave_mib=300)
    try:
        findings = found(fleet, device.name)
    finally:
        device.free_disk()
        device.run(["gpasswd", "--add", "jetson", "video"])
    assert findings["disk"]["severity"] == "error" and "edgekit gc" in findings["disk"]["remedy"]
    assert findings["user"]["remedy"].startswith(f"on {device.name}: sudo usermod -aG video jetson")
    assert "99 degrees" in findings["heat"]["found"]


def test_jetpack_4_is_refused_with_the_reason(device, fleet) -> None:
    """An error that says what is too old, and that this module can be brought further."""
    release = device.read("/etc/nv_tegra_release")
    device.write("/etc/nv_tegra_release", JETPACK_4)
    try:
        finding = found(fleet, device.name)["Jetson"]
    finally:
        device.write("/etc/nv_tegra_release", release)
    assert finding["severity"] == "error"
    assert "JetPack 4.6.4" in finding["found"] and "JetPack 5.1" in finding["remedy"]


def test_missing_tensorrt_is_an_error_only_where_it_is_needed(device, project) -> None:
    """backend: onnxruntime says that this board runs without it."""
    needs_it = project(device, backend="auto")
    trust(needs_it, device)
    assert found(needs_it, device.name)["TensorRT"]["severity"] == "error"


def test_environment_that_broke_after_it_was_made_is_found(device, fleet) -> None:
    """As an upgrade of the system's Python leaves it: the facts still come, device code does not answer."""
    device.write("/opt/edgekit/device.json", "{}")
    device.write("/opt/edgekit/venv/bin/python", "#!/bin/sh\necho 'libpython3.8.so.1.0: cannot open' >&2; exit 1\n")
    device.run(["sh", "-c", "chmod 755 /opt/edgekit/venv/bin/python; chown -R jetson /opt/edgekit"])
    try:
        findings = found(fleet, device.name)
    finally:
        device.run(["rm", "-r", "/opt/edgekit"])
    assert findings["device code"]["severity"] == "error"
    assert findings["Jetson"]["severity"] == "ok" and findings["edgekit"]["found"] == "provisioned"


def test_nothing_was_changed_by_looking(device, fleet) -> None:
    """A doctor who leaves files behind is not let in twice."""
    device.run(["touch", "/tmp/before"])
    time.sleep(0.1)
    found(fleet, device.name)
    folders = ["/etc", "/home", "/opt", "/usr", "/var/lib"]
    assert device.run(["find", *folders, "-newer", "/tmp/before", "-type", "f"]).stdout == ""


def test_device_that_is_off_is_unreachable_and_nothing_else(device, fleet) -> None:
    """It ends within the time limit of a connection, with an exit code of its own."""
    device.power_off()
    began_s = time.monotonic()
    result = doctor(fleet, "--device", device.name)
    assert time.monotonic() - began_s < 15.0
    device.power_on()
    assert result.exit_code == 9 and "unreachable" in result.stdout
