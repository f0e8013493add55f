"""What is installed, from the lists of a device. Version strings are those of JetPack 5 and 6 packages."""

from __future__ import annotations

import pytest

from edgekit.core.installed import (
    parse_dpkg,
    parse_interpreters,
    parse_python_packages,
    parse_tensorrt_copies,
    parse_tensorrt_libraries,
    upstream_version,
    version_numbers,
)

SYSTEM, LOCAL = "/usr/lib/python3.8/dist-packages", "/usr/local/lib/python3.8/dist-packages"


def test_only_what_is_installed_counts() -> None:
    """dpkg-query also lists what was removed or is only known, and complains between the lines."""
    text = (
        "dpkg-query: no packages found matching nvidia-jetpack\n"
        "libnvinfer8\t8.5.2-1+cuda11.4\tii \n"
        "tensorrt\t8.5.2.2-1+cuda11.4\trc \n"
        "libopencv\t\tun \n"
    )
    assert parse_dpkg(text) == {"libnvinfer8": "8.5.2-1+cuda11.4"}


@pytest.mark.parametrize(
    ("deb", "version"),
    [
        ("10.3.0.30-1+cuda12.5", "10.3.0.30"),
        ("36.5.0-20260115194252", "36.5.0"),
        ("1:1.21.5-1ubuntu22.04.1", "1.21.5"),
        ("4.8.0-1-g6371ee1", "4.8.0"),
        ("", ""),
    ],
)
def test_packaging_is_taken_off_a_version(deb: str, version: str) -> None:
    """10.3.0.30-1 built for CUDA 12.5 and for 12.6 is one TensorRT."""
    assert upstream_version(deb) == version


def test_copies_of_tensorrt_come_in_the_order_in_which_python_looks() -> None:
    """The first is the one that is loaded; the others are what confuses people."""
    other = "/usr/lib/python3.10/dist-packages"
    found = parse_tensorrt_copies(f"{SYSTEM}\t8.5.2.2\n{other}\t10.3.0\n{LOCAL}\t8.6.1\n", (LOCAL, SYSTEM))
    assert [(each.version, each.seen, each.python) for each in found] == [
        ("8.6.1", True, "3.8"),
        ("8.5.2.2", True, "3.8"),
        ("10.3.0", False, "3.10"),
    ]


def test_pips_names_are_made_alike() -> None:
    """opencv_python and opencv-python are one package, and a folder that is listed twice holds it once."""
    line = f"opencv_python\t4.10.0.84\t{LOCAL}\n"
    (found,) = parse_python_packages(line + line, (SYSTEM,))
    assert (found.name, found.seen) == ("opencv-python", False)


def test_libraries_are_told_by_their_full_names() -> None:
    """libnvinfer.so.8 is a link to libnvinfer.so.8.5.2."""
    names = ("libnvinfer.so.8.5.2", "libnvinfer.so.8", "libnvinfer_plugin.so.8.5.2", "libnvinfer.so.8.5.2")
    text = "\n".join(f"/usr/lib/aarch64-linux-gnu/{name}" for name in names)
    assert parse_tensorrt_libraries(text) == ("8.5.2",)


def test_interpreters_are_told_by_what_they_lead_to() -> None:
    """/usr/bin/python3 is a link; 3.10 is newer than 3.8."""
    text = (
        "/usr/bin/python3\t/usr/bin/python3.8\n/usr/bin/python3.10\t/usr/bin/python3.10\n/usr/bin/python3-config\t/x\n"
    )
    assert parse_interpreters(text) == ("3.8", "3.10")


def test_versions_compare_by_number() -> None:
    """As texts, 1.9 would be newer than 1.24."""
    assert version_numbers("1.24.4rc1") == (1, 24, 4) > version_numbers("1.9")
    assert version_numbers("unknown") == ()
