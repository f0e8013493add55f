"""By what engines are judged: labels or the model's own answers, and the strata of each picture."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.control.detectors import load_detector
from edgekit.control.evaluation.accuracy import evaluate
from edgekit.control.evaluation.judged_sets import judged_by, judged_strata
from edgekit.control.evaluation.model_truth import model_predictions, truth_from_model
from edgekit.control.evaluation.truth import PictureTruth, objects_from_boxes
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.core.scene_descriptor import SceneDescriptor
from tests.fakes import detector_spec
from tests.made_up_sets import make_project, quiet, save_scenes

NIGHT = SceneDescriptor(20.0, 30.0, 1.0, 1.8, 0.5, 10.0, 0.0, 0.0, 0.1)
NOON = SceneDescriptor(130.0, 30.0, 1.0, 1.8, 0.5, 10.0, 0.0, 0.0, 0.1)


def picture(condition="", sizes=()):
    boxes = [[0, 0, size, size] for size in sizes]
    return PictureTruth(640, 640, objects_from_boxes(boxes, np.zeros(len(boxes))), condition)


@pytest.mark.parametrize(
    "described, tags, truth, expected",
    [
        (NOON, (), picture(sizes=[300]), ("light:day",)),
        (NIGHT, ("night",), picture("night", [300]), ("night", "light:night")),
        (NOON, ("fog", "camera-gate"), picture("fog", [300]), ("fog", "light:day", "weather:fog", "tag:camera-gate")),
        (NOON, (), picture(), ("light:day", "objects:empty")),
        (NOON, (), picture(sizes=[100] * 21), ("light:day", "objects:crowded", "size:tiny")),  # 100 px are 10 at 64
    ],
)
def test_strata_come_from_people_from_the_picture_and_from_its_labels(described, tags, truth, expected):
    """A stratum that is missing here is one that INT8 may lose unnoticed."""
    assert judged_strata(described, tags, truth, detector_spec(64, 64)) == expected


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    project = make_project(root)
    save_scenes(root / "calib_sets" / "few" / "images", {"day": 3, "night": 3})
    (root / "calib_sets" / "few" / "set.yaml").write_text("images: {folder: images}\n")
    detector = load_detector(project, "tiny")
    return project, detector, materialise(project, load_set(project, "few"), quiet, labels=detector.spec.labels)


def test_a_set_without_labels_is_judged_by_the_model_and_says_so(made):
    """Agreement that is taken for accuracy promises what nobody measured."""
    project, detector, few = made
    judged = judged_by(project, detector, few, quiet)
    assert judged.labelled_by == "model"
    assert {picture.condition for picture in judged.truth.pictures.values()} == {"day", "night"}
    assert set(judged.strata) == set(judged.truth.pictures) == {path.name for path in few.paths}
    assert all("light:night" in names for name, names in judged.strata.items() if name.startswith("night"))


def test_the_model_agrees_with_itself(made):
    """Else an engine would be blamed for what the yardstick does."""
    project, detector, few = made
    truth = truth_from_model(project, detector, few, quiet)
    accuracy = evaluate(model_predictions(project, detector, few, quiet), truth, detector.spec.labels)
    assert accuracy.map50_95 == pytest.approx(1.0, abs=0.005)
    sizes = {(picture.width_px, picture.height_px) for picture in truth.pictures.values()}
    assert sizes == {(320, 180)}


def test_the_model_is_asked_once_for_each_set(made, monkeypatch):
    """On a PC without a GPU the model takes minutes for a set."""
    project, detector, few = made
    first = truth_from_model(project, detector, few, quiet)
    monkeypatch.setattr("edgekit.control.evaluation.model_truth.reference_outputs", None)
    assert truth_from_model(project, detector, few, quiet).sha256 == first.sha256
