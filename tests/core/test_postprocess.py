"""Raw outputs end as detections in frame pixels: the best first, duplicates gone, nothing invented."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.letterbox import fit_letterbox
from edgekit.core.postprocess import detections_from_outputs
from edgekit.core.tensors import ShapeProfile

SPEC = DetectorSpec(
    "road", "0" * 64, InputSpec("images"), ShapeProfile.fixed(1, 64, 64), "yolov8", ("car", "person"), iou=0.5
)
WIDE = fit_letterbox(128, 64, 64, 64)  # scale 0.5, 16 px of border above and below


def yolov8_output(*rows, batch: int = 1) -> np.ndarray:
    """(batch, 6, 84) with the given (cx, cy, w, h, car, person) in its first anchors."""
    table = np.zeros((batch, 6, 84), np.float32)
    table[:, :, : len(rows)] = np.array(rows, np.float32).T
    return table


def test_boxes_come_back_in_frame_pixels_best_first() -> None:
    """Sinks draw on the frame; a box in input pixels would sit elsewhere."""
    output = yolov8_output((32, 32, 16, 16, 0.6, 0), (10, 32, 8, 8, 0, 0.9))
    (found,) = detections_from_outputs(SPEC, {"output0": output}, [WIDE])
    assert found.boxes_xyxy.tolist() == [[12, 24, 28, 40], [48, 16, 80, 48]]
    assert found.class_ids.tolist() == [1, 0]
    np.testing.assert_allclose(found.scores, [0.9, 0.6])


def test_duplicates_are_suppressed_within_a_class_only() -> None:
    """A person in front of a car is two objects; the same car twice is one."""
    output = yolov8_output((32, 32, 16, 16, 0.9, 0), (33, 32, 16, 16, 0.8, 0), (32, 32, 16, 16, 0, 0.7))
    (found,) = detections_from_outputs(SPEC, {"output0": output}, [WIDE])
    assert found.class_ids.tolist() == [0, 1]
    agnostic = dataclasses.replace(SPEC, class_agnostic_nms=True)
    assert len(detections_from_outputs(agnostic, {"output0": output}, [WIDE])[0]) == 1


def test_end_to_end_outputs_are_not_suppressed_again() -> None:
    """Such a model has chosen its boxes; a second NMS would drop people in a crowd."""
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, :2] = [[10, 20, 30, 40, 0.5, 0], [10, 20, 30, 41, 0.9, 0]]
    spec = dataclasses.replace(SPEC, layout="yolo-end2end")
    (found,) = detections_from_outputs(spec, {"output0": rows}, [WIDE])
    np.testing.assert_allclose(found.scores, [0.9, 0.5])


def test_thresholds_of_the_call_replace_the_detectors_own() -> None:
    """Accuracy is measured at 0.001 whatever the detector ships with."""
    output = yolov8_output((32, 32, 16, 16, 0.1, 0), (10, 32, 8, 8, 0.05, 0))
    assert len(detections_from_outputs(SPEC, {"output0": output}, [WIDE])[0]) == 0
    assert len(detections_from_outputs(SPEC, {"output0": output}, [WIDE], confidence=0.01)[0]) == 2
    assert len(detections_from_outputs(SPEC, {"output0": output}, [WIDE], confidence=0.01, max_detections=1)[0]) == 1


def test_one_box_may_stand_for_two_classes_when_asked() -> None:
    """mAP is measured so by custom; a single label would compare low."""
    output = yolov8_output((32, 32, 16, 16, 0.9, 0.8))
    assert len(detections_from_outputs(SPEC, {"output0": output}, [WIDE])[0]) == 1
    assert len(detections_from_outputs(SPEC, {"output0": output}, [WIDE], multi_label=True)[0]) == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=str)
def test_values_that_are_not_finite_never_become_a_detection(bad: float) -> None:
    """An engine that overflows must show nothing rather than crash the service or draw nonsense."""
    output = yolov8_output((bad, 32, 16, 16, 0.9, 0), (32, 32, 16, 16, bad, 0), (10, 32, 8, 8, 0.6, 0))
    (found,) = detections_from_outputs(SPEC, {"output0": output}, [WIDE])
    assert found.boxes_xyxy.tolist() == [[12, 24, 28, 40]]


def test_each_picture_of_a_batch_has_its_own_fit_and_padding_is_ignored() -> None:
    """The last batch of a folder is filled up with copies."""
    output = yolov8_output((32, 32, 16, 16, 0.9, 0), batch=3)
    square = fit_letterbox(64, 64, 64, 64)
    first, second = detections_from_outputs(SPEC, {"output0": output}, [WIDE, square])
    assert first.boxes_xyxy.tolist() == [[48, 16, 80, 48]]
    assert second.boxes_xyxy.tolist() == [[24, 24, 40, 40]]
    assert detections_from_outputs(SPEC, {"output0": output}, []) == []


def test_nothing_found_has_the_shape_of_nothing() -> None:
    """Callers concatenate without asking."""
    (found,) = detections_from_outputs(SPEC, {"output0": yolov8_output()}, [WIDE])
    assert found.boxes_xyxy.shape == (0, 4)
