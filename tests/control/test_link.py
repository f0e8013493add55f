"""The way to a device: answers, errors and progress come through; what breaks off is explained."""

from __future__ import annotations

import hashlib
import io
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgekit.control.connect import link_to
from edgekit.control.conversation import broken_off, read_events
from edgekit.control.inventory import Device
from edgekit.control.local_link import LocalLink
from edgekit.control.project import Project
from edgekit.core.deployment import ServiceRequest, ServiceState, StateAnswer, StateRequest
from edgekit.core.device import DeviceProfile
from edgekit.errors import ConfigError, DeployError, DeviceError, OversizeError, UsageError


@pytest.fixture
def link(tmp_path):
    return LocalLink("local", tmp_path / "device")


def test_a_verb_answers_with_its_dataclass(link):
    """The whole protocol once, through a real process."""
    profile = link.call("probe", {}, DeviceProfile)
    assert profile.backend == "onnxruntime" and profile.engine_key.endswith(f"-ort{profile.backend_version}")
    answer = link.call("state", StateRequest(link.root), StateAnswer)
    assert (answer.engines, answer.services, answer.damaged) == ((), (), ())


def test_an_error_on_the_device_is_the_same_error_here(link):
    """Lost: exit codes and hints, which would all become "remote command failed"."""
    with pytest.raises(DeployError, match="no release of street") as told:
        link.call("start", ServiceRequest(link.root, "street"), ServiceState)
    assert told.value.hint == "edgekit deploy"
    with pytest.raises(UsageError, match="unknown request"):
        link.call("nonsense", {}, StateAnswer)
    with pytest.raises(ConfigError, match="request"):
        link.call("state", {"rot": "/"}, StateAnswer)


def test_progress_passes_and_what_libraries_print_does_not_disturb():
    """OpenCV and ONNX Runtime print to standard output when they please."""
    seen = []
    stream = io.BytesIO(
        b'[ WARN:0] global cap.cpp\n{"event": "progress", "what": "calibrating", "done": 3, "total": 9}\n'
        b'"text"\n{"event": "result", "result": 7}\n'
    )
    assert read_events(stream, lambda *event: seen.append(event)) == {"event": "result", "result": 7}
    assert seen == [("calibrating", 3, 9)]


@pytest.mark.parametrize("code, expected", [(-9, "ran out of memory"), (137, "ran out of memory"), (3, "last words")])
def test_a_command_that_breaks_off_is_explained(code, expected):
    """A build killed for memory on an 8 GB board is the commonest failure there is."""
    error = broken_off("build", code, ["first", "last words"])
    assert isinstance(error, DeviceError)
    assert expected in error.why


def test_a_killed_verb_is_an_error_and_leaves_no_process(link, monkeypatch):
    started = []
    real = subprocess.Popen

    def remember(*arguments, **options):
        process = real(*arguments, **options)
        started.append(process)
        threading.Thread(target=lambda: (time.sleep(0.05), os.kill(process.pid, signal.SIGKILL))).start()
        return process

    monkeypatch.setattr(subprocess, "Popen", remember)
    with pytest.raises(DeviceError, match="killed on the device"):
        link.call("state", StateRequest(link.root), StateAnswer)
    assert started[0].poll() is not None


def digests(*contents):
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


def test_delivered_files_lie_in_incoming_under_their_digest(link, tmp_path):
    """What activate and place look for; a name that promises other content would go into service."""
    files = digests(os.urandom(300_000), b"")
    (on_disk,) = digests(b"from a file")
    (tmp_path / "file").write_bytes(b"from a file")
    link.deliver({**files, on_disk: tmp_path / "file"})
    incoming = Path(link.root) / "incoming"
    assert {path.name: path.read_bytes() for path in incoming.iterdir()} == {**files, on_disk: b"from a file"}


def test_a_file_that_changes_while_it_is_sent_is_refused(link):
    (name,) = digests(b"expected")
    with pytest.raises(DeviceError, match="changed while it was sent"):
        link.deliver({name: b"another"})
    assert list((Path(link.root) / "incoming").iterdir()) == []


def test_a_file_or_a_folder_is_fetched_whole(link, tmp_path):
    with link.work_folder() as folder:
        (Path(folder) / "out").mkdir()
        (Path(folder) / "out" / "1.txt").write_text("one")
        link.fetch(f"{folder}/out", tmp_path / "here")
        link.fetch(f"{folder}/out/1.txt", tmp_path / "1.txt")
        with pytest.raises(OSError, match="No such file"):
            link.fetch(f"{folder}/none", tmp_path / "1.txt")
    assert (tmp_path / "here" / "1.txt").read_text() == (tmp_path / "1.txt").read_text() == "one"
    assert not Path(folder).exists()


