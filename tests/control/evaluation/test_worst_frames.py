"""Which pictures people are shown, and what is marked in them."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.control.evaluation.truth import PictureTruth, objects_from_boxes
from edgekit.control.evaluation.worst_frames import matched
from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.tensors import InputSize, ShapeProfile

SIZE = InputSize(1, 320, 320)
SPEC = DetectorSpec(
    name="tiny",
    model_sha256="0" * 64,
    input=InputSpec("images"),
    profile=ShapeProfile(SIZE, SIZE, SIZE),
    layout="yolov8",
    labels=("car", "person"),
    confidence=0.25,
    iou=0.45,
)
CAR, PERSON = [10, 10, 110, 60], [200, 100, 260, 220]


def found(*rows):
    """(box, class id, score) -> predictions of a picture of 300 x 300."""
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    scores, class_ids = np.array([row[2] for row in rows], np.float32), np.array([row[1] for row in rows], np.int32)
    return PictureTruth(300, 300, Detections(boxes, scores, class_ids))


@pytest.fixture
def picture():
    return PictureTruth(300, 300, objects_from_boxes([CAR, PERSON], [0, 1]))


def test_all_found_is_no_harm(picture):
    """Else every picture would be among the worst."""
    judged = matched(picture, found((CAR, 0, 0.9), (PERSON, 1, 0.8)), SPEC)
    assert (judged.missed, judged.invented) == (0, 0)
    assert judged.harm == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "rows, missed, invented",
    [
        ([(CAR, 0, 0.9)], 1, 0),  # the person is not there
        ([(CAR, 1, 0.9), (PERSON, 1, 0.8)], 1, 1),  # the car is called a person
        ([(CAR, 0, 0.2), (PERSON, 1, 0.8)], 1, 0),  # the car is below the detector's confidence
        ([(CAR, 0, 0.9), (PERSON, 1, 0.8), ([150, 150, 180, 180], 0, 0.7)], 0, 1),
        ([(CAR, 0, 0.9), ([10, 10, 110, 50], 0, 0.8), (PERSON, 1, 0.8)], 0, 0),  # the service suppresses the double
        ([([70, 10, 170, 60], 0, 0.9), (PERSON, 1, 0.8)], 1, 1),  # beside the car, IoU 0.25
    ],
)
def test_what_a_service_would_have_reported_is_what_counts(picture, rows, missed, invented):
    """The pictures must show what an operator would have seen, not what a threshold of 0.001 lets through."""
    judged = matched(picture, found(*rows), SPEC)
    assert (judged.missed, judged.invented) == (missed, invented)
    assert judged.harm >= missed + invented - 1e-6


def test_a_box_that_fits_worse_is_some_harm(picture):
    """INT8 often moves boxes before it loses objects: those pictures belong on the page too."""
    judged = matched(picture, found(([14, 12, 116, 64], 0, 0.9), (PERSON, 1, 0.8)), SPEC)
    assert judged.missed == 0
    assert 0.1 < judged.harm < 0.5


def test_what_lies_in_a_crowd_is_not_invented():
    """A group labelled as one must not make every person in it a false alarm."""
    crowd = PictureTruth(300, 300, objects_from_boxes([CAR], [0]), crowd=objects_from_boxes([[150, 80, 290, 290]], [1]))
    assert matched(crowd, found((CAR, 0, 0.9), (PERSON, 1, 0.8)), SPEC).invented == 0
    assert matched(crowd, found((CAR, 0, 0.9), (PERSON, 0, 0.8)), SPEC).invented == 1
