"""The page of an evaluation: one file, every figure, the verdict in words, nothing unescaped."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from edgekit.core.evaluation import EngineFigures, Evaluation, WorstFrame
from edgekit.core.gate import Gate, StratumKept
from edgekit.core.results import Accuracy
from edgekit.report.evaluation import render_evaluation
from tests.report.test_browser import CHROMIUM, look

ACCURACY = Accuracy(
    "yard", "0" * 64, 40, 0.7, 0.9, {"day": 0.8, "night": 0.6}, {"<b>car": 0.7}, {}, {"small": 0.3, "large": 0.9}
)


def row(stratum, share, verdict, pictures=20):
    return StratumKept(stratum, pictures, 60, 0.7, 0.7 * share, share, share - 0.02, share + 0.02, verdict)


ROWS = (
    row("all", 0.97, "lost"),
    row("day", 1.01, "kept"),
    row("night", 0.6, "lost"),
    row("fog", 0.93, "unsure"),
    row("snow", 0.9, "not judged", 3),
)
GATE = Gate("FP16 engine a1", "INT8 engine b2", "yard", "0" * 64, ROWS, 400)
FRAMES = (
    WorstFrame("<i>.jpg", ("night", "tag:camera-1"), 9, 4, 1, 1, 0, 4.2, "01-a.jpg"),
    WorstFrame("gone.jpg", (), 3, 1, 0, 0, 0, 1.0, "02-gone.jpg"),
)


def evaluation(**changes):
    engines = [EngineFigures(f"{name} engine", "ab" * 8, name.lower(), ACCURACY, None) for name in ("INT8", "FP16")]
    made = Evaluation("xavier", "tiny", "yard", "0" * 64, "people", *engines, GATE, FRAMES)
    return dataclasses.replace(made, **changes)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    cv2.imwrite(str(tmp_path / "01-a.jpg"), rng.integers(0, 255, (90, 480, 3), np.uint8))
    return tmp_path


def test_the_page_says_what_was_lost_and_shows_where(folder):
    """The page is what people decide by when INT8 was refused."""
    page = render_evaluation(evaluation(), folder)
    assert "The gate refuses it" in page and "night 60.0 %" in page
    for text in ("97.0 %", "not judged", "unsure", "small", "4 of 9 objects missed"):
        assert text in page
    assert page.count("data:image/jpeg") == 1  # a drawing that vanished is left out


def test_nothing_in_it_is_markup_or_comes_from_elsewhere(folder):
    """Names of pictures and classes come from other people."""
    page = render_evaluation(evaluation(), folder)
    assert "<i>.jpg" not in page and "&lt;i&gt;.jpg" in page
    assert "<b>car" not in page
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")


def test_agreement_is_called_so_on_the_page(folder):
    """Else the page would pass for a proof of accuracy."""
    page = render_evaluation(
        evaluation(labelled_by="model", gate=dataclasses.replace(GATE, labelled_by="model")), folder
    )
    assert "Nobody labelled these pictures" in page and "only labels can say" in page


def test_an_engine_alone_has_a_page_without_shares(folder):
    """Most evaluations compare with nothing."""
    page = render_evaluation(evaluation(baseline=None, gate=None, worst=()), folder)
    assert "The gate" not in page and "kept" not in page.split("<main>")[1] and "0.800" in page


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [390, 1400])
def test_a_phone_and_a_desk_show_it_without_scrolling_sideways(tmp_path, folder, width):
    """People look at it on whatever they have."""
    found = look(tmp_path, render_evaluation(evaluation(), folder), width)
    assert found.group(1, 3, 4) == (str(width), "", "0")
