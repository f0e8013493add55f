"""What of a device's frames may be used: hostile, worthless and repeated ones are not, and honest ones are."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgekit.control.field.doubts import contradiction, nothing_to_see
from edgekit.control.field.look import look
from edgekit.control.field.screen import REFUSALS, safe_to_show, screen, set_aside
from edgekit.core.collecting import CollectSettings
from edgekit.core.detections import Detections
from edgekit.core.field import KeptObject
from edgekit.core.scene_descriptor import describe, small_size
from edgekit.core.strata import measured_strata, strata_of
from edgekit.files import sha256_file
from edgekit.runtime.field.keeper import Draft, Keeper
from edgekit.scenes import CONDITIONS, render_scene, split_seed
from tests.kept_frames import NOW_S, KeptOnDevice
from tests.made_up_sets import quiet

BLACK = np.zeros((180, 320, 3), np.uint8)


@pytest.fixture
def device(tmp_path):
    return KeptOnDevice(tmp_path)


def screened(device):
    return screen(device.project, device.fetch(), device.detector, quiet)


def reasons(result):
    return Counter(one.why for one in result.refused)


def noisy(level, seed, spread=2.0):
    random = np.random.default_rng(seed)
    return np.clip(random.normal(level, spread, (180, 320, 3)), 0, 255).astype(np.uint8)


def test_frames_of_honest_cameras_are_accepted_in_every_condition(device):
    """Night and fog are what a refresh is for: a rule that took them for damage would defeat it."""
    for condition in ("day", "dusk", "night", "fog", "rain", "low-sun", "noise", "blur"):
        device.keep_scenes(condition, 2, "gate")
        device.keep_scenes(condition, 2, "yard")
    result = screened(device)
    assert (len(result.accepted), result.refused, result.batch_refusal) == (32, (), "")
    times = [one.frame.kept.time_unix_s for one in result.accepted]
    assert times == sorted(times)
    assert any("light:night" in one.strata for one in result.accepted)


def test_a_poisoned_few_are_refused_each_with_its_reason_and_the_rest_is_used(device):
    """One covered camera must not cost the site its refresh."""
    honest = device.keep_scenes("day", 20) + device.keep_scenes("night", 20, "yard")
    device.keep(BLACK)
    device.keep(noisy(4, 1), "yard")
    device.keep(np.full_like(BLACK, 128))
    device.keep_scenes("night", 1, strata=("light:day", "weather:clear"))
    device.keep_scenes("day", 1, objects=(KeptObject("tank", 0.9, (1.0, 2.0, 3.0, 4.0)),))
    good = device.keep_scenes("day", 1)[0]
    device.write((device.folder / f"{good.sha256}.jpg").read_bytes()[:-300], replace(good, sha256="", bytes=0))
    result = screened(device)
    assert {one.frame.kept.sha256 for one in result.accepted} == {kept.sha256 for kept in [*honest, good]}
    assert reasons(result) == {"dark": 3, "mislabelled": 1, "foreign": 1, "unreadable": 1}
    assert result.batch_refusal == ""
    assert list(result.counts()) == [why for why in REFUSALS if why in reasons(result)]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_no_scene_contradicts_itself_after_jpeg_and_none_shows_nothing(tmp_path, condition):
    """The device measured before it wrote the JPEG; the host measures what another decoder makes of it."""
    for number in range(8):
        pixels = render_scene(split_seed("calib", 95_000 + number), condition, 640, 360).frame
        described = describe(cv2.resize(pixels, small_size(640, 360), interpolation=cv2.INTER_AREA))
        path = tmp_path / f"{number}.jpg"
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
        seen = look(path, sha256_file(path), 640, 360)
        kept = replace(HONEST, strata=strata_of(described))
        assert contradiction(kept, seen.described) == ""
        assert nothing_to_see(seen) == ""


@pytest.fixture(autouse=True)
def honest(tmp_path_factory):
    """A frame's JSON whose strata each test replaces."""
    global HONEST
    HONEST = KeptOnDevice(tmp_path_factory.mktemp("honest")).keep_scenes("day", 1)[0]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("light:night",), "its light night, measured here it is day"),
        (("light:day", "light:night"), "its light day and night"),
        (("light:blue",), "its light blue"),
        (("weather:fog",), "its weather fog"),
        (("glare:glare",), "its glare glare"),
        (("noise:noise",), "its noise noise"),
        (("blur:blur",), "its blur blur"),
        ((), ""),
        (("light:day", "weather:clear", "tag:anything", "class:car", "objects:crowded"), ""),
    ],
)
def test_strata_that_the_picture_contradicts_are_named(said, told):
    """Frames are chosen for what they are called; a night called day would take the place of one."""
    found = contradiction(replace(HONEST, strata=said), HONEST.described)
    assert told in found and bool(told) == bool(found)


