"""The readiness page in a real browser: it fits a phone and a desk, and complains of nothing."""

from __future__ import annotations

import pytest

from tests.report.forecast.test_readiness_page import page
from tests.report.test_browser import look, pytestmark

__all__ = ["pytestmark"]  # of this module too: only where Chromium is


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_sticks_out(tmp_path, width, lang):
    """Most people open it on a phone."""
    assert look(tmp_path, page(lang), width).group(1, 3, 4) == (str(width), "", "0")
