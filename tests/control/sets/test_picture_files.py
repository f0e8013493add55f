"""Files that are no pictures for a set are known before they are decoded, and named with the reason."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from edgekit.control.sets.picture_files import examine, examine_all


def quiet(what, done, total):
    """Progress that nobody watches."""


def png_claiming(width, height):
    """A PNG whose header claims a size; its body is nothing like it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def save(path, width=96, height=64, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def test_a_picture_has_its_digest_and_hash(tmp_path):
    found = examine(save(tmp_path / "a.png"))
    assert (len(found.sha256), len(found.hash), found.problem) == (64, 16, "")


@pytest.mark.parametrize(
    ("size", "said"),
    [((65535, 65535), "megapixels"), ((12000, 12000), "12000x12000"), ((40, 63), "40x63 px: below 64")],
)
def test_a_size_that_cannot_be_used_is_read_from_the_header(tmp_path, size, said):
    """65,535 x 65,535 px would take 12 GiB before anyone could say that it is no picture."""
    path = tmp_path / "claims.png"
    path.write_bytes(png_claiming(*size))
    assert said in examine(path).problem


def test_a_hostile_header_costs_no_memory(tmp_path):
    """Measured in a process of its own, by its peak of memory."""
    path = tmp_path / "claims.png"
    path.write_bytes(png_claiming(65535, 65535))
    script = "import sys; from pathlib import Path; from edgekit.control.sets.picture_files import examine\n"
    script += "import cv2, PIL.Image; import resource\n"
    script += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    script += "assert examine(Path(sys.argv[1])).problem\n"
    script += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 50 << 20


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + bytes(50), png_claiming(100, 100)[:40]]
)
def test_what_cannot_be_read_is_said(tmp_path, content):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    found = examine(path)
    assert found.problem
    assert (found.sha256, found.hash) == ("", "")


def test_a_thin_strip_is_a_picture(tmp_path):
    """Only the longer side is asked for: line cameras exist."""
    assert examine(save(tmp_path / "strip.png", 200, 20)).problem == ""


def test_a_picture_is_read_again_only_if_it_changed(tmp_path):
    paths = [save(tmp_path / f"{number}.png", seed=number) for number in range(3)]
    first = examine_all("yard", paths, tmp_path / "cache", quiet)
    read = []
    assert examine_all("yard", paths, tmp_path / "cache", lambda *told: read.append(told)) == first
    assert read == []
    save(paths[1], seed=9)
    again = examine_all("yard", paths, tmp_path / "cache", lambda *told: read.append(told))
    assert len(read) == 1
    assert again[paths[1]] != first[paths[1]]


@pytest.mark.parametrize("damage", ["{", "[]", '{"x": 1}', ""])
def test_a_damaged_memory_is_no_more_than_forgotten(tmp_path, damage):
    paths = [save(tmp_path / "a.png")]
    first = examine_all("yard", paths, tmp_path / "cache", quiet)
    (tmp_path / "cache/yard.pictures.json").write_text(damage)
    assert examine_all("yard", paths, tmp_path / "cache", quiet) == first
