"""detector.yaml and an ONNX file become one detector, or a list of what does not fit."""

from __future__ import annotations

from typing import get_args

import pytest

from edgekit.control.detector_yaml import InputSection
from edgekit.control.detectors import detector_names, list_detectors, load_detector, with_thresholds
from edgekit.control.project import Project, package_data_root
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.tensors import InputSize, ShapeProfile
from edgekit.errors import ConfigError, LayoutError, ModelError, NotFoundError, UsageError
from tests.onnx_models import edit, save_plain, save_yolov8


@pytest.fixture
def project(tmp_path):
    (tmp_path / "devices.yaml").touch()
    return Project(tmp_path)


def add(project, name, text, save=save_yolov8, **options):
    folder = project.detectors_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "detector.yaml").write_text(text)
    if save is not None:
        save(folder / "model.onnx", **options)
    return folder


def dynamic(path):
    """The small YOLO with dynamic batch, height and width declared."""

    def free(proto):
        for value in (*proto.graph.input, *proto.graph.output):
            for index in (0, 2, 3):
                if index < len(value.type.tensor_type.shape.dim):
                    value.type.tensor_type.shape.dim[index].dim_param = f"d{index}"

    return edit(save_yolov8(path), free)


def test_an_empty_detector_yaml_is_enough_where_the_model_says_all(project):
    """Ultralytics' exports name their classes: nothing is to be written twice."""

    def name_classes(proto):
        proto.metadata_props.add(key="names", value="{0: 'car', 1: 'person'}")

    edit(add(project, "tiny", "") / "model.onnx", name_classes)
    detector = load_detector(project, "tiny")
    spec = detector.spec
    assert (spec.layout, spec.labels, spec.confidence, spec.iou) == ("yolov8", ("car", "person"), 0.25, 0.45)
    assert spec.profile == ShapeProfile.fixed(1, 64, 64)
    assert (spec.input.name, spec.input.geometry, spec.input.colour) == ("images", "letterbox", "rgb")
    assert spec.model_sha256 == detector.facts.sha256


def test_what_the_yaml_says_wins(project):
    add(
        project,
        "tiny",
        "labels: [a, b]\n"
        "input: {colour: bgr, geometry: stretch, scale: 1, mean: [1, 2, 3], std: [4, 5, 6], border: 0}\n"
        "thresholds: {confidence: 0.5, iou: 0.6, max_detections: 7}\n"
        "class_agnostic_nms: true\ncalibration: c\nfrozen: f\n",
    )
    detector = load_detector(project, "tiny")
    spec = detector.spec
    assert (spec.input.colour, spec.input.geometry, spec.input.scale) == ("bgr", "stretch", 1.0)
    assert (spec.input.mean, spec.input.std, spec.input.border) == ((1, 2, 3), (4, 5, 6), 0)
    assert (spec.confidence, spec.iou, spec.max_detections, spec.class_agnostic_nms) == (0.5, 0.6, 7, True)
    assert (detector.calibration, detector.frozen) == ("c", "f")


def test_every_geometry_of_the_core_may_be_named():
    """A geometry added to the core must be allowed in detector.yaml too."""
    (allowed, _none) = get_args(InputSection.model_fields["geometry"].annotation)
    assert set(get_args(allowed)) == set(GEOMETRIES)


@pytest.mark.parametrize("labels", ["labels: names.txt", "labels: {0: car, 1: person}", "labels: [car, person]"])
def test_labels_come_in_three_forms(project, labels):
    folder = add(project, "tiny", labels)
    (folder / "names.txt").write_text("car\nperson\n")
    assert load_detector(project, "tiny").spec.labels == ("car", "person")


def test_a_dynamic_model_takes_its_sizes_from_the_yaml(project):
    """An engine needs limits; a guess would be wrong for somebody."""
    yaml = (
        "labels: [car, person]\nprofile:\n  batch: {max: 4}\n  size: {min: [32, 32], opt: [64, 96], max: [128, 128]}\n"
    )
    add(project, "tiny", yaml, dynamic)
    assert load_detector(project, "tiny").spec.profile == ShapeProfile(
        InputSize(1, 32, 32), InputSize(1, 64, 96), InputSize(4, 128, 128)
    )


