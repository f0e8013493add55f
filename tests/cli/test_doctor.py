"""`edgekit doctor` exits with 1 only for what will not work."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import edgekit
from edgekit.cli.app import app
from tests.onnx_models import save_yolov8


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "devices.yaml").write_text("devices: {local: {kind: local, detector: tiny}}")
    (tmp_path / "detectors/tiny").mkdir(parents=True)
    (tmp_path / "detectors/tiny/detector.yaml").write_text("labels: [car, person]")
    save_yolov8(tmp_path / "detectors/tiny/model.onnx")
    return tmp_path


def doctor(folder, *arguments):
    return CliRunner().invoke(app, ["doctor", "--project", str(folder), *arguments])


def test_a_sound_project_exits_with_0(folder):
    result = doctor(folder)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].startswith("0 errors")


def test_an_error_comes_first_with_its_remedy_and_exits_with_1(folder):
    (folder / "detectors/tiny/model.onnx").write_bytes(b"")
    result = doctor(folder)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "detector tiny" in lines[1]
    assert lines[2].strip().startswith("try: ")


def test_a_broken_package_is_a_finding_and_not_the_end(folder, tmp_path):
    """Telling of missing and broken packages is what the doctor is for."""
    for module in ("cv2", "onnx"):
        (tmp_path / "shadow").mkdir(exist_ok=True)
        (tmp_path / f"shadow/{module}.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    (folder / "calib_sets/street").mkdir(parents=True)
    (folder / "calib_sets/street/set.yaml").write_text("scenes: {count: 3}")
    root = Path(edgekit.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "doctor", "--json", "--project", str(folder)],
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'shadow'}:{root}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert "libGL.so.1" in findings["opencv-python-headless"]["found"]
    assert "libGL.so.1" in findings["onnx"]["found"]
    assert findings["devices.yaml"]["severity"] == "ok"


def test_json_counts_the_findings(folder):
    report = json.loads(doctor(folder, "--json").stdout)
    assert report["error"] == 0
    assert report["ok"] == sum(finding["severity"] == "ok" for finding in report["findings"])


def test_an_unreachable_device_is_an_exit_code_of_its_own(folder):
    """A script that asks whether a fleet is well must not take silence for health, nor for a fault that it can mend."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    text = (
        f"devices: {{local: {{kind: local, detector: tiny}}, gone: {{address: 127.0.0.1, port: {port}, source: /a}}}}"
    )
    (folder / "devices.yaml").write_text(text)
    result = doctor(folder, "--device", "gone", "--json")
    assert result.exit_code == 9
    report = json.loads(result.stdout)
    assert [finding["subject"] for finding in report["findings"]] == ["gone: unreachable"]
    assert report["devices"] == {"gone": {"reachable": False, "facts": None}}


def test_only_the_device_that_was_named_is_checked(folder):
    """The project's own faults are not those of the device."""
    (folder / "detectors/tiny/model.onnx").write_bytes(b"")
    result = doctor(folder, "--device", "local", "--json")
    assert result.exit_code == 0, result.output
    assert all(finding["subject"].startswith("local: ") for finding in json.loads(result.stdout)["findings"])
    assert doctor(folder, "--device", "lcoal").exit_code == 2


def test_a_project_that_was_named_must_exist_but_none_is_needed(tmp_path, monkeypatch):
    """`edgekit doctor` is also the first command on a new machine."""
    assert doctor(tmp_path).exit_code == 2
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "edgekit init" in result.stdout
