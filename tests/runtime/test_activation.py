"""Releases on a device: assembled aside, checked, made current by one rename."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekit.core.release import RELEASE_NAME, ReleaseFile, ReleaseManifest
from edgekit.core.requests import ActivateRequest, MissingRequest, SwitchRequest
from edgekit.errors import DeployError
from edgekit.runtime.activation import activate, find_missing, switch
from edgekit.runtime.store import Store

SERVICE = "street"


def manifest_of(content, counter=1):
    files = [ReleaseFile(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in sorted(content.items())]
    return ReleaseManifest("edgekit", SERVICE, {"engine_key": "k"}, counter, "roadscene", "e", tuple(files))


def send(root, content):
    incoming = Path(root) / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    for data in content.values():
        (incoming / hashlib.sha256(data).hexdigest()).write_bytes(data)


def quiet(what, done, total):
    pass


def put(root, content):
    manifest = manifest_of(content)
    send(root, content)
    return activate(ActivateRequest(str(root), manifest), quiet)


OLD = {"code/a.py": b"old", "settings.json": b"{}"}
NEW = {"code/a.py": b"new", "settings.json": b"{}"}


def test_a_release_becomes_current_with_all_its_files(tmp_path):
    """Lost: the deployment itself."""
    answer = put(tmp_path, OLD)
    current = tmp_path / "current" / SERVICE
    assert answer.changed and answer.previous_release_id == ""
    assert {path: (current / path).read_bytes() for path in OLD} == OLD
    assert (current / RELEASE_NAME).is_file()
    assert not list((tmp_path / "incoming").iterdir())


def test_the_same_release_again_changes_nothing(tmp_path):
    """Lost: a no-change deploy that leaves the service alone."""
    first = put(tmp_path, OLD)
    again = put(tmp_path, OLD)
    assert (again.release_id, again.changed) == (first.release_id, False)


def test_only_changed_objects_must_be_sent(tmp_path):
    """Lost: bandwidth on a cellular link."""
    put(tmp_path, OLD)
    answer = find_missing(MissingRequest(str(tmp_path), manifest_of(NEW).files), quiet)
    assert answer.sha256 == (hashlib.sha256(b"new").hexdigest(),)


def test_an_engine_that_is_on_the_device_does_not_travel(tmp_path):
    """Engines are built on the device; sending them back would double the time."""
    engine = tmp_path / "engines" / "e1" / "engine.onnx"
    engine.parent.mkdir(parents=True)
    engine.write_bytes(b"plan")
    content = {**OLD, "engine/engine.onnx": b"plan"}
    missing = find_missing(MissingRequest(str(tmp_path), manifest_of(content).files), quiet)
    assert hashlib.sha256(b"plan").hexdigest() not in missing.sha256
    send(tmp_path, OLD)
    activate(ActivateRequest(str(tmp_path), manifest_of(content)), quiet)
    assert (tmp_path / "current" / SERVICE / "engine" / "engine.onnx").read_bytes() == b"plan"


@pytest.mark.parametrize("fault", ["absent", "altered"])
def test_a_file_that_did_not_arrive_whole_keeps_the_old_release(tmp_path, fault):
    """Lost: the promise that a broken transfer harms nobody."""
    before = put(tmp_path, OLD)
    if fault == "altered":
        send(tmp_path, NEW)
        (tmp_path / "incoming" / hashlib.sha256(b"new").hexdigest()).write_bytes(b"n3w")
    with pytest.raises(DeployError, match="code/a.py"):
        activate(ActivateRequest(str(tmp_path), manifest_of(NEW)), quiet)
    assert Store(str(tmp_path)).current_release_id(SERVICE) == before.release_id
    assert (tmp_path / "current" / SERVICE / "code" / "a.py").read_bytes() == b"old"


def test_a_release_edited_in_place_is_mended(tmp_path):
    """Someone edits a file on the device; the next deploy must not trust it, nor the object it is linked to."""
    put(tmp_path, OLD)
    (tmp_path / "current" / SERVICE / "code" / "a.py").write_bytes(b"bad")
    put(tmp_path, OLD)
    assert (tmp_path / "current" / SERVICE / "code" / "a.py").read_bytes() == b"old"


def test_switching_back_needs_no_files(tmp_path):
    """Lost: the way back when the new release is sick."""
    old = put(tmp_path, OLD)
    put(tmp_path, NEW)
    answer = switch(SwitchRequest(str(tmp_path), SERVICE, old.release_id), quiet)
    assert answer.changed
    assert (tmp_path / "current" / SERVICE / "code" / "a.py").read_bytes() == b"old"


def test_switching_to_an_unknown_release_is_refused(tmp_path):
    """Lost: `current` pointing nowhere."""
    put(tmp_path, OLD)
    with pytest.raises(DeployError, match="not on the device"):
        switch(SwitchRequest(str(tmp_path), SERVICE, "f" * 16), quiet)


def test_two_deployments_at_once_do_not_mix(tmp_path):
    """The second is told who holds the device."""
    put(tmp_path, OLD)
    with (tmp_path / "deploy.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DeployError, match=r"under way \(process \d+\)"):
            put(tmp_path, NEW)


@pytest.mark.parametrize("path", ["../escape", "/etc/passwd", "a/../../b", ".hidden", "a//b", "a\\b", ""])
def test_a_release_cannot_write_outside_its_folder(path):
    """Lost: the device, to a forged manifest."""
    with pytest.raises(ValueError, match="plain relative path"):
        ReleaseFile(path, 1, "0" * 64)


_ACTIVATE_FOR_EVER = """
import sys
sys.path.insert(0, {tests!r}); sys.path.insert(0, {repo!r})
import test_activation as t
from pathlib import Path
print("ready", flush=True)
while True:
    t.put(Path({root!r}), t.NEW)
    t.put(Path({root!r}), t.OLD)
"""


def test_killed_at_any_moment_the_device_has_a_whole_release(tmp_path):
    """Twenty SIGKILLs at odd moments; after each one `current` is OLD or NEW, complete."""
    put(tmp_path, OLD)
    here = Path(__file__).resolve()
    script = _ACTIVATE_FOR_EVER.format(tests=str(here.parent), repo=str(here.parents[2]), root=str(tmp_path))
    for turn in range(20):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.0037 * turn)
            os.kill(process.pid, signal.SIGKILL)
        current = tmp_path / "current" / SERVICE
        content = {path: (current / path).read_bytes() for path in OLD}
        assert content in (OLD, NEW)
    put(tmp_path, NEW)
    assert (tmp_path / "current" / SERVICE / "code" / "a.py").read_bytes() == b"new"
