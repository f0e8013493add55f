"""The page of kept frames: people look at it before they trust a batch, so it must be whole and say what is wrong."""

from __future__ import annotations

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgekit.core.collecting import REASONS, FieldHealth
from edgekit.core.field import KeptFrame, KeptObject
from edgekit.core.scene_descriptor import SceneDescriptor
from edgekit.report.field.page import FieldExample, FieldGallery, FieldPictures, FieldVerdict, render_field
from edgekit.report.field.summary import summarise_field
from edgekit.report.field.texts import field_text, reason_text
from tests.report.test_browser import CHROMIUM, look

STAMP = "2026-11-21T01:00:00Z"
DESCRIBED = SceneDescriptor(120.0, 40.0, 1.0, 1.8, 0.5, 20.0, 0.0, 0.0, 0.1)
HEALTH = FieldHealth(40, 8.5, 40, 0, 0.413, ("light:night", "weather:fog"), 600)
VERDICT = FieldVerdict(
    30, 4, "", {"dark": ("yard 0123: it is black",), "near duplicate": ("it shows what old/a does",)}
)
WHY = (
    "unreadable",
    "size",
    "digest",
    "foreign",
    "mislabelled",
    "dark",
    "duplicate",
    "near duplicate",
    "flood",
    "batch",
    "not fetched",
)


def frame(number, reasons=("far",), stream="gate", strata=("light:night", "weather:clear", "class:car"), **changes):
    kept = KeptFrame(
        f"{number:064x}",
        100_000,
        640,
        360,
        stream,
        reasons,
        strata,
        DESCRIBED,
        (KeptObject("car", 0.4, (1.0, 2.0, 30.0, 40.0)),),
        1.4,
        1_763_600_000.0 + number,
        "street",
        "0123456789abcdef",
    )
    return replace(kept, **changes)


FRAMES = [
    *(frame(number) for number in range(6)),
    *(frame(10 + number, ("uncertain", "random"), "yard", ("weather:fog",), drift=0.4) for number in range(3)),
    frame(20, ("invented",), strata=("tag:<rain>",), drift=None, blurred=2),
]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.jpg"
    pixels = np.random.default_rng(0).integers(0, 255, (9, 16, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(pixels, (640, 360)))
    return str(path)


def pictures(path, caption="yard · 2026-11-21"):
    one = (FieldExample(path, caption),)
    kept = {"far": FieldGallery(6, one * 5), "invented": FieldGallery(1, one)}
    return FieldPictures(kept, {"dark": FieldGallery(1, one)}, {"batch": FieldGallery(9, one * 2)})


def page_of(picture, *, verdict=VERDICT, frames=FRAMES, health=HEALTH, lang="en", caption="yard", device="mast-1"):
    summary = summarise_field(device, "street", frames, health)
    return render_field(summary, verdict, pictures(picture, caption), created_utc=STAMP, lang=lang)


def test_frames_are_counted_by_everything_that_people_ask_for():
    """The table on the terminal and the page are these figures."""
    found = summarise_field("mast-1", "street", FRAMES, HEALTH)
    assert [(one.name, one.frames) for one in found.reasons] == [
        ("far", 6),
        ("uncertain", 3),
        ("random", 3),
        ("invented", 1),
    ]
    assert [(one.name, one.frames, one.share) for one in found.streams] == [("gate", 7, 0.7), ("yard", 3, 0.3)]
    assert [(one.name, one.frames) for one in found.strata] == [
        ("light:night", 6),
        ("weather:fog", 3),
        ("tag:<rain>", 1),
    ]
    assert (found.far, found.blurred, found.kept_mib) == (round(6 / 9, 4), 1, 0.95)


def test_no_frames_are_a_summary_too():
    found = summarise_field("mast-1", "street", [])
    assert (found.frames, found.reasons, found.far, found.first_unix_s, found.health) == (0, (), None, None, None)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_is_one_file_that_runs_and_fetches_nothing(picture, lang):
    page = page_of(picture, lang=lang)
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert page.count("data:image/jpeg") == 9
    for text in ("41", "it is black", *(field_text(lang, key) for key in ("why_batch", "far_is", "next"))):
        assert text in page


def test_a_refused_batch_is_the_first_thing_to_be_read(picture):
    """Thirty good pictures below must not hide that the batch is poisoned."""
    refused = replace(VERDICT, batch_refusal="11 of 21 new frames cannot be used <b>")
    page = page_of(picture, verdict=refused)
    assert page.index('role="alert"') < page.index('class="hero"')
    assert "11 of 21 new frames cannot be used &lt;b&gt;" in page
    assert field_text("en", "next_refused") in page
    assert re.search(rf"<dt>{field_text('en', 'accepted')}</dt><dd>0</dd>", page)
    assert 'role="alert"' not in page_of(picture)


def test_words_of_a_device_are_text_not_markup(picture):
    """Strata, reasons and captions come from another machine."""
    page = page_of(picture, caption="<img src=x onerror=alert(1)>")
    assert "<rain>" not in page and "&lt;rain&gt;" in page
    assert "<img src=x" not in page


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_reason_and_refusal_has_words(lang):
    """A reason that is added without a name would stop the page."""
    assert all(all(reason_text(lang, reason)) for reason in REASONS)
    assert all(field_text(lang, f"why_{why}") for why in WHY)


def test_strata_that_this_version_does_not_know_are_shown_as_they_are_called(picture):
    """A device may be newer than the machine that looks at it."""
    page = page_of(picture, frames=[frame(1, strata=("weather:snow", "lens:dirty", "odd"))])
    assert all(name in page for name in ("weather:snow", "lens:dirty", "odd"))


def test_without_collecting_or_frames_the_page_says_so(picture):
    summary = summarise_field("mast-1", "street", [])
    empty = FieldVerdict(0, 0, "", {})
    page = render_field(summary, empty, FieldPictures({}, {}, {}), created_utc=STAMP)
    for key in ("not_collecting", "sub_none"):
        assert field_text("en", key) in page
    early = replace(HEALTH, drift=None, unseen=(), looked_at=3)
    assert field_text("en", "drift_unknown") in page_of(picture, health=early)


def test_a_picture_that_vanished_leaves_a_gap_not_an_error(tmp_path):
    assert "data:image/jpeg" not in page_of(str(tmp_path / "gone.jpg"))


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 1100])
def test_a_phone_and_a_desk_show_the_page_without_scrolling_sideways(tmp_path, picture, lang, width):
    long = "a-camera-with-a-name-that-nobody-would-choose-but-somebody-will"
    frames = [*FRAMES, *(frame(30 + number, (long,), long, (f"tag:{long}",)) for number in range(9))]
    verdict = replace(VERDICT, batch_refusal=long * 3, refused={"dark": (long * 3,) * 30}, notes=(long * 2,))
    page = page_of(picture, verdict=verdict, frames=frames, lang=lang, caption=long * 2, device=long)
    found = look(tmp_path, page, width)
    assert found.group(1, 3, 4) == (str(width), "", "0")
    assert int(found.group(2)) > 1000