@pytest.mark.parametrize(
    ("yaml", "save", "said"),
    [
        ("labels: [car, person]", dynamic, "input.size: missing"),
        ("labels: [car, person]\ninput: {size: [96, 64]}", save_yolov8, "does not fit the model's fixed [64, 64]"),
        ("labels: [car, person]\nprofile: {batch: {max: 4}}", save_yolov8, "fixed batch of 1"),
        (
            "labels: [car, person]\ninput: {size: [64, 64]}\nprofile: {batch: {min: 3}}",
            dynamic,
            "1 <= min <= opt <= max",
        ),
        ("", save_yolov8, "labels: missing, and the model's metadata has none; give 2 names"),
        ("labels: nowhere.txt", save_yolov8, "no file"),
        ("labels: {0: car, 2: person}", save_yolov8, "labels"),
    ],
)
def test_what_does_not_fit_the_model_is_said(project, yaml, save, said):
    """Each of these would otherwise show wrong boxes, wrong names or fail on the device."""
    add(project, "tiny", yaml, save)
    with pytest.raises(ConfigError) as caught:
        load_detector(project, "tiny")
    assert said in str(caught.value)
    assert "detectors/tiny/detector.yaml" in str(caught.value)


def test_problems_of_the_yaml_come_at_once(project):
    add(
        project, "tiny", "thresholds: {confidence: 2}\ninptu: {}\nlabels: 3\ninput: {size: [1, 64], geometry: letter}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_detector(project, "tiny")
    text = str(caught.value)
    for part in (
        "thresholds.confidence: expected 1 or less",
        "did you mean 'input'?",
        "input.size.0",
        "input.geometry",
    ):
        assert part in text


def test_labels_of_another_model_are_refused(project):
    """Three names for two classes: every name may be wrong."""
    add(project, "tiny", "labels: [a, b, c]")
    with pytest.raises(LayoutError, match="detectors/tiny"):
        load_detector(project, "tiny")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (["b", 1, 64, 64], "colour pictures"),
        (["b", 64, 64, 3], "channels last"),
    ],
)
def test_an_input_that_cannot_be_fed_is_refused(project, shape, said):
    folder = add(project, "tiny", "labels: [a]")

    def reshape(proto):
        for dim, value in zip(proto.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
            dim.dim_value = value if isinstance(value, int) else 0

    edit(save_plain(folder / "model.onnx"), reshape)
    with pytest.raises(ModelError) as caught:
        load_detector(project, "tiny")
    assert said in str(caught.value)


def test_a_list_shows_every_state(project):
    """One broken detector does not hide the others."""
    add(project, "good", "labels: [car, person]")
    add(project, "absent", "export: make model", save=None)
    add(project, "wrong", "labels: [car, person, dog]")
    states = {state.name: state for state in list_detectors(project)}
    assert {name: state.state for name, state in states.items()} == {
        "absent": "model missing",
        "good": "ready",
        "wrong": "broken",
    }
    assert states["absent"].error.hint == "make model"


def test_an_unknown_name_gets_the_nearest(project):
    add(project, "roadscene", "")
    with pytest.raises(NotFoundError) as caught:
        load_detector(project, "roadscen")
    assert "did you mean 'roadscene'?" in caught.value.why
    with pytest.raises(NotFoundError):
        load_detector(project, "../roadscene/../nothing")


def test_every_shipped_detector_is_ready_or_says_how_to_get_its_model():
    """What `init` copies must be right."""
    project = Project(package_data_root())
    assert {"roadscene", "yolo11n", "yolov8n"} <= set(detector_names(project))
    for state in list_detectors(project):
        assert state.state in ("ready", "model missing"), str(state.error)
        assert state.error is None or state.error.hint


def test_thresholds_of_one_run_replace_the_detectors_own(project):
    """--confidence 0 means 0, not "as the detector says"."""
    add(project, "tiny", "labels: [car, person]\nthresholds: {confidence: 0.5, iou: 0.6}")
    spec = load_detector(project, "tiny").spec
    changed = with_thresholds(spec, confidence=0.0, max_detections=5)
    assert (changed.confidence, changed.iou, changed.max_detections) == (0.0, 0.6, 5)
    for wrong in ({"confidence": 1.5}, {"iou": float("nan")}, {"max_detections": 0}):
        with pytest.raises(UsageError):
            with_thresholds(spec, **wrong)
