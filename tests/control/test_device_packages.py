"""A device gets what its system lacks, and nothing in the place of what JetPack brought."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.control.device_packages import packages_for, refuse_without_cuda
from edgekit.errors import DeviceError, UsageError
from tests.devices_told import orin_nano, xavier_nx


def names(facts, *, processor=False):
    return {package.name for package in packages_for(facts, processor=processor).packages}


def python_packages(*rows):
    return {"distributions": "".join(f"{name}\t{version}\t{folder}\n" for name, version, folder in rows)}


def test_a_jetson_gets_pycuda_and_what_that_needs():
    assert {"pip", "pycuda", "pytools", "setuptools"} <= names(orin_nano())
    assert not {name for name in names(orin_nano()) if "opencv" in name}


def test_the_systems_numpy_is_kept_where_it_will_do():
    """JetPack's cv2 was built against it."""
    folder = "/usr/lib/python3/dist-packages"
    assert "numpy" not in names(orin_nano(**python_packages(("numpy", "1.21.5", folder))))
    assert "numpy" in names(xavier_nx(**python_packages(("numpy", "1.17.4", folder))))
    assert "numpy" in names(orin_nano(**python_packages(("numpy", "2.1.0", folder))))


def test_a_second_numpy_of_the_system_that_may_come_first_counts_too():
    local = "/usr/local/lib/python3.10/dist-packages"
    both = python_packages(("numpy", "1.21.5", "/usr/lib/python3/dist-packages"), ("numpy", "2.1.0", local))
    assert "numpy" in names(orin_nano(**both))


def test_a_numpy_of_the_user_does_not_count():
    """Device code runs with -s, and the service as another user."""
    folder = f"{Path.home()}/.local/lib/python3.10/site-packages"
    assert "numpy" in names(orin_nano(**python_packages(("numpy", "1.26.4", folder))))


def test_no_opencv_is_put_over_the_systems():
    """Not even on a board whose processor is to run the engines: cameras need its GStreamer."""
    assert "opencv-python-headless" not in names(orin_nano(), processor=True)
    assert "opencv-python-headless" in names(orin_nano(opencv=""), processor=True)


def test_equal_devices_share_an_environments_name_and_what_was_compiled():
    one, other = (packages_for(orin_nano(), processor=False) for _ in range(2))
    assert (one.name, one.key) == (other.name, other.key)
    assert one.key.startswith("jetpack6.2.2-cuda12")


def test_another_jetpack_is_another_environment():
    """pycuda of CUDA 11.4 does not load with 12.6."""
    nano, xavier = packages_for(orin_nano(), processor=False), packages_for(xavier_nx(), processor=False)
    assert nano.key != xavier.key
    assert nano.name != xavier.name


def test_what_compiles_is_apart_from_what_it_is_compiled_in():
    packages = packages_for(orin_nano(), processor=False)
    assert [package.name for package in packages.compiled] == ["pycuda"]
    assert "pycuda" not in {package.name for package in packages.ready_made.packages}
    assert packages.ready_made.name != packages.name


def test_without_cuda_the_packages_to_install_are_named():
    with pytest.raises(DeviceError, match="pycuda cannot be built here") as raised:
        refuse_without_cuda(orin_nano(cuda=""))
    assert "sudo apt install" in raised.value.hint
    refuse_without_cuda(orin_nano())


def test_a_python_that_nothing_is_locked_for_is_refused():
    with pytest.raises(UsageError, match="cp311"):
        packages_for(orin_nano(python="3.11.2"), processor=False)
