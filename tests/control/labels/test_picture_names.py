"""What tools make of file names, and which picture is meant all the same."""

from __future__ import annotations

import unicodedata

import pytest

from edgekit.control.labels.picture_names import PictureNames

NAMES = PictureNames(["Hof süd 1.jpg", "day__0001.jpg", "night__0001.jpg", "night__gate.b.jpg", "a.jpg", "a.png"])


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("night__0001.jpg", "night__0001.jpg"),
        ("night/0001.jpg", "night__0001.jpg"),
        ("images/night/0001.jpg", "night__0001.jpg"),
        ("..\\images\\day\\0001.jpg", "day__0001.jpg"),
        ("gate.b.jpg", "night__gate.b.jpg"),
        ("/data/upload/3/0f3a9c1e-Hof_süd_1.jpg", "Hof süd 1.jpg"),
        ("yard/images/" + unicodedata.normalize("NFD", "Hof süd 1.jpg"), "Hof süd 1.jpg"),
        ("a.png", "a.png"),
        ("0001.jpg", None),
        ("dusk/0001.jpg", None),
        ("Hof.jpg", None),
        ("", None),
    ],
)
def test_the_picture_that_a_tool_means(given, meant):
    """Labels of a picture that is not found are lost; of one found wrongly, worse."""
    assert NAMES.find(given) == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("obj_train_data/night__0001", "night__0001.jpg"),
        ("labels/train/day/0001", "day__0001.jpg"),
        ("labels/gate.b", "night__gate.b.jpg"),
        ("labels/0f3a9c1e-Hof süd 1", "Hof süd 1.jpg"),
        ("labels/a", None),
        ("labels/0001", None),
    ],
)
def test_the_picture_that_a_label_file_belongs_to(given, meant):
    """YOLO names pictures without their ending."""
    assert NAMES.find(given, is_stem=True) == meant


def test_a_whole_name_wins_over_the_end_of_another():
    """A picture in the folder itself and one of that name below it."""
    names = PictureNames(["0001.jpg", "night__0001.jpg"])
    assert names.find("images/0001.jpg") == "0001.jpg"
    assert names.find("labels/0001", is_stem=True) == "0001.jpg"
