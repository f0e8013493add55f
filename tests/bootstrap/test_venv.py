"""A device's Python environment is made without a network, is changed at once or not at all, and sees the system's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from edgekit.bootstrap import venv
from tests.made_up_packages import sources, wheel

PIP = next((Path(__file__).parents[2] / "tools").glob("pip-*.whl"))
HAS_HEADERS = (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()
EMPTY = ""  # no list of packages


class Device:
    """A device folder on this machine, and packages that were sent to it."""

    def __init__(self, folder):
        self.root, self.wheels = folder / "edgekit", folder / "wheels"
        self.root.mkdir()
        self.wheels.mkdir()
        shutil.copy(PIP, self.wheels)

    def list(self, *packages, name="requirements.txt"):
        (self.wheels / name).write_text("".join(f"{package.line}\n" for package in packages))

    def run(self, action, **words):
        request = json.dumps({"action": action, "root": str(self.root), **words})
        done = subprocess.run([sys.executable, venv.__file__, request], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def make(self, name, requirements="requirements.txt"):
        return self.run("make", name=name, wheels=str(self.wheels), requirements=requirements)

    def python(self, code):
        """What device code would print."""
        done = subprocess.run([self.root / "venv/bin/python", "-s", "-c", code], capture_output=True, text=True)
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

    @property
    def environments(self):
        return sorted(path.name for path in (self.root / "venvs").iterdir())


@pytest.fixture
def device(tmp_path):
    return Device(tmp_path)


def test_an_environment_holds_what_was_sent_and_sees_the_system(device):
    """JetPack's tensorrt and cv2 exist in the system's Python only."""
    device.list(wheel(device.wheels))
    assert device.make("a") == {"made": True}
    assert device.python("import tiny; print(tiny.version)") == "1.0"
    assert "include-system-site-packages = true" in (device.root / "venv/pyvenv.cfg").read_text()
    assert device.run("look") == {"venv": "a", "agent": ""}


def test_one_that_is_there_is_kept_as_it_is(device):
    device.make("a", EMPTY)
    before = (device.root / "venvs/a").stat().st_ino
    assert device.make("a", EMPTY) == {"made": False}
    assert (device.root / "venvs/a").stat().st_ino == before


def test_a_new_one_takes_over_at_once_and_the_one_before_stays_for_what_runs(device):
    for name in ("a", "b", "c"):
        device.make(name, EMPTY)
    assert str((device.root / "venv").readlink()) == "venvs/c"
    assert device.environments == ["b", "c"]


def test_a_package_with_another_digest_is_refused_and_the_old_environment_stays_in_use(device):
    """A damaged or foreign file must not become code that runs on every frame."""
    package = wheel(device.wheels)
    device.list(package)
    device.make("a")
    wheel(device.wheels, version="2.0")
    (device.wheels / "tiny-2.0-py3-none-any.whl").write_bytes(b"PK another")
    (device.wheels / "requirements.txt").write_text(f"tiny==2.0 --hash=sha256:{package.sha256}\n")
    assert "hash" in device.make("b")["error"]["why"].lower()
    assert device.run("look")["venv"] == "a"
    assert device.python("import tiny; print(tiny.version)") == "1.0"


def test_what_a_kill_left_behind_is_begun_anew(device):
    """The name is there only once all is written: half an environment is never used."""
    (device.root / "venvs/a.part/bin").mkdir(parents=True)
    (device.root / "venvs/a/bin").mkdir(parents=True)
    assert device.run("look")["venv"] == ""
    assert device.make("a", EMPTY) == {"made": True}
    assert device.environments == ["a"]


def test_the_users_own_pip_settings_have_no_say(device, monkeypatch):
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "0")
    monkeypatch.setenv("PIP_TARGET", str(device.root / "elsewhere"))
    device.list(wheel(device.wheels))
    device.make("a")
    assert not (device.root / "elsewhere").exists()


@pytest.mark.skipif(not HAS_HEADERS, reason="Python's headers are not installed")
def test_sources_are_compiled_with_the_cuda_compiler_first_in_the_path(device):
    """Over SSH and under systemd, PATH lacks /usr/local/cuda/bin; pycuda looks for CUDA beside nvcc."""
    device.list(sources(device.wheels), name="sources.txt")
    device.make("a", EMPTY)
    answer = device.run("build", name="a", wheels=str(device.wheels), requirements="sources.txt", path="/cuda/bin")
    assert answer["wheels"] == ["pycuda-1.0-py3-none-any.whl"]
    built = Path(answer["folder"]) / answer["wheels"][0]
    found = device.python(f"import sys; sys.path.insert(0, {str(built)!r}); import pycuda; print(pycuda.built_with)")
    assert found == "/cuda/bin"


@pytest.mark.skipif(not HAS_HEADERS, reason="Python's headers are not installed")
def test_sources_that_do_not_compile_say_why(device):
    device.list(sources(device.wheels, fails=True), name="sources.txt")
    device.make("a", EMPTY)
    answer = device.run("build", name="a", wheels=str(device.wheels), requirements="sources.txt", path="")
    assert "cuda.h: no such file" in answer["error"]["why"]
    assert "apt install" in answer["error"]["hint"]


def test_the_agent_is_turned_in_one_step(device):
    for code in ("one", "two"):
        (device.root / code).mkdir()
    assert device.run("agent", code=str(device.root / "one")) == {"changed": True}
    assert device.run("agent", code=str(device.root / "one")) == {"changed": False}
    device.run("agent", code=str(device.root / "two"))
    assert device.run("look")["agent"] == str(device.root / "two")
