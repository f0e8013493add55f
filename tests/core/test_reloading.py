"""What a running service may take over, and what is a restart: nothing that it was started with may go unnoticed."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from edgekit.core.collecting import CollectSettings
from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.events import EventSettings
from edgekit.core.release import SERVICE_ONLY, ReleaseFile, ReleaseManifest
from edgekit.core.reloading import THRESHOLDS, what_needs_a_restart
from edgekit.core.service import ServiceSettings, StreamSettings
from edgekit.core.tensors import ShapeProfile
from edgekit.core.tracking_settings import TrackingSettings
from edgekit.core.zones import Line, Zone

GATE = Zone("gate", ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9)))
SETTINGS = ServiceSettings("street", (StreamSettings("csi://0"),), events=EventSettings((GATE,)))
DETECTOR = DetectorSpec("roadscene", "d" * 64, InputSpec("images"), ShapeProfile.fixed(1, 96, 96), "yolov8", ("car",))
PATHS = ("settings.json", "detector.json", "code/edgekit/a.py", "engine/engine.onnx", "engine/engine.json")
MANIFEST = ReleaseManifest(
    "edgekit",
    "street",
    {"engine_key": "k", "backend": "onnxruntime"},
    1,
    "roadscene",
    "e" * 16,
    tuple(ReleaseFile(path, 1, "0" * 64) for path in PATHS),
)
# One other value for each field; a new field makes the test below fail until somebody has thought of it.
OTHER_SETTINGS = {
    "service": "gate",
    "streams": (StreamSettings("csi://1"),),
    "sinks": ("events:/tmp/e.jsonl",),
    "threads": 2,
    "loop": True,
    "page_port": 0,
    "collect": CollectSettings(),
    "schema": 3,
}
OTHER_DETECTOR = {
    "name": "other",
    "model_sha256": "f" * 64,
    "input": InputSpec("images", colour="bgr"),
    "profile": ShapeProfile.fixed(2, 96, 96),
    "layout": "yolov5",
    "labels": ("lorry",),
    "class_agnostic_nms": True,
    "schema": 2,
}
OTHER_THRESHOLDS = {"confidence": 0.5, "iou": 0.6, "max_detections": 20}


def needs(settings=SETTINGS, detector=DETECTOR, manifest=MANIFEST, before=MANIFEST):
    return what_needs_a_restart(SETTINGS, settings, DETECTOR, detector, before, manifest)


def with_file(path, manifest=MANIFEST, **changes):
    """The manifest with one file changed or added."""
    rest = tuple(file for file in manifest.files if file.path != path)
    return replace(manifest, files=(*rest, ReleaseFile(path, 1, **{"sha256": "1" * 64, **changes})))


@pytest.mark.parametrize(
    "events",
    [
        None,
        EventSettings(),
        EventSettings((replace(GATE, name="door"),)),
        EventSettings(lines=(Line("kerb", (0.0, 0.5), (1.0, 0.5)),)),
        EventSettings(tracking=TrackingSettings(lost_s=9.0)),
    ],
    ids=["no more", "followed", "zone", "line", "tracking"],
)
def test_zones_lines_and_tracking_are_taken_over(events):
    """Lost: film and counters, each time that somebody moves a corner of a zone."""
    manifest = with_file("settings.json")
    assert needs(replace(SETTINGS, events=events), manifest=manifest) == ()
    assert needs(replace(SETTINGS, events=events), manifest=on_tensorrt(manifest), before=on_tensorrt(MANIFEST)) == ()


def test_thresholds_are_taken_over_with_the_self_test_that_goes_with_them():
    """What the engine finds by other thresholds is written down anew; it is asked at the next start."""
    manifest = with_file("selftest/p0.png", with_file("selftest/selftest.json", with_file("detector.json")))
    assert needs(detector=replace(DETECTOR, **OTHER_THRESHOLDS), manifest=manifest) == ()
    on_gpu = {"manifest": on_tensorrt(manifest), "before": on_tensorrt(MANIFEST)}
    assert needs(detector=replace(DETECTOR, **OTHER_THRESHOLDS), **on_gpu) == ()


def test_thresholds_are_taken_over_with_the_summary_of_the_calibration_set():
    """It counts objects by them; alone it is another set's, which drift would be told of by the old one."""
    manifest = with_file("scenes.json", with_file("detector.json"))
    assert needs(detector=replace(DETECTOR, **OTHER_THRESHOLDS), manifest=manifest) == ()
    assert needs(manifest=with_file("scenes.json")) == ("scenes.json",)


def test_another_self_test_alone_is_a_restart():
    """It would be committed without having been asked once, and fail at the next start, at night."""
    assert needs(manifest=with_file("selftest/selftest.json")) == ("selftest",)


def on_tensorrt(manifest):
    return replace(manifest, device_class={"engine_key": "k", "backend": "tensorrt"})


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_every_other_setting_is_a_restart(name):
    """A sink, a camera or a port that is opened at the start alone."""
    assert needs(replace(SETTINGS, **{name: OTHER_SETTINGS[name]})) == (f"settings.json: {name}",)


@pytest.mark.parametrize("name", OTHER_DETECTOR)
def test_every_other_property_of_the_detector_is_a_restart(name):
    """Labels that change places count cars as people."""
    assert needs(detector=replace(DETECTOR, **{name: OTHER_DETECTOR[name]})) == (f"detector.json: {name}",)


def test_no_field_is_forgotten_here():
    """A setting that is added later is a restart until somebody says otherwise; the rule compares all fields."""
    assert {field.name for field in fields(ServiceSettings)} == {*OTHER_SETTINGS, "events"}
    assert {field.name for field in fields(DetectorSpec)} == {*OTHER_DETECTOR, *THRESHOLDS}


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (with_file("code/edgekit/a.py"), "code"),
        (with_file("code/edgekit/b.py"), "code"),
        (with_file("engine/engine.json"), "engine"),
        (with_file("engine/engine.onnx", sha256="0" * 64, mode=0o755), "engine"),
        (with_file("settings.yaml", mode=SERVICE_ONLY), "settings.yaml"),
        (replace(MANIFEST, files=MANIFEST.files[:-2]), "engine"),
        (replace(MANIFEST, engine_id="f" * 16), "release.json: engine_id"),
        (replace(MANIFEST, device_class={"engine_key": "l", "backend": "onnxruntime"}), "release.json: device_class"),
    ],
)
def test_other_files_are_a_restart(manifest, said):
    """By their digests: code that was never loaded is not the code that runs."""
    assert needs(manifest=manifest) == (said,)


def test_the_counter_alone_is_nothing():
    """The same content under a later counter is the same release."""
    assert needs(manifest=replace(MANIFEST, counter=9)) == ()


def test_everything_that_differs_is_named():
    """One restart for all of it, and the log says why."""
    said = needs(replace(SETTINGS, loop=True), replace(DETECTOR, labels=("bus",)), with_file("code/edgekit/a.py"))
    assert said == ("settings.json: loop", "detector.json: labels", "code")
