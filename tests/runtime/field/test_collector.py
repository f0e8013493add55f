"""From detected frames to kept ones: real threads, real folders, real pictures."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from edgekit.core.collecting import FIELD_FOLDER, SCENES_NAME, CollectSettings
from edgekit.core.detections import Detections
from edgekit.core.field import KeptFrame
from edgekit.core.scene_descriptor import describe, descriptor_vector, with_objects
from edgekit.core.scenes_seen import summarise
from edgekit.core.service import ServiceSettings, StreamSettings
from edgekit.core.strata import strata_of
from edgekit.core.wire import from_wire, to_wire
from edgekit.files import write_json
from edgekit.runtime.field import collector as module
from edgekit.runtime.field.collector import collecting
from edgekit.runtime.frames import Frame
from edgekit.runtime.pipeline_batch import DetectedFrame, StageTimes
from tests.fakes import detector_spec

WIDTH, HEIGHT = 320, 192
PLACE = (100.0, 60.0, 180.0, 120.0)
SPEC = detector_spec(64, 96)
SURE = 0.9
ONLY_RULES = CollectSettings(random_share=0.0, per_hour=3600)


def picture(light, seed=1):
    """A scene with some structure, of that brightness."""
    rough = np.random.default_rng(seed).integers(-30, 30, (12, 20, 3)) + light
    return cv2.resize(np.clip(rough, 0, 255).astype(np.uint8), (WIDTH, HEIGHT))


def objects(*scores):
    """Objects of class 0 in a row, the first in PLACE."""
    boxes = [[PLACE[0] + 0.0, PLACE[1], PLACE[2], PLACE[3]] for _ in scores]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.zeros(len(scores), np.int32)
    )


def detected(index, found, pixels=None, stream=""):
    frame = Frame(picture(120) if pixels is None else pixels, index, 0.1 * index, "", stream=stream)
    return DetectedFrame(frame, found, 5.0, 0.1 * index, StageTimes(1.0, 1.0, 1.0, 1.0))


def days(count=40):
    """scenes.json of a set of bright pictures with one object each."""
    made = [
        with_objects(
            describe(cv2.resize(picture(120, seed), (160, 96), interpolation=cv2.INTER_AREA)), objects(SURE), 0.3
        )
        for seed in range(count)
    ]
    return summarise(
        "days", "a" * 64, [descriptor_vector(one) for one in made], [strata_of(one, labels=SPEC.labels) for one in made]
    )


@contextmanager
def running(tmp_path, collect=ONLY_RULES, streams=("",), seen=None):
    release = tmp_path / "release"
    release.mkdir(exist_ok=True)
    if seen is not None:
        write_json(release / SCENES_NAME, to_wire(seen))
    settings = ServiceSettings("street", tuple(StreamSettings("csi://0", name) for name in streams), collect=collect)
    with collecting(settings, SPEC, release, tmp_path / "state", "e" * 16, "int8") as collector:
        yield collector


def kept(tmp_path):
    """What lies on the disk, oldest first."""
    texts = [path.read_text() for path in (tmp_path / "state" / FIELD_FOLDER).glob("*.json")]
    return sorted((from_wire(KeptFrame, json.loads(text)) for text in texts), key=lambda frame: frame.time_unix_s)


def until(condition):
    """Wait for what another thread does."""
    ends_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends_s, "it did not happen"
        time.sleep(0.005)


def test_nothing_is_kept_unless_it_was_asked_for(tmp_path):
    """Pictures of people must never lie on a disk by default."""
    with running(tmp_path, collect=None) as collector:
        assert collector is None
    assert not (tmp_path / "state").exists()


def test_an_uncertain_frame_is_kept_with_what_is_known_of_it(tmp_path):
    """What the host gets to judge by."""
    with running(tmp_path, seen=days()) as collector:
        collector.take(detected(0, objects(SPEC.confidence + 0.01)))
        until(lambda: collector.health().added == 1)
        assert collector.health().reasons == {"uncertain": 1}
    (frame,) = kept(tmp_path)
    assert (frame.service, frame.stream, frame.reasons, frame.engine_id) == ("street", "", ("uncertain",), "e" * 16)
    assert (frame.width_px, frame.height_px, frame.objects[0].label) == (WIDTH, HEIGHT, SPEC.labels[0])
    assert "light:day" in frame.strata and frame.drift is not None and frame.drift < 1.0
    assert abs(frame.time_unix_s - time.time()) < 60


def test_of_a_flicker_the_frame_between_is_kept_and_blurred_where_the_object_was(tmp_path):
    """The frame lacks the person by definition, so its own detections cannot tell what to hide."""
    collect = CollectSettings(random_share=0.0, per_hour=3600, blur=(SPEC.labels[0],))
    checks = np.kron(np.indices((HEIGHT // 2, WIDTH // 2)).sum(0) % 2, np.ones((2, 2)))[:, :, None].repeat(3, 2) * 160
    between = checks.astype(np.uint8)
    with running(tmp_path, collect) as collector:
        for index, found in enumerate((objects(SURE), objects(), objects(SURE))):
            collector.take(detected(index, found, between if index == 1 else None))
        until(lambda: collector.health().added == 1)
    (frame,) = kept(tmp_path)
    assert frame.reasons == ("flicker",) and frame.objects == () and frame.blurred >= 1
    jpeg = cv2.imread(str(tmp_path / "state" / FIELD_FOLDER / f"{frame.sha256}.jpg"))
    left, top, right, bottom = map(int, PLACE)
    assert jpeg[top:bottom, left:right].std() < 20 < 60 < jpeg[:, :80].std()


def test_a_frame_is_kept_once_for_all_its_reasons(tmp_path):
    """An uncertain frame that flickers too would be there twice."""
    with running(tmp_path) as collector:
        other = Detections(np.array([[10, 10, 40, 40]], np.float32), np.array([0.3], np.float32), np.zeros(1, np.int32))
        for index, found in enumerate((objects(SURE), other, objects(SURE), objects(SURE))):
            collector.take(detected(index, found))
        until(lambda: collector.health().added == 1)
    assert [frame.reasons for frame in kept(tmp_path)] == [("uncertain",)]


def test_night_before_a_set_of_days_is_told_and_kept(tmp_path, monkeypatch):
    """What all of this is for."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    with running(tmp_path, seen=days()) as collector:
        ends_s = time.monotonic() + 20
        while not collector.health().drift and time.monotonic() < ends_s:
            collector.take(detected(0, objects(SURE), picture(30, seed=7)))
            time.sleep(0.002)
        health = collector.health()
        assert health.drift == 1.0 and health.unseen[0] == "light:night" and health.looked_at >= 50
        (told,) = collector.warnings()
        assert "INT8 was not calibrated for: night 100 %" in told and "next to none of set days" in told
        until(lambda: collector.health().added >= 1)
    assert {frame.reasons for frame in kept(tmp_path)} == {("far",)}
    assert all(frame.drift > 1.5 for frame in kept(tmp_path))


