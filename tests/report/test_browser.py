"""The page in a real browser: it renders, fits a phone, and complains of nothing."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgekit.report.html import render_html
from edgekit.report.review.forms import render_review_html
from edgekit.report.review.prices import Prices
from edgekit.report.samples import load_samples
from tests.report.made_up import coverage, disturbed, engine, powered, result, tensorrt_result, with_soak, with_streams
from tests.report.review.test_making import review_of
from tests.report.test_page import FP32, INT8, SHIPPED, report_of

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--enable-logging=stderr",
    "--hide-scrollbars",
    "--dump-dom",
)
# The page is put into a frame of the wanted width: the browser's own window cannot be as narrow as a phone.
WRAPPER = """<!doctype html><iframe id="page" style="width:{width}px;height:700px;border:0" srcdoc="{page}"></iframe>
<script>
onload = () => {{
  const page = document.getElementById("page").contentDocument;
  const wide = [...page.querySelectorAll("main *")].filter(
    (one) => !one.closest(".scroll, svg") && one.getBoundingClientRect().right > {width} + 0.5);
  const pictures = [...page.images].filter((one) => !one.naturalWidth).length;
  document.title = "width " + page.documentElement.scrollWidth + " height " + page.documentElement.scrollHeight
    + " outside [" + wide.map((one) => one.className) + "] broken " + pictures;
}};
</script>"""


def look(tmp_path, page: str, width: int) -> re.Match:
    path = tmp_path / "wrapper.html"
    path.write_text(WRAPPER.format(width=width, page=html.escape(page)), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    assert complaints == []
    found = re.search(r"<title>width (\d+) height (\d+) outside \[(.*?)\] broken (\d+)</title>", done.stdout)
    assert found, done.stdout[:500]
    return found


LONG = "a-detector-with-a-name-that-nobody-would-choose-but-somebody-will"
FULL = report_of(
    powered(FP32, 9.0),
    powered(result("fp16"), 8.0),
    powered(INT8, 7.0),
    with_streams(INT8, (1, 40.0), (2, 38.0), (4, 36.0)),
    with_soak(INT8),
    shipped=SHIPPED,
)
REPORTS = {
    "all-that-can-be-measured": replace(FULL, coverage=coverage()),
    "disturbed": report_of(disturbed(powered(INT8, 7.0), f"the GPU was throttled by {'soctherm-' * 9}oc1")),
    "before-and-after": report_of(FP32, INT8, shipped=SHIPPED),
    "one-engine": report_of(result(map50_95=None, stable=False)),
    "four-engines": report_of(
        FP32, result("fp16"), INT8, result("int8", engine=engine("int8", engine_id="d" * 16, calibration_images=120))
    ),
    "tensorrt": report_of(tensorrt_result("fp16"), tensorrt_result("int8")),
    "long-names": report_of(result(device=LONG, engine=engine(detector=LONG)), problems=(LONG * 3,)),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", REPORTS)
def test_a_phone_shows_the_page_without_scrolling_sideways(tmp_path, name, lang):
    """A report is opened from a chat on a phone before anyone sees it on a desk."""
    found = look(tmp_path, render_html(REPORTS[name], lang=lang), 390)
    assert found.group(1, 3, 4) == ("390", "", "0")
    assert int(found.group(2)) > 1500


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_phone_shows_a_review(tmp_path, lang):
    """It is read in the corridor on the way to the meeting."""
    full = review_of(powered(FP32, 9.0), powered(INT8, 7.0))
    empty = review_of(FP32, prices=Prices())
    for review in (full, empty):
        assert look(tmp_path, render_review_html(review, lang=lang), 390).group(1, 3, 4) == ("390", "", "0")


def test_a_desk_shows_the_page_with_its_pictures(tmp_path):
    """Embedded pictures must decode under the page's own content policy."""
    cv2.imwrite(str(tmp_path / "a.png"), np.full((90, 160, 3), 128, np.uint8))
    page = render_html(REPORTS["before-and-after"], samples=load_samples(tmp_path))
    assert look(tmp_path, page, 1100).group(1, 3, 4) == ("1100", "", "0")
