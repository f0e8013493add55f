"""Pictures are read the same everywhere, and a hostile file cannot fill the memory."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit.runtime.pictures import list_pictures, picture_size, read_picture

FRAME = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_size_is_known_before_decoding(suffix: str) -> None:
    """This is what keeps a 10 kB file from becoming 30 GB of pixels."""
    content = cv2.imencode(suffix, FRAME)[1].tobytes()
    assert picture_size(content) == (30, 20)


@pytest.mark.parametrize("quality", [80, 101], ids=["lossy", "lossless"])
def test_size_of_both_kinds_of_webp(quality: int) -> None:
    """They store it differently."""
    content = cv2.imencode(".webp", FRAME, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    assert picture_size(content) == (30, 20)


@pytest.mark.parametrize("cut", [0, 1, 8, 20])
def test_cut_headers_give_no_size(cut: int) -> None:
    """A truncated upload must not raise struct.error."""
    for suffix in (".png", ".jpg", ".bmp", ".webp"):
        assert picture_size(cv2.imencode(suffix, FRAME)[1].tobytes()[:cut]) is None


@pytest.mark.parametrize(
    "pixels",
    [FRAME[:, :, 0], np.dstack([FRAME, FRAME[:, :, :1]]), FRAME.astype(np.uint16) * 257],
    ids=["grey", "alpha", "16 bit"],
)
def test_every_kind_of_png_becomes_bgr_bytes(tmp_path, pixels: np.ndarray) -> None:
    """Preprocessing takes nothing else."""
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    frame = read_picture(tmp_path / "a.png")
    assert ((20, 30, 3), np.uint8) == (frame.shape, frame.dtype)


def test_huge_picture_is_refused_by_its_header(tmp_path) -> None:
    """A PNG of one colour compresses 1000 to 1."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "bomb.png").write_bytes(content)
    with pytest.raises(SourceError, match="50000x50000"):
        read_picture(tmp_path / "bomb.png")


@pytest.mark.parametrize("content", [b"", b"text", b"\xff\xd8\xff"], ids=["empty", "text", "cut"])
def test_damaged_picture_names_the_file(tmp_path, content: bytes) -> None:
    """Among 500 files it must be found."""
    (tmp_path / "broken.jpg").write_bytes(content)
    with pytest.raises(SourceError, match=r"broken\.jpg"):
        read_picture(tmp_path / "broken.jpg")


def test_folder_lists_pictures_sorted_and_nothing_else(tmp_path) -> None:
    """Answers are compared line by line between runs and devices."""
    for name in ("b.JPG", "a.png", "c.txt", "d.webp"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_pictures(tmp_path)] == ["a.png", "b.JPG", "d.webp"]


def test_folder_without_pictures_is_refused(tmp_path) -> None:
    """An accuracy over no pictures would be a number."""
    with pytest.raises(SourceError, match="no pictures"):
        list_pictures(tmp_path)
    with pytest.raises(SourceError, match="not a folder"):
        list_pictures(tmp_path / "missing")