def test_days_before_a_set_of_days_are_no_news(tmp_path, monkeypatch):
    """A warning that is always there is none."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    with running(tmp_path, seen=days()) as collector:
        for index in range(20_000):
            collector.take(detected(index, objects(SURE), picture(120, seed=100 + index % 40)))
            if collector.health().looked_at:
                break
            time.sleep(0.002)
        health = collector.health()
        assert health.looked_at >= 50 and health.drift < 0.25 and collector.warnings() == []
    assert kept(tmp_path) == []


def test_every_camera_is_looked_at(tmp_path, monkeypatch):
    """Frames of two cameras come in turns: by the clock alone it could always be the same one."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    asked = []
    with running(tmp_path, streams=("gate", "yard"), seen=days()) as collector:
        monkeypatch.setattr(collector._looks, "ask", lambda wanted: asked.append(wanted.detected.frame.stream))
        for index in range(30):
            for stream in ("gate", "gate", "yard"):
                collector.take(detected(index, objects(SURE), stream=stream))
    assert asked.count("gate") == asked.count("yard") == 30


@pytest.mark.parametrize("damage", ["{", '{"set_name": "days"}'])
def test_a_service_works_without_knowing_its_set(tmp_path, damage, capsys):
    """A file that says what is usual must not keep cameras dark."""
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / SCENES_NAME).write_text(damage)
    with running(tmp_path) as collector:
        collector.take(detected(0, objects(SPEC.confidence + 0.01)))
        until(lambda: collector.health().added == 1)
        assert collector.health().drift is None and collector.warnings() == []
    assert "drift is not known" in capsys.readouterr().err
    assert kept(tmp_path)[0].drift is None


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path):
    """Collecting is an extra: nothing of it may end a service."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FIELD_FOLDER).write_text("in the way")
    with running(tmp_path) as collector:
        until(lambda: bool(collector.warnings()))
        collector.take(detected(0, objects(SPEC.confidence + 0.01)))
        assert "frames are not kept" in collector.warnings()[0]


def test_other_thresholds_make_another_band(tmp_path):
    """A release with other thresholds is taken over without a restart."""
    from dataclasses import replace

    with running(tmp_path) as collector:
        collector.take(detected(0, objects(0.6)))
        collector.retune(replace(SPEC, confidence=0.5))
        collector.take(detected(1, objects(0.6)))
        until(lambda: collector.health().added == 1)
        assert collector.health().reasons == {"uncertain": 1}


def test_a_picture_that_cannot_be_looked_at_costs_nothing_but_itself(tmp_path):
    """A camera that gives four rows for a moment must not end the thread that looks."""
    with running(tmp_path) as collector:
        collector.take(detected(0, objects(SPEC.confidence + 0.01), np.zeros((4, 4, 3), np.uint8)))
        until(lambda: any("not looked at" in told for told in collector.warnings()))
        moved = objects(SPEC.confidence + 0.01).with_boxes(np.array([[200, 60, 280, 120]], np.float32))
        until(lambda: collector.take(detected(1, moved)) or collector.health().added == 1)
        assert collector.warnings() == []
