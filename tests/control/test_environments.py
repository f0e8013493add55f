"""Packages reach a device, and what must be compiled is compiled once for all devices that are alike."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.control.device_packages import DevicePackages
from edgekit.control.environments import answer_of, look, make_environment, set_agent
from edgekit.control.wheels import LockedPackage
from edgekit.errors import DeviceError
from edgekit.files import sha256_file
from tests.made_up_packages import sources, wheel

PIP = next((Path(__file__).parents[2] / "tools").glob("pip-*.whl"))

needs_headers = pytest.mark.skipif(
    not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists(), reason="Python's headers are not installed"
)


class ThisMachine:
    """The part of SSHLink that is used here, with this machine in the place of the device."""

    device = "nx"

    def __init__(self, folder):
        self.root, self.scripts = str(folder), []
        folder.mkdir()

    def run_script(self, source, argument=None, **options):
        self.scripts.append(argument["action"])
        command = [sys.executable, "-c", source, json.dumps(argument)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def place(self, local):
        """A copy under the files' own names, as on a device."""
        placed = Path(self.root) / f"placed-{len(self.scripts)}"
        shutil.copytree(local, placed)
        return str(placed)

    def fetch(self, remote, local):
        shutil.copyfile(remote, local)

    def send_code(self):
        return f"{self.root}/code/abc"

    def python(self, code):
        return subprocess.check_output([f"{self.root}/venv/bin/python", "-s", "-c", code], text=True).strip()


@pytest.fixture
def cache(tmp_path):
    """A cache in which the packages lie already."""
    (tmp_path / "cache/wheels").mkdir(parents=True)
    return tmp_path / "cache"


def kept(cache, path, package):
    folder = cache / "wheels" / package.sha256
    folder.mkdir()
    shutil.copy(path, folder)
    return package


def wanted(cache, tmp_path, **options):
    """pip, a wheel and sources, as a lock would have them."""
    pip = LockedPackage("pip", PIP.name.split("-")[1], sha256_file(PIP))
    tiny, pycuda = wheel(tmp_path), sources(tmp_path, **options)
    found = ((PIP, pip), (tmp_path / "tiny-1.0-py3-none-any.whl", tiny), (tmp_path / "pycuda-1.0.tar.gz", pycuda))
    packages = tuple(kept(cache, path, package) for path, package in found)
    return DevicePackages("cp38", "aarch64", packages, key="jetpack5.1.2-cuda11.4-cp38-aarch64")


@needs_headers
def test_what_one_device_compiled_serves_the_next(tmp_path, cache):
    """pycuda takes minutes on a small board, and a compiler that most boards should not need."""
    packages = wanted(cache, tmp_path)
    one, other = ThisMachine(tmp_path / "one"), ThisMachine(tmp_path / "other")
    for device in (one, other):
        make_environment(device, packages, nvcc="/usr/local/cuda/bin/nvcc", cache=cache)
        assert device.python("import tiny, pycuda; print(pycuda.built_with)") == "/usr/local/cuda/bin"
        assert look(device)["venv"] == packages.name
    assert [device.scripts.count("build") for device in (one, other)] == [1, 0]


@needs_headers
def test_another_system_compiles_for_itself(tmp_path, cache):
    """A module built for one CUDA does not load with another."""
    packages = wanted(cache, tmp_path)
    one, other = ThisMachine(tmp_path / "one"), ThisMachine(tmp_path / "other")
    make_environment(one, packages, cache=cache)
    make_environment(other, replace(packages, key="jetpack6.2-cuda12.6-cp310-aarch64"), cache=cache)
    assert other.scripts.count("build") == 1


@needs_headers
def test_what_does_not_compile_is_told_and_changes_nothing(tmp_path, cache):
    packages = wanted(cache, tmp_path, fails=True)
    device = ThisMachine(tmp_path / "one")
    with pytest.raises(DeviceError) as raised:
        make_environment(device, packages, cache=cache)
    assert "cuda.h: no such file" in raised.value.why
    assert look(device)["venv"] != packages.name
    assert list((cache / "built").glob("**/*.whl")) == []


def test_the_agent_is_this_edgekits_code(tmp_path):
    device = ThisMachine(tmp_path / "one")
    assert set_agent(device)
    assert not set_agent(device)


def test_a_scripts_error_is_raised_with_all_its_words():
    error = {"kind": "DeviceError", "what": "no", "why": "because", "hint": "try"}
    with pytest.raises(DeviceError) as raised:
        answer_of("Welcome\n" + json.dumps({"error": error}))
    assert (raised.value.why, raised.value.hint) == ("because", "try")
