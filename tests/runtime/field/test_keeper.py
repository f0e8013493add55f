"""Between the service and the folder: frames never wait, what is hidden is hidden in the file, trouble is told."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.core.collecting import CollectSettings
from edgekit.core.detections import Detections
from edgekit.core.scene_descriptor import describe
from edgekit.runtime import space
from edgekit.runtime.field import keeper as keeper_module
from edgekit.runtime.field.keeper import Draft, Keeper
from edgekit.runtime.field.kept import look
from edgekit.runtime.field.store import FieldStore

LABELS = ("person", "car", "plate")
PIXELS = np.random.default_rng(2).integers(0, 256, (96, 160, 1), dtype=np.uint8).repeat(3, axis=2)
COLLECT = CollectSettings()
FOUND = Detections(
    np.array([[10.25, 10, 40, 60], [70, 20, 140, 80]], np.float32),
    np.array([0.91239, 0.4], np.float32),
    np.array([0, 1], np.int32),
)


def keeper_of(folder, settings=COLLECT, **rest):
    return Keeper(folder, settings, LABELS, service="street", engine_id="e-1", **rest)


def draft(number=0, **rest):
    values = {"stream": "gate", "reasons": ("rare", "random"), "strata": ("light:day", "class:car")}
    return Draft(**{**values, "described": describe(PIXELS), "drift": 0.5, "time_unix_s": 1000.0 + number, **rest})


def pixels(number):
    return np.roll(PIXELS, 7 * number, axis=1)


def wait_until(holds, timeout_s=20.0):
    until_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until_s, "it never came to that"
        time.sleep(0.005)


def test_a_frame_is_kept_with_everything_that_is_known_of_it(tmp_path):
    """On the host nobody can ask again."""
    with keeper_of(tmp_path / "field") as keeper:
        assert keeper.offer(PIXELS, FOUND, draft())
        wait_until(lambda: keeper.added == 1)
        assert (keeper.kept, keeper.removed, keeper.problems) == (1, 0, [])
        assert keeper.reasons == {"rare": 1, "random": 1}
        assert keeper.kept_mib > 0
    (entry,) = look(tmp_path / "field")
    frame = entry.frame
    assert (frame.width_px, frame.height_px, frame.service, frame.engine_id) == (160, 96, "street", "e-1")
    assert [(one.label, one.score, one.box_xyxy) for one in frame.objects] == [
        ("person", 0.9124, (10.25, 10.0, 40.0, 60.0)),
        ("car", 0.4, (70.0, 20.0, 140.0, 80.0)),
    ]
    assert (frame.drift, frame.blurred, frame.stream, frame.time_unix_s) == (0.5, 0, "gate", 1000.0)
    content = (tmp_path / "field" / f"{frame.sha256}.jpg").read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (frame.sha256, frame.bytes)
    seen = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(seen.astype(int) - PIXELS).mean() < 4


def kept_picture(folder):
    (path,) = folder.glob("*.jpg")
    return cv2.imread(str(path))


def test_what_is_to_be_hidden_is_hidden_in_the_file_and_only_that(tmp_path):
    """A switch that does nothing breaks a promise to everyone who walks past."""
    with keeper_of(tmp_path / "field", CollectSettings(blur=("person",))) as keeper:
        keeper.offer(PIXELS, FOUND, draft())
    seen = kept_picture(tmp_path / "field")
    person, car = seen[12:58, 12:38], seen[30:70, 80:130]
    assert person.std() < 30 < PIXELS[12:58, 12:38].std()
    assert np.abs(car.astype(int) - PIXELS[30:70, 80:130]).mean() < 4
    assert look(tmp_path / "field")[0].frame.blurred == 1


def test_a_person_that_flickers_is_hidden_where_the_frames_around_saw_it(tmp_path):
    """The frame is kept because the detector missed the person; so it cannot say what to hide."""
    settings = CollectSettings(blur=("person",))
    with keeper_of(tmp_path / "field", settings) as keeper:
        keeper.offer(PIXELS, FOUND.select(np.array([1])), draft(around=FOUND.select(np.array([0]))))
    assert kept_picture(tmp_path / "field")[12:58, 12:38].std() < 30
    (entry,) = look(tmp_path / "field")
    assert (entry.frame.blurred, len(entry.frame.objects)) == (1, 1)


def test_nothing_is_kept_where_what_is_to_be_hidden_cannot_be_seen(tmp_path):
    """A spelling mistake would keep everyone's face."""
    with keeper_of(tmp_path / "field", CollectSettings(blur=("persons",))) as keeper:
        assert not keeper.offer(PIXELS, FOUND, draft())
        (problem,) = keeper.problems
    assert problem == "frames are not kept: persons should be blurred, and this detector does not find that"
    assert not (tmp_path / "field").exists()


@pytest.mark.timed
def test_offering_never_waits_for_a_disk_that_hangs(tmp_path, monkeypatch):
    """A worn card that takes seconds would stop the cameras."""
    go_on, begun = threading.Event(), threading.Event()

    class Hanging(FieldStore):
        def add(self, jpeg, frame):
            begun.set()
            go_on.wait(20)
            return super().add(jpeg, frame)

    monkeypatch.setattr(keeper_module, "FieldStore", Hanging)
    large = np.zeros((1080, 1920, 3), np.uint8)
    with keeper_of(tmp_path / "field") as keeper:
        keeper.offer(large, FOUND, draft())
        assert begun.wait(20)
        started_s = time.monotonic()
        taken = [keeper.offer(large, FOUND, draft(number)) for number in range(50)]
        assert time.monotonic() - started_s < 1.0
        assert taken == [True] * 10 + [False] * 40  # 64 MiB of memory
        go_on.set()
    assert keeper.added == 1  # the same picture eleven times


