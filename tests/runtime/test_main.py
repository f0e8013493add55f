"""The device's end of the protocol, as the host sees it: a real process, JSON lines, exit codes."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import cv2
import numpy as np
import pytest

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.core.tensors import ShapeProfile
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import BuildError, ModelError, UsageError, error_from_dict
from edgekit.files import sha256_file, write_json
from edgekit.runtime import __main__ as program
from edgekit.runtime.probe import probe_device
from tests.onnx_models import LABELS, SIDE, save_yolov8

ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "edgekit.runtime", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


def ask(*arguments: str, stdin: str = ""):
    process = start(*arguments)
    out, err = process.communicate(stdin, timeout=60)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err


def build_request(folder: Path, precision: str = "fp32", pictures: int = 0) -> BuildRequest:
    model = save_yolov8(folder / "model.onnx")
    detector = DetectorSpec(
        "tiny", sha256_file(model), InputSpec("images"), ShapeProfile.fixed(1, SIDE, SIDE), "yolov8", LABELS
    )
    calibration = folder / "set"
    calibration.mkdir()
    cv2.imwrite(str(folder / "one.png"), np.zeros((64, 64, 3), np.uint8))
    for index in range(pictures):
        (calibration / f"{index:05}.png").symlink_to(folder / "one.png")
    return BuildRequest(
        detector,
        precision,
        probe_device().engine_key,
        str(model),
        str(folder / "engines"),
        calibration_dir=str(calibration),
        calibration_sha256="0" * 64,
    )


def test_probe_answers_with_a_profile() -> None:
    """The first thing the host asks of any device."""
    code, events, _ = ask("probe")
    assert (code, [event["event"] for event in events]) == (0, ["result"])
    assert from_wire(DeviceProfile, events[0]["result"]).backend == "onnxruntime"


@pytest.mark.parametrize("way", ["file", "stdin"])
def test_build_reports_progress_and_ends_with_the_manifest(tmp_path, way: str) -> None:
    """Over SSH the request comes on standard input, for debugging from a file."""
    request = build_request(tmp_path)
    write_json(tmp_path / "request.json", to_wire(request))
    if way == "file":
        code, events, _ = ask("build", str(tmp_path / "request.json"))
    else:
        code, events, _ = ask("build", "-", stdin=json.dumps(to_wire(request)))
    assert code == 0
    assert {"progress"} == {event["event"] for event in events[:-1]}
    assert request.engine_id == from_wire(EngineManifest, events[-1]["result"]).engine_id


def test_error_travels_with_its_kind_and_exit_code(tmp_path) -> None:
    """The host raises the same error, so that people read one message wherever it arose."""
    code, events, _ = ask("build", "-", stdin=json.dumps(to_wire(build_request(tmp_path, "fp16"))))
    error = error_from_dict(events[-1]["error"])
    assert (BuildError, BuildError.exit_code) == (type(error), code)
    (tmp_path / "model.onnx").write_bytes(b"")
    request = dict(to_wire(build_request_again(tmp_path)))
    code, events, _ = ask("build", "-", stdin=json.dumps(request))
    assert (ModelError, ModelError.exit_code) == (type(error_from_dict(events[-1]["error"])), code)


def build_request_again(folder: Path) -> BuildRequest:
    model = folder / "model.onnx"
    detector = DetectorSpec(
        "tiny", sha256_file(model), InputSpec("images"), ShapeProfile.fixed(1, SIDE, SIDE), "yolov8", LABELS
    )
    return BuildRequest(detector, "fp32", probe_device().engine_key, str(model), str(folder / "engines"))


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ([], "", "verbs: probe, visit, prepare, build"),
        (["fly"], "", "unknown request: fly"),
        (["build", "missing.json"], "", "cannot be read"),
        (["build", "-"], "{", "not JSON"),
        (["build", "-"], "{}", "request.detector: missing"),
        (["probe", "-"], '{"disc_of": "/"}', "request.disc_of: unknown field"),
        (["probe", "disk_of=/", "all"], "", "expected KEY=VALUE words"),
        (["probe", "a.json", "b.json"], "", "one request at a time"),
    ],
    ids=["nothing", "unknown verb", "no file", "half JSON", "empty", "unknown field", "no words", "two files"],
)
def test_wrong_requests_are_usage_errors(arguments: List[str], stdin: str, message: str) -> None:
    """A host of another version must get a sentence, not a traceback."""
    code, events, err = ask(*arguments, stdin=stdin)
    error = error_from_dict(events[-1]["error"])
    assert isinstance(error, UsageError) and message in str(error)
    assert (code, err) == (2, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_signal_ends_a_build_with_130_and_nothing_left(tmp_path, number: signal.Signals) -> None:
    """Ctrl-C on the host, a reboot, or a lost SSH connection during calibration."""
    process = start("build", "-")
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(to_wire(build_request(tmp_path, "int8", pictures=5000))))
    process.stdin.close()
    for line in process.stdout:
        event: Dict[str, Any] = json.loads(line)
        if event.get("what") == "calibrating" and event["done"] >= 3:
            break
    process.send_signal(number)
    process.stdout.read()
    assert process.wait(30) == 130
    assert [path.name for path in (tmp_path / "engines").iterdir()] == [".build.lock"]
    process.stdout.close()
    process.stderr.close()  # type: ignore[union-attr]


def test_host_that_goes_away_ends_a_build_with_nothing_left(tmp_path) -> None:
    """Nobody would ever read the answer."""
    process = start("build", "-")
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(json.dumps(to_wire(build_request(tmp_path, "int8", pictures=5000))))
    process.stdin.close()
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 130
    assert "Exception" not in process.stderr.read()
    assert [path.name for path in (tmp_path / "engines").iterdir()] == [".build.lock"]
    process.stderr.close()


def test_unexpected_failure_is_a_device_error_with_its_last_line(monkeypatch, capsys) -> None:
    """The host shows one line; the traceback is for the log."""

    def fail(request: Any, on_progress: Any) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("edgekit.runtime.probe.run_probe", fail)
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)
    code = program.main(["probe"])
    out, err = capsys.readouterr()
    event = json.loads(out)
    assert (code, event["error"]["kind"]) == (9, "DeviceError")
    assert "ZeroDivisionError: a fault" in event["error"]["what"]
    assert "Traceback" in err


@pytest.mark.parametrize("name", sorted(program.VERBS))
def test_every_verb_leads_to_a_function(name: str) -> None:
    """They are imported when asked for, so a misspelt one would show up on a device first."""
    verb = program.VERBS[name]
    assert callable(program.resolve(verb.function))
    assert dataclasses.is_dataclass(program.resolve(verb.request))


def test_a_unit_file_writes_a_request_as_words() -> None:
    """systemd starts `reconcile root=/opt/edgekit service=street`; there is nobody to write JSON to it."""
    code, events, _ = ask("probe", "disk_of=/")
    assert (code, from_wire(DeviceProfile, events[0]["result"]).backend) == (0, "onnxruntime")


def test_events_stay_out_of_a_journal(tmp_path) -> None:
    """Under systemd standard output is what `edgekit logs` shows; lines for a host would bury the words for people."""
    with (tmp_path / "journal").open("w+") as journal:
        status = os.fstat(journal.fileno())
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        command = [sys.executable, "-m", "edgekit.runtime", "settle", f"root={tmp_path}", "service=NO NAME"]
        done = subprocess.run(command, env=environment, stdout=journal, stderr=subprocess.PIPE, check=False)
        journal.seek(0)
        assert (journal.read(), done.returncode) == ("", 8)
        assert b"'NO NAME' is no service name" in done.stderr


def test_a_visit_imports_nothing_that_takes_long() -> None:
    """It begins every deployment, on boards where numpy alone takes half a second."""
    command = [sys.executable, "-X", "importtime", "-m", "edgekit.runtime", "visit", "root=/nowhere"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    names = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}
    assert {"edgekit.runtime.probe", "edgekit.runtime.services"} <= names
    assert not names & {"numpy", "cv2", "onnxruntime", "onnx", "pydantic", "asyncio"}
