"""The doctor finds what will not work, says it first, and names the command that mends it."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from importlib import metadata

import pytest

from edgekit.control import doctor
from edgekit.control.doctor import (
    check_clock,
    check_disk,
    check_memory,
    check_module,
    check_python,
    examine,
    examine_project,
)
from edgekit.control.project import Project
from tests.onnx_models import save_yolov8


@pytest.fixture
def project(tmp_path):
    """A project in which all is well."""
    (tmp_path / "devices.yaml").write_text("devices: {local: {kind: local, detector: tiny}}\n")
    folder = tmp_path / "detectors/tiny"
    folder.mkdir(parents=True)
    (folder / "detector.yaml").write_text("labels: [car, person]\ncalibration: street\n")
    save_yolov8(folder / "model.onnx")
    (tmp_path / "calib_sets/street").mkdir(parents=True)
    (tmp_path / "calib_sets/street/set.yaml").write_text("scenes: {count: 300}\n")
    return Project(tmp_path)


def bad(project):
    return {finding.subject: finding for finding in examine_project(project) if finding.severity != "ok"}


def test_a_sound_project_has_no_findings(project):
    """A doctor that always complains is not listened to."""
    assert bad(project) == {}


def test_everything_wrong_has_a_remedy(project):
    (project.devices_path).write_text("devices: {local: {kind: lokal}}\n")
    findings = list(examine(project))
    assert "devices.yaml" in {finding.subject for finding in findings if finding.severity == "error"}
    assert all(finding.remedy for finding in findings if finding.severity != "ok")


def test_without_a_project_the_machine_is_still_checked():
    findings = {finding.subject: finding for finding in examine(None)}
    assert findings["project"].remedy == "edgekit init demo"
    assert findings["numpy"].severity == "ok"


def test_a_missing_model_is_an_error_only_where_a_device_uses_it(project):
    shutil.copytree(project.detectors_dir / "tiny", project.detectors_dir / "spare")
    for name in ("tiny", "spare"):
        (project.detectors_dir / name / "model.onnx").unlink()
    found = bad(project)
    assert set(found) == {"detector tiny"}
    assert found["detector tiny"].severity == "error"


def test_a_device_with_a_detector_that_is_not_there(project):
    project.devices_path.write_text("devices: {local: {kind: local, detector: gone}}\n")
    assert bad(project)["detector gone"].severity == "error"


def test_a_set_that_a_detector_names_must_exist(project):
    shutil.rmtree(project.calib_sets_dir / "street")
    assert bad(project)["set street"].severity == "error"


def test_a_wrong_set_is_an_error(project):
    (project.calib_sets_dir / "street/set.yaml").write_text("scenes: {count: 0}\n")
    assert "scenes.count" in bad(project)["set street"].found


def test_old_leftovers_are_found_and_the_remedy_removes_them(project):
    """The command that is shown must do what it says, and leave running work alone."""
    folder = project.ensure_state() / "devices/local/engines/.abc.part"
    (folder / "deep").mkdir(parents=True)
    young = project.state_dir / "young.part"
    young.touch()
    old = time.time() - 7200
    os.utime(folder, (old, old))
    finding = bad(project)["leftovers"]
    assert finding.severity == "warning"
    assert os.system(finding.remedy) == 0
    assert not folder.exists()
    assert young.exists()
    assert bad(project) == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_folder_that_cannot_be_written(project):
    project.ensure_state().chmod(0o500)
    assert bad(project)["state folder"].severity == "error"


def test_a_state_folder_whose_name_is_taken(project):
    project.state_dir.touch()
    assert bad(project)["state folder"].severity == "error"


def test_an_old_python_is_an_error():
    assert check_python((3, 8, 10)).severity == "error"
    assert check_python((3, 10, 0)).severity == "ok"


def test_a_missing_and_a_broken_package_are_told_apart(tmp_path, monkeypatch):
    """pip install mends one, --force-reinstall the other."""
    monkeypatch.setitem(doctor._MODULES, "no_such_module_here", ("no-such-dist",))
    finding = check_module("no_such_module_here")
    assert (finding.severity, finding.remedy) == ("error", "pip install no-such-dist")
    (tmp_path / "broken_module_here.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setitem(doctor._MODULES, "broken_module_here", ("broken-dist",))
    finding = check_module("broken_module_here")
    assert "libGL.so.1" in finding.found
    assert "--force-reinstall broken-dist" in finding.remedy


@pytest.mark.parametrize(("free_mib", "severity"), [(100, "error"), (1000, "warning"), (100_000, "ok")])
def test_disk_space(free_mib, severity, tmp_path):
    assert check_disk(free_mib, tmp_path).severity == severity


@pytest.mark.parametrize(
    ("text", "severity", "found"),
    [
        ("MemTotal: 8000000 kB\nMemAvailable:     512000 kB\n", "warning", "500 MiB"),
        ("MemTotal: 8000000 kB\nMemAvailable:    4096000 kB\n", "ok", "4000 MiB"),
        ("something else\n", "ok", "not measured"),
    ],
)
def test_memory(tmp_path, text, severity, found):
    """What cannot be read is not measured; it is not a fault."""
    (tmp_path / "meminfo").write_text(text)
    finding = check_memory(tmp_path / "meminfo")
    assert finding.severity == severity
    assert found in finding.found


def test_a_clock_from_before_the_installation_is_wrong():
    """A Jetson without a battery starts in 1970; its results would sort before all others."""
    assert check_clock(0.0, 1.7e9).severity == "warning"
    assert check_clock(1.7e9 + 1, 1.7e9).severity == "ok"


def test_the_packages_looked_for_are_those_that_edgekit_asks_for():
    """A package that edgekit dropped must not be missed by doctor on every new machine."""
    asked = {re.split(r"[<>=; ]", entry)[0] for entry in metadata.requires("edgekit") if "training" not in entry}
    assert {names[0] for names in doctor._MODULES.values()} <= asked