def test_a_frame_larger_than_the_queue_is_taken_when_nothing_waits(tmp_path, monkeypatch):
    """A camera of 50 megapixels would never keep one."""
    monkeypatch.setattr(keeper_module, "_WAITING_BYTES", 1000)
    with keeper_of(tmp_path / "field") as keeper:
        assert keeper.offer(PIXELS, FOUND, draft())
    assert keeper.added == 1


def test_what_waits_at_the_end_is_kept(tmp_path):
    """The last frames before a restart are often the interesting ones."""
    keeper = keeper_of(tmp_path / "field")
    with keeper:
        assert all(keeper.offer(pixels(number), FOUND, draft(number)) for number in range(5))
    assert (keeper.added, keeper.kept, len(look(tmp_path / "field"))) == (5, 5, 5)
    assert not keeper.offer(PIXELS, FOUND, draft())


def test_a_second_keeper_takes_over_after_the_first(tmp_path):
    """After new settings were taken over without a restart, nothing would be kept any more."""
    with keeper_of(tmp_path / "field") as first:
        first.offer(PIXELS, FOUND, draft())
        wait_until(lambda: first.added == 1)
        with keeper_of(tmp_path / "field") as second:
            wait_until(lambda: second.problems)
            assert "already" in second.problems[0]
            first.close()
            second.offer(pixels(1), FOUND, draft())
            wait_until(lambda: second.added == 1)
            assert (second.kept, second.problems) == (2, [])


def test_a_disk_without_room_is_told_until_there_is_some(tmp_path, monkeypatch):
    """The service must go on, and someone must know why nothing is kept."""
    monkeypatch.setattr(space, "FLOOR_SHARE", 1.0)
    with keeper_of(tmp_path / "field") as keeper:
        keeper.offer(PIXELS, FOUND, draft())
        wait_until(lambda: keeper.problems)
        assert keeper.problems[0].startswith("frames are not kept: the disk under ")
        monkeypatch.undo()
        keeper.offer(PIXELS, FOUND, draft())
        wait_until(lambda: keeper.added == 1)
        assert keeper.problems == []


def test_a_folder_that_cannot_be_made_is_a_problem_and_no_error(tmp_path):
    """A file of that name, or a disk mounted read-only, must not end the detection."""
    (tmp_path / "state").write_text("a file")
    with keeper_of(tmp_path / "state" / "field") as keeper:
        wait_until(lambda: keeper.problems)
        assert keeper.problems == [f"frames are not kept: {tmp_path}/state/field cannot be written: Not a directory"]
        assert keeper.offer(PIXELS, FOUND, draft())
        (tmp_path / "state").unlink()
        wait_until(lambda: keeper.offer(PIXELS, FOUND, draft()) and keeper.added == 1)
        assert keeper.problems == []


def test_a_frame_that_cannot_be_encoded_does_not_end_the_worker(tmp_path):
    """One bad frame would end the collecting until the next restart."""
    with keeper_of(tmp_path / "field") as keeper:
        keeper.offer(np.zeros((0, 0, 3), np.uint8), FOUND, draft())
        wait_until(lambda: keeper.problems)
        assert keeper.offer(PIXELS, FOUND, draft())
        wait_until(lambda: keeper.added == 1)
        assert keeper.kept == 1


def test_the_worker_steps_back_behind_the_frames(tmp_path):
    """Encoding a large picture would take the core that decodes the next one."""
    before = os.getpriority(os.PRIO_PROCESS, os.getpid())
    with keeper_of(tmp_path / "field") as keeper:
        keeper.offer(PIXELS, FOUND, draft())
        wait_until(lambda: keeper.added == 1)
        tid = keeper._worker.native_id
        stat = Path(f"/proc/{os.getpid()}/task/{tid}/stat").read_text().rpartition(")")[2].split()
        assert int(stat[16]) == 10  # nice; proc(5), field 19
        assert os.getpriority(os.PRIO_PROCESS, os.getpid()) == before


def test_frames_that_went_for_room_are_counted(tmp_path):
    """Health would say that everything that was ever kept is there."""
    picture = np.random.default_rng(3).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    with keeper_of(tmp_path / "field", CollectSettings(quota_mib=8)) as keeper:
        for number in range(6):
            wait_until(lambda number=number: keeper.offer(np.roll(picture, number * 5), FOUND, draft(number)))
    assert keeper.added == 6
    assert keeper.removed == 6 - keeper.kept > 0
    assert keeper.kept_mib <= 8


@pytest.mark.parametrize("label", ["person", "7"])
def test_a_class_without_a_name_is_told_by_its_number(tmp_path, label):
    """The labels may be of another model; the frame must not be lost for that."""
    found = Detections(FOUND.boxes_xyxy[:1], FOUND.scores[:1], np.array([0 if label == "person" else 7], np.int32))
    with keeper_of(tmp_path / "field") as keeper:
        keeper.offer(PIXELS, found, draft())
    assert look(tmp_path / "field")[0].frame.objects[0].label == label