def test_boxes_made_unrecognisable_are_no_contradiction():
    """Blurring smooths the picture after the device measured it; that must not look like a lie."""
    smooth = replace(HONEST.described, sharpness=0.5, noise=0.0, edges=0.01)
    sharp = replace(HONEST, strata=("light:day", "weather:clear", "blur:none", "noise:none"))
    assert "blur" in contradiction(sharp, smooth)
    assert contradiction(replace(sharp, blurred=2), smooth) == ""
    assert "light" in contradiction(replace(sharp, blurred=2, strata=("light:night",)), smooth)


def test_frames_of_the_real_keeper_are_accepted_with_and_without_blurred_boxes(device):
    """What one writes and the other judges must fit; a large blurred box is no lie of the device."""
    boxes = np.array([[20, 30, 200, 170], [210, 60, 300, 150]], np.float32)
    found = Detections(boxes, np.array([0.5, 0.6], np.float32), np.array([0, 1], np.int32))
    given = {"service": "tiny", "engine_id": "0123456789abcdef"}
    for blur in ((), ("car", "person")):
        settings = CollectSettings(blur=blur)
        with Keeper(device.folder, settings, ("car", "person"), **given) as keeper:
            for number, condition in enumerate(CONDITIONS):
                seed = split_seed("calib", 96_000 + 100 * len(blur) + number)
                pixels = render_scene(seed, condition, 320, 180).frame
                described = describe(cv2.resize(pixels, small_size(320, 180), interpolation=cv2.INTER_AREA))
                strata = strata_of(described, labels=("car", "person"))
                stream = ("gate", "yard")[number % 2]
                draft = Draft(stream, ("far",), strata, described, 1.2, NOW_S + 60 * number + len(blur))
                while not keeper.offer(pixels, found, draft):
                    time.sleep(0.01)
    result = screened(device)
    assert len(result.accepted) == 2 * len(CONDITIONS), [one.detail for one in result.refused]
    assert sum(one.frame.kept.blurred == 2 for one in result.accepted) == len(CONDITIONS)


def test_a_measure_at_its_threshold_may_fall_on_either_side():
    """Else a dusk that is nearly day would count as a lie half of the time."""
    edge = replace(HONEST.described, light=78.5)
    assert measured_strata(edge)["light"] == "day"
    for name in ("day", "dusk"):
        assert contradiction(replace(HONEST, strata=(f"light:{name}",)), edge) == ""


def test_what_a_set_of_the_project_shows_is_refused_exactly_and_nearly(device, tmp_path):
    """A frame that is in the frozen set as well would make accuracy a memory test."""
    kept = device.keep_scenes("day", 2)
    folder = tmp_path / "calib_sets" / "old"
    (folder / "images").mkdir(parents=True)
    first = device.folder / f"{kept[0].sha256}.jpg"
    (folder / "images" / "same.jpg").write_bytes(first.read_bytes())
    second = cv2.imread(str(device.folder / f"{kept[1].sha256}.jpg"))
    cv2.imwrite(str(folder / "images" / "near.jpg"), second, [cv2.IMWRITE_JPEG_QUALITY, 60])
    (folder / "set.yaml").write_text("images: {folder: images}\n")
    result = screened(device)
    assert result.accepted == ()
    assert {one.why: one.detail for one in result.refused} == {
        "duplicate": "it is old/same.jpg",
        "near duplicate": "it shows what old/near.jpg does",
    }
    assert result.batch_refusal == "", "repeats are no fault of the device"


def test_a_fixed_camera_repeats_itself_only_where_the_objects_do_too(device):
    """Its background is always the same: by the picture alone one frame a day would be all that is ever used."""
    pixels = render_scene(split_seed("calib", 7), "day", 320, 180).frame
    here = (KeptObject("car", 0.4, (10.0, 10.0, 60.0, 50.0)),)
    moved = (KeptObject("car", 0.4, (200.0, 10.0, 250.0, 50.0)),)
    for number, objects in enumerate([here, here, moved, (), here + moved, ()]):
        changed = pixels.copy()
        changed[0, number] ^= 8  # another file, the same scene
        device.keep(changed, objects=objects)
    result = screened(device)
    assert [one.frame.kept.objects for one in result.accepted] == [here, moved, (), here + moved]
    assert reasons(result) == {"near duplicate": 2}


