"""A device is examined where it can be reached, and not reaching it is the first thing that is said."""

from __future__ import annotations

import socket

import pytest

from edgekit.control.device_doctor import check_device, examine_device, examine_fleet, merge, wanted_of
from edgekit.control.inventory import inventory_from_yaml
from edgekit.control.local_link import LocalLink
from edgekit.control.project import Project
from edgekit.control.yaml_files import parse_yaml
from edgekit.core.checkup import SEVERITIES, Finding


def devices(project: Project, text: str):
    return inventory_from_yaml(parse_yaml(text, "devices.yaml"), project.devices_path).devices


@pytest.fixture
def project(tmp_path) -> Project:
    (tmp_path / "devices.yaml").write_text("devices: {local: {kind: local}}\n")
    return Project(tmp_path)


@pytest.fixture
def closed_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_this_machine_examines_itself(project) -> None:
    """What the host has installed says nothing about a device: its own Python is asked."""
    (local,) = devices(project, "devices: {local: {kind: local}}")
    report = examine_device(project, local)
    assert report.reachable and report.facts is None
    ranks = [SEVERITIES.index(finding.severity) for finding in report.findings]
    assert ranks == sorted(ranks) and "back end" in {finding.subject for finding in report.findings}


def test_device_code_that_does_not_run_is_a_finding(tmp_path) -> None:
    """One broken device must not hide what the doctor knows of the others."""
    (finding,) = check_device(LocalLink("pc", tmp_path, python="python2.9"))
    assert (finding.severity, finding.subject) == ("error", "device code")
    assert "python2.9" in finding.found and "devices.yaml" in finding.remedy


def test_unreachable_device_is_its_own_state_and_keeps_its_place(project, closed_port) -> None:
    """It is neither well nor ill, and the devices after it are examined all the same."""
    fleet = devices(
        project, f"devices: {{gone: {{address: 127.0.0.1, port: {closed_port}, source: /a}}, local: {{kind: local}}}}"
    )
    gone, local = examine_fleet(project, fleet, jobs=2)
    assert (gone.device, gone.reachable, local.device, local.reachable) == ("gone", False, "local", True)
    assert [(finding.severity, finding.subject) for finding in gone.findings] == [("error", "unreachable")]
    assert gone.findings[0].remedy


def test_of_two_findings_about_one_thing_the_worse_is_kept() -> None:
    """collect.py reads that TensorRT is installed; only device code finds that it does not load."""
    broken, fine = Finding("error", "TensorRT", "cannot be loaded", "reinstall"), Finding("ok", "TensorRT", "8.5.2")
    tried, hot = Finding("ok", "GPU", "Orin"), Finding("warning", "heat", "90 degrees", "a fan")
    assert set(merge([fine, hot], [broken, tried])) == {broken, tried, hot}
    assert merge([broken], [fine]) == [broken]
    assert merge([fine], [Finding("ok", "TensorRT", "8.5.2 in /usr/lib")]) == [
        Finding("ok", "TensorRT", "8.5.2 in /usr/lib")
    ]


def test_several_findings_about_one_thing_stay() -> None:
    """Two TensorRTs are two findings under one name."""
    two = [Finding("ok", "TensorRT", "8.5.2"), Finding("warning", "TensorRT", "two of them", "remove one")]
    assert sorted(merge(two, []), key=str) == sorted(two, key=str)


def test_rules_know_what_the_entry_asks_for(project) -> None:
    """A board that was limited on purpose, or that has no TensorRT on purpose, is not ill."""
    entry = "{address: a, source: /a, backend: onnxruntime, targets: {watts: 10}, tensorrt: {dla_core: 0}}"
    (device,) = devices(project, f"devices: {{nx: {entry}}}")
    wanted = wanted_of(device)
    assert (wanted.name, wanted.processor, wanted.power_limited, wanted.dla) == ("nx", True, True, True)
