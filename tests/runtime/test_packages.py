"""Packages are found without importing them, in every form in which TensorRT is installed."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.packages import distribution_version, find_tensorrt, opencv_version

# The lines around the version in JetPack's Debian package and in the wheels of 8.5.2; importing it must not happen.
OWN_VERSION = 'raise ImportError("imported")\nfrom .tensorrt import *\n\n__version__ = "8.5.2.2"\n'
# In later wheels, such as 8.6.1 and 10.3.0, `tensorrt` takes all from `tensorrt_bindings`.
FORWARDING = "from tensorrt_bindings import *\n"
BINDINGS = 'raise ImportError("imported")\nfrom .tensorrt import *\n\n__version__ = "10.3.0"\n'


def make_package(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text)


def make_metadata(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_jetpacks_package_says_its_version_itself(tmp_path) -> None:
    """JetPack installs a folder in dist-packages; a probe that misses it would call a Jetson broken."""
    make_package(tmp_path, "tensorrt", OWN_VERSION)
    found = find_tensorrt([str(tmp_path)])
    assert found is not None
    assert (found.version, found.folder) == ("8.5.2.2", str(tmp_path / "tensorrt"))


def test_wheels_in_two_parts_say_it_in_the_second(tmp_path) -> None:
    """tensorrt, tensorrt_bindings and tensorrt_libs are three packages since 8.6."""
    make_package(tmp_path, "tensorrt", FORWARDING)
    make_package(tmp_path, "tensorrt_bindings", BINDINGS)
    found = find_tensorrt([str(tmp_path)])
    assert found is not None and found.version == "10.3.0"


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt-cu12", "tensorrt-cu13"])
def test_metadata_is_asked_where_the_text_is_silent(tmp_path, name: str) -> None:
    """A later release may write its version another way."""
    make_package(tmp_path, "tensorrt", "from .version import *\n")
    make_metadata(tmp_path, name, "10.16.1.11")
    found = find_tensorrt([str(tmp_path)])
    assert found is not None and found.version == "10.16.1.11"


def test_the_copy_that_would_be_imported_counts(tmp_path) -> None:
    """Metadata of another copy would give an engine key that the loaded library contradicts."""
    make_package(tmp_path / "first", "tensorrt", OWN_VERSION)
    make_package(tmp_path / "second", "tensorrt", BINDINGS)
    make_metadata(tmp_path / "second", "tensorrt", "10.3.0")
    found = find_tensorrt([str(tmp_path / "first"), str(tmp_path / "second")])
    assert found is not None and found.version == "8.5.2.2"


def test_a_folder_of_that_name_is_no_package(tmp_path) -> None:
    """A clone of the sources, or a folder of libraries, in the current folder."""
    (tmp_path / "tensorrt").mkdir()
    make_metadata(tmp_path, "tensorrt", "10.3.0")
    assert find_tensorrt([str(tmp_path)]) is None


def test_a_package_without_a_version_is_an_error(tmp_path) -> None:
    """A key with a made-up version would let engines of another release in."""
    make_package(tmp_path, "tensorrt", "\n")
    with pytest.raises(DeviceError, match="does not say which version"):
        find_tensorrt([str(tmp_path)])


def test_opencvs_wheel_says_its_version_in_a_file(tmp_path) -> None:
    """Importing it took two thirds of a probe's time."""
    make_package(tmp_path, "cv2", 'raise ImportError("imported")\n')
    (tmp_path / "cv2/version.py").write_text('opencv_version = "4.10.0.84"\ncontrib = False\n')
    assert opencv_version(tmp_path, [str(tmp_path)]) == "4.10.0.84"


def test_jetpacks_opencv_says_it_in_the_names_of_its_libraries(tmp_path) -> None:
    """Its Debian package has neither a version file nor metadata of pip; other libraries are no sign of a package."""
    libraries = tmp_path / "usr/lib/aarch64-linux-gnu"
    libraries.mkdir(parents=True)
    for name in ("libopencv_core.so.4.5.4", "libopencv_core.so.4.5"):
        (libraries / name).touch()
    packages = tmp_path / "usr/lib/python3.8/dist-packages"
    assert opencv_version(tmp_path, [str(tmp_path)]) is None
    make_package(packages, "cv2", 'raise ImportError("imported")\n')
    assert opencv_version(tmp_path, [str(packages)]) == "4.5.4"


@pytest.mark.parametrize("name", ["onnxruntime", "numpy", "PyYAML"])
def test_versions_are_those_that_pip_tells(name: str) -> None:
    """The name of a folder is read instead of the file in it; the two must agree on a real installation."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    assert distribution_version([name]) == version