@pytest.fixture
def there(tmp_path):
    """A folder of a device with three files."""
    folder = tmp_path / "there"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (folder / name).write_text(name)
    return folder


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_named_files_of_a_folder_come_and_absent_ones_are_passed_over(link, there, tmp_path):
    """A device drops frames while they are fetched: that is no error."""
    link.fetch_files(str(there), {"a.jpg": 5, "gone.jpg": 5, "c.jpg": 99}, tmp_path / "here")
    assert names_in(tmp_path / "here") == ["a.jpg", "c.jpg"]
    assert (tmp_path / "here" / "c.jpg").read_text() == "c.jpg"
    link.fetch_files(str(tmp_path / "none"), {"a.jpg": 5}, tmp_path / "here")


def test_nothing_of_a_larger_file_is_kept(link, there, tmp_path):
    """What came before it stays, and nothing after it comes."""
    with pytest.raises(OversizeError, match=r"b\.jpg has 5 bytes, expected at most 4"):
        link.fetch_files(str(there), {"a.jpg": 5, "b.jpg": 4, "c.jpg": 5}, tmp_path / "here")
    assert names_in(tmp_path / "here") == ["a.jpg"]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", ".", "", "sub/a.jpg", "a\0.jpg"])
def test_a_name_that_leads_elsewhere_is_refused(link, there, tmp_path, name):
    """Names are told by devices, and the folder beside may be anyone's."""
    (tmp_path / "secret").write_text("key")
    with pytest.raises(DeviceError, match="no plain name"):
        link.fetch_files(str(there), {"a.jpg": 5, name: 99}, tmp_path / "here")
    assert names_in(tmp_path / "here") == []


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_an_error_and_no_wait(link, there, tmp_path, make):
    """A pipe would be waited for, without an end."""
    make(there / "d.jpg")
    with pytest.raises(DeviceError, match=r"d\.jpg"):
        link.fetch_files(str(there), {"d.jpg": 5}, tmp_path / "here")


def save_script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_device_code_runs_in_the_python_that_the_entry_names(tmp_path):
    """A PC's TensorRT may belong to another Python than edgekit's own, as on a machine with Python 3.8 for it."""
    log = tmp_path / "log"
    script = save_script(
        tmp_path / "python-with-tensorrt",
        f'echo "$@" >> {shlex.quote(str(log))}; echo "$PYTHONPATH" >> {shlex.quote(str(log))}\n'
        f'exec {shlex.quote(sys.executable)} "$@"',
    )
    root = tmp_path / "device"
    link = LocalLink("pc", root, str(script))
    answer = link.call("state", StateRequest(link.root), StateAnswer)
    assert (answer.engines, answer.services, answer.damaged) == ((), (), ())
    arguments, path = log.read_text().splitlines()
    assert arguments == "-m edgekit.runtime state -"
    folder = Path(path.split(os.pathsep)[0])
    assert [child.name for child in folder.iterdir()] == ["edgekit"], "packages of this Python are no use to another"
    link.call("state", StateRequest(link.root), StateAnswer)  # and again, with the folder there


def test_a_python_that_is_not_there_names_the_line_to_correct(tmp_path):
    """Lost: a bare FileNotFoundError without the device's name."""
    with pytest.raises(DeviceError, match="no program 'python2.9'") as told:
        LocalLink("pc", tmp_path, "python2.9").call("probe", {}, DeviceProfile)
    assert told.value.hint == "correct python: of pc in devices.yaml"


@pytest.mark.parametrize(
    ("body", "said"), [("exit 0", "did not run device code"), (None, "no program that can be run")]
)
def test_a_program_that_is_no_python_names_the_line_to_correct(tmp_path, body, said):
    """/bin/true, or a script that nobody made executable: neither must look like a fault of the device."""
    script = save_script(tmp_path / "python", body or "")
    if body is None:
        script.chmod(0o644)
    with pytest.raises(DeviceError, match=said) as told:
        LocalLink("pc", tmp_path / "device", str(script)).call("probe", {}, DeviceProfile)
    assert told.value.hint == "correct python: of pc in devices.yaml"
    assert "Python of pc" in told.value.why


def test_a_python_that_breaks_off_shows_its_last_words(tmp_path):
    """Such as one without numpy."""
    script = save_script(tmp_path / "python", 'echo "No module named numpy" >&2; exit 1')
    with pytest.raises(DeviceError, match="code 1") as told:
        LocalLink("pc", tmp_path / "device", str(script)).call("probe", {}, DeviceProfile)
    assert "No module named numpy" in told.value.why


def test_a_jetson_is_reached_over_ssh_and_connected_only_when_it_is_asked(tmp_path):
    """A plan for twenty devices must not wait for the one that is off."""
    link = link_to(Project(tmp_path), Device("nx", "jetson", "roadscene", "street", "/v.mp4", address="192.0.2.1"))
    assert (link.device, link.root) == ("nx", "/opt/edgekit")
    link.close()