def test_a_set_that_cannot_be_read_is_told_and_does_not_stop_it(device, tmp_path):
    device.keep_scenes("day", 1)
    folder = tmp_path / "calib_sets" / "broken"
    folder.mkdir(parents=True)
    (folder / "set.yaml").write_text("images: {folder: nowhere}\n")
    result = screened(device)
    assert len(result.accepted) == 1
    assert "set broken could not be compared" in result.notes[0]


def test_a_batch_that_is_mostly_bad_is_refused_as_a_whole(device):
    """If the cameras are covered, what little they gave besides is not to be trusted either."""
    device.keep_scenes("day", 10)
    for number in range(11):
        device.keep(noisy(2 + number, number))
    result = screened(device)
    assert "11 of 21 new frames cannot be used, more than 50 %: 11 show nothing" in result.batch_refusal


def test_a_batch_whose_labels_are_often_wrong_is_refused_as_a_whole(device):
    """A device that calls night day in one frame of four calls it so in others that nobody can prove."""
    device.keep_scenes("night", 6, strata=("light:day",))
    device.keep_scenes("day", 18, "yard")
    result = screened(device)
    assert "6 of 24 new frames contradict what the device calls them" in result.batch_refusal
    assert "measured here it is night" in result.batch_refusal


def test_one_camera_that_gives_nearly_everything_stops_the_batch(device):
    """INT8 would be calibrated for that camera, and the others would pay."""
    device.keep_scenes("day", 17, "gate")
    device.keep_scenes("day", 3, "yard")
    assert "85 % of 20 good new frames are of camera gate" in screened(device).batch_refusal


def test_one_camera_that_gives_too_much_is_thinned_over_time_and_that_is_told(device):
    gate = device.keep_scenes("day", 14, "gate")
    device.keep_scenes("day", 6, "yard")
    result = screened(device)
    staying = [one.frame.kept for one in result.accepted if one.frame.kept.stream == "gate"]
    assert (len(staying), reasons(result), result.batch_refusal) == (9, {"flood": 5}, "")
    assert (staying[0], staying[-1]) == (gate[0], gate[-1])
    assert "5 of 14 frames of camera gate are left out" in result.notes[0]


def test_a_device_with_a_single_camera_floods_nothing(tmp_path):
    device = KeptOnDevice(tmp_path, cameras=())
    device.keep_scenes("day", 12, "")
    assert (len(screened(device).accepted), screened(device).batch_refusal) == (12, "")


def test_judging_again_without_a_decision_gives_the_same_judgement(device):
    """A refresh that is interrupted after it must not find other frames, or none."""
    device.keep_scenes("day", 4)
    device.keep(BLACK)
    first = screened(device)
    assert screened(device) == first


def test_a_batch_that_was_set_aside_is_not_judged_again_and_the_next_one_is_judged_for_itself(device):
    """A poisoned week must not refuse every refresh of the year, nor slip in by the next one."""
    poisoned = device.keep_scenes("day", 2)
    for number in range(5):
        device.keep(noisy(2 + number, number))
    fetched = device.fetch()
    result = screen(device.project, fetched, device.detector, quiet)
    assert result.batch_refusal
    set_aside(device.project, fetched, result)
    device.keep_scenes("night", 3)
    after = screened(device)
    assert (len(after.accepted), after.refused, after.batch_refusal, after.known) == (3, (), "", 7)
    assert not {kept.sha256 for kept in poisoned} & {one.frame.kept.sha256 for one in after.accepted}


def test_only_pictures_that_were_read_whole_are_ever_shown(device):
    """A page embeds thumbnails in this process, so a hostile picture must not get there."""
    good = device.keep_scenes("day", 1)[0]
    device.keep(BLACK)
    device.write((device.folder / f"{good.sha256}.jpg").read_bytes()[:-300], replace(good, sha256="", bytes=0))
    fetched = device.fetch()
    result = screen(device.project, fetched, device.detector, quiet)
    assert [frame.kept for frame in safe_to_show(device.project, fetched, result)] == [good]
    assert {one.why: bool(one.path) for one in result.refused} == {"dark": True, "unreadable": False}


def test_nothing_new_is_no_refusal(device):
    result = screened(device)
    assert (result.batch, result.known, result.batch_refusal) == (0, 0, "")
