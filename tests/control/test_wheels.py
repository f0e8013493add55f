"""Packages for devices are exactly those that were locked, and fetched once."""

from __future__ import annotations

import itertools

import pytest

from edgekit.control import wheels
from edgekit.control.wheels import MACHINES, SETS, TAGS, cache_folder, fetch, parse_lock, python_tag, read_lock
from edgekit.errors import DeviceError, UsageError
from tests.made_up_packages import sources, wheel

LOCKS = list(itertools.product(TAGS, MACHINES, SETS))


def versions(tag, machine, name):
    return {package.name: package.version for package in read_lock(tag, machine, name)}


@pytest.mark.parametrize(("tag", "machine", "name"), LOCKS)
def test_there_is_a_lock_for_every_jetpack_and_processor(tag, machine, name):
    """pip comes along, for a device's system has none."""
    locked = versions(tag, machine, name)
    assert {"pip", "numpy"} <= set(locked)
    assert ("onnxruntime" in locked) == (name == "onnxruntime")


@pytest.mark.parametrize(("tag", "name"), list(itertools.product(TAGS, SETS)))
def test_both_processors_get_the_same_versions(tag, name):
    """What is tested on a virtual device is what a Jetson runs."""
    assert versions(tag, "aarch64", name) == versions(tag, "x86_64", name)


@pytest.mark.parametrize("tag", TAGS)
def test_nothing_is_put_over_jetpacks_opencv_and_tensorrt(tag):
    """The wheels on the public index have no GStreamer: no cameras."""
    locked = versions(tag, "aarch64", "jetson")
    assert not [name for name in locked if name.startswith(("opencv", "tensorrt"))]
    assert locked["numpy"].startswith("1.")


def test_jetpack_5_gets_a_numpy_that_its_tensorrt_bears():
    """TensorRT 8.5 names numpy.bool, which is gone since 1.24."""
    assert versions("cp38", "aarch64", "jetson")["numpy"].startswith("1.23.")


def test_an_unknown_python_is_refused_with_what_there_is():
    with pytest.raises(UsageError, match="cp39 on aarch64"):
        read_lock("cp39", "aarch64", "jetson")
    assert python_tag((3, 10, 12)) == "cp310"


@pytest.mark.parametrize("line", ["numpy", "numpy==1.0", "numpy==1.0 --hash=md5:00", "-r other.txt", "numpy==1.0 ; x"])
def test_a_line_without_a_version_and_digest_is_no_lock(line):
    with pytest.raises(UsageError, match="not a locked package"):
        parse_lock(f"# head\n{line}\n", "lock.txt")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip fetches from, instead of the network."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_packages_are_fetched_once(index, tmp_path):
    package = wheel(index)
    first = fetch([package], "cp38", "aarch64", cache=tmp_path)
    (index / "tiny-1.0-py3-none-any.whl").unlink()
    assert fetch([package], "cp38", "aarch64", cache=tmp_path) == first
    assert first["tiny"].name == "tiny-1.0-py3-none-any.whl"


def test_a_damaged_file_in_the_cache_is_fetched_again(index, tmp_path):
    package = wheel(index)
    path = fetch([package], "cp38", "aarch64", cache=tmp_path)["tiny"]
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert fetch([package], "cp38", "aarch64", cache=tmp_path)["tiny"].read_bytes() == content


def test_another_file_under_the_same_name_is_refused(index, tmp_path):
    """A mirror that was tampered with does not reach a device."""
    package = wheel(index)
    (index / "tiny-1.0-py3-none-any.whl").write_bytes(b"PK something else")
    with pytest.raises(DeviceError, match="could not fetch"):
        fetch([package], "cp38", "aarch64", cache=tmp_path)


def test_sources_are_read_with_the_build_system_of_the_lock_alone(index, tmp_path):
    """pip would fetch the newest build system otherwise, past all digests."""
    packages = [sources(index), wheel(index, "setuptools"), wheel(index, "wheel")]
    found = fetch(packages, "cp38", "aarch64", cache=tmp_path)
    assert found["pycuda"].name == "pycuda-1.0.tar.gz"


def test_the_cache_is_where_caches_belong(tmp_path):
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "edgekit"
    assert cache_folder({}).parts[-2:] == (".cache", "edgekit")


def test_the_command_for_machines_without_network_later(index, tmp_path, monkeypatch, capsys):
    """`make lab` has no network once it runs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    package = wheel(index)
    monkeypatch.setattr(wheels, "read_lock", lambda *words: (package,))
    assert wheels.main(["fetch", "cp38", "x86_64", "onnxruntime"]) == 0
    assert "1 packages" in capsys.readouterr().out
    assert wheels.main(["fetch"]) == UsageError.exit_code
