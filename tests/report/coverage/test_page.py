"""The page of a set's coverage: one file, both languages, every stratum in words, nothing unescaped."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from edgekit.core.coverage import Coverage, CoveragePictures, MapPoint, cover
from edgekit.core.strata import AXES
from edgekit.report.coverage.page import render_coverage, thumbnail
from edgekit.report.coverage.texts import coverage_text, stratum_text
from tests.report.test_browser import CHROMIUM, look

STAMP = "2026-11-20T21:00:00Z"
DAY = ("light:day", "weather:clear", "class:car", "objects:few")
NIGHT = ("light:night", "weather:clear", "glare:glare", "tag:<rain>")


def coverage(reference=True, **given):
    rows = cover([DAY] * 40, [DAY] * 20 + [NIGHT] * 5 if reference else None, ("car", "bus"))
    facts = {
        "detector": "tiny",
        "reference": "field" if reference else "",
        "reference_pictures": 25 if reference else 0,
    }
    return Coverage("yard & co", "ab" * 32, 40, rows, **{**facts, **given})


def pictures(path, *, twins=()):
    examples = {"light:day": (path,) * 4, "light:night": (path,) * 4}
    points = tuple(
        MapPoint(number / 30, 0.5, ("day", "dusk", "night")[number % 3], number > 20) for number in range(30)
    )
    return CoveragePictures(examples, ("light:night",), twins, points)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.jpg"
    pixels = np.random.default_rng(0).integers(0, 255, (9, 16, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(pixels, (640, 360)))
    return str(path)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_names_what_is_missing_and_fetches_nothing(picture, lang):
    page = render_coverage(coverage(), pictures(picture), created_utc=STAMP, lang=lang)
    assert coverage_text(lang, "colon").join(stratum_text(lang, "light:night")) in page
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert page.count("data:image/jpeg") == 8
    assert coverage_text(lang, "borrowed", reference="field") in page


def test_names_from_files_are_text_not_markup(picture):
    """Tags are words of whoever wrote set.yaml."""
    page = render_coverage(coverage(skipped=("<img src=x>: unreadable",)), pictures(picture), created_utc=STAMP)
    assert "<rain>" not in page
    assert "&lt;rain&gt;" in page
    assert "<img src=x>" not in page
    assert "yard &amp; co" in page


def test_every_stratum_has_words_in_both_languages():
    """A stratum added to AXES without a name would stop the page of every set."""
    for axis, names in AXES.items():
        for name in names:
            for lang in ("en", "zh"):
                assert all(stratum_text(lang, f"{axis}:{name}"))


def test_without_reference_pictures_or_near_duplicates_those_parts_are_left_out():
    bare = CoveragePictures({}, (), (), ())
    page = render_coverage(coverage(reference=False, detector=""), bare, created_utc=STAMP)
    assert coverage_text("en", "map") not in page
    assert coverage_text("en", "examples") not in page
    assert coverage_text("en", "near_duplicates") not in page
    assert coverage_text("en", "seen_by_nobody") in page


def test_near_duplicates_are_shown_side_by_side(picture):
    both = coverage(near_duplicates=(("a.jpg", "b.jpg"),) * 50)
    page = render_coverage(both, pictures(picture, twins=((picture, picture),)), created_utc=STAMP)
    assert "a.jpg · b.jpg" in page
    assert coverage_text("en", "and_more", count=10) in page


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_picture_that_vanished_leaves_a_gap_not_an_error(tmp_path, content):
    path = tmp_path / "gone.jpg"
    if content is not None:
        path.write_bytes(content)
    assert thumbnail(str(path)) is None
    assert "<!doctype html>" in render_coverage(coverage(), pictures(str(path)), created_utc=STAMP)


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 1100])
def test_a_phone_and_a_desk_show_the_page_without_scrolling_sideways(tmp_path, picture, lang, width):
    long = "a-tag-with-a-name-that-nobody-would-choose-but-somebody-will"
    rows = cover([(*DAY, f"tag:{long}")] * 40, [DAY] * 20 + [NIGHT] * 5, ("car",))
    full = Coverage(long, "ab" * 32, 40, rows, (("a.jpg", "b.jpg"),), (long * 3,), "tiny", long, 25)
    page = render_coverage(full, pictures(picture, twins=((picture, picture),)), created_utc=STAMP, lang=lang)
    found = look(tmp_path, page, width)
    assert found.group(1, 3, 4) == (str(width), "", "0")
    assert int(found.group(2)) > 1000
