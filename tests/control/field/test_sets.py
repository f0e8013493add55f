"""Accepted frames become two sets, and a frame that was once held out is never calibrated on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from edgekit.control.field import sets as module
from edgekit.control.field.ledger import CALIB, HOLDOUT, Side, read_sides
from edgekit.control.field.screen import screen
from edgekit.control.field.sets import write_field_sets
from edgekit.control.field.split import NewFrame, assign_sides
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.errors import CalibrationError, ConfigError, UsageError
from tests.kept_frames import KeptOnDevice
from tests.made_up_sets import quiet

NAMES = ("field-local", "field-local-holdout")


@pytest.fixture
def device(tmp_path):
    return KeptOnDevice(tmp_path, cameras=("gate",))


def write(device, **options):
    result = screen(device.project, device.fetch(), device.detector, quiet)
    return write_field_sets(device.project, device.device, device.detector, result, quiet, **options)


def digests(device, name):
    made = materialise(device.project, load_set(device.project, name), quiet)
    return {made.digests[path.name]: path.name for path in made.paths}


def test_the_two_sets_share_no_frame_and_can_be_used_as_any_other(device):
    """What is held out must be a measurement; and `calib inspect`, labels and selection must take both."""
    kept = device.keep_scenes("day", 12, "gate") + device.keep_scenes("night", 12, "yard")
    sets = write(device)
    calib, holdout = (digests(device, name) for name in NAMES)
    assert (sets.calib, sets.holdout) == NAMES
    assert (
        (sets.calib_pictures, sets.holdout_pictures) == (len(calib), len(holdout)) == (sets.new_calib, sets.new_holdout)
    )
    assert not calib.keys() & holdout.keys()
    assert calib.keys() | holdout.keys() == {one.sha256 for one in kept}
    assert 2 <= len(holdout) <= 8
    made = materialise(device.project, load_set(device.project, NAMES[0]), quiet)
    assert sets.calib_sha256 == made.sha256 == load_set(device.project, NAMES[0]).digest
    assert {made.tags[name] for name in made.tags} == {("camera-gate",), ("camera-yard",)}


def test_a_later_fetch_only_adds_and_no_frame_changes_sides(device):
    """A hold-out frame that moves to calibration makes every later figure too good."""
    device.keep_scenes("day", 12)
    write(device)
    before = {name: digests(device, name) for name in NAMES}
    device.keep_scenes("night", 12, "yard")
    sets = write(device, seed=99, holdout_share=0.5)
    after = {name: digests(device, name) for name in NAMES}
    assert all(before[name].items() <= after[name].items() for name in NAMES)
    assert sets.new_calib + sets.new_holdout == 12
    assert not after[NAMES[0]].keys() & after[NAMES[1]].keys()


def test_with_nothing_new_nothing_changes(device):
    """A refresh every week on a quiet site should find that nothing is to be done."""
    device.keep_scenes("day", 12)
    first = write(device)
    assert write(device) == replace(first, new_calib=0, new_holdout=0, notes=())


@pytest.mark.parametrize("point", ["_put", "_write_document", "check_set"])
def test_what_an_interruption_left_half_done_is_finished_with_the_same_sides(device, monkeypatch, point):
    """The power goes where it likes; a frame must not get another side by that."""
    device.keep_scenes("day", 10)
    calls = []
    real = getattr(module, point)

    def breaking(*given, **named):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*given, **named)

    monkeypatch.setattr(module, point, breaking)
    with pytest.raises(KeyboardInterrupt):
        write(device)
    decided = read_sides(device.project, "local")
    monkeypatch.undo()
    sets = write(device)
    assert read_sides(device.project, "local") == decided
    assert (sets.new_calib, sets.new_holdout) == (0, 0)
    assert sets.calib_pictures + sets.holdout_pictures == 10
    assert all(load_set(device.project, name).digest for name in NAMES)


def test_refused_frames_are_remembered_and_do_not_count_against_the_next_batch(device):
    """Ten black frames of a spring storm would else weigh on every refresh of the year."""
    device.keep_scenes("day", 6)
    for level in (1, 3):
        device.keep(np.full((180, 320, 3), level, np.uint8))
    write(device)
    device.keep_scenes("day", 1)
    again = screen(device.project, device.fetch(), device.detector, quiet)
    assert (len(again.accepted), again.refused, again.known) == (1, (), 8)


def test_a_refused_batch_makes_no_set(device):
    result = screen(device.project, device.fetch(), device.detector, quiet)
    poisoned = replace(result, batch_refusal="everything is black")
    with pytest.raises(UsageError, match="were refused"):
        write_field_sets(device.project, device.device, device.detector, poisoned, quiet)


def test_without_a_frame_there_is_no_set(device):
    sets = write(device)
    assert (sets.calib, sets.holdout, sets.calib_pictures, sets.calib_sha256) == ("", "", 0, "")
    assert not list(device.project.calib_sets_dir.glob("field-*/set.yaml"))


def test_what_people_wrote_in_set_yaml_stays(device):
    """Labels, a licence, a comment: a fetch is no reason to lose them."""
    device.keep_scenes("day", 10)
    write(device)
    path = device.project.calib_sets_dir / NAMES[0] / "set.yaml"
    path.write_text("# ours\n" + path.read_text() + "licence: internal\n")
    device.keep_scenes("night", 10)
    write(device)
    assert path.read_text().startswith("# ours\n") and "licence: internal\n" in path.read_text()
    assert load_set(device.project, NAMES[0]).licence == "internal"


def test_a_person_can_take_a_frame_out_for_good(device):
    """Somebody looks and finds a face: one word in sides.json, and no fetch brings it back."""
    device.keep_scenes("day", 10)
    first = write(device)
    path = device.project.calib_sets_dir / NAMES[0] / "sides.json"
    document = json.loads(path.read_text())
    unwanted = next(key for key, side in document["frames"].items() if side["side"] == "calib")
    document["frames"][unwanted]["side"] = "out"
    path.write_text(json.dumps(document))
    for _ in range(2):
        sets = write(device)
        assert sets.calib_pictures == first.calib_pictures - 1
        assert unwanted not in digests(device, NAMES[0])


@pytest.mark.parametrize(
    "damage", ["", "{", '{"device": "local"', '{"device": "local", "frames": {"a": {"side": "x"}}}']
)
def test_a_damaged_memory_of_sides_stops_it(device, damage):
    """Begun anew it would calibrate on what is held out, and nobody would notice."""
    device.keep_scenes("day", 10)
    write(device)
    (device.project.calib_sets_dir / NAMES[0] / "sides.json").write_text(damage)
    with pytest.raises(ConfigError, match=r"sides\.json cannot be used"):
        write(device)


def test_two_devices_whose_sets_would_have_one_name_are_told(device):
    """field-a-holdout is a set of device a, and also that of a device called a-holdout."""
    device.keep_scenes("day", 10)
    write(device)
    path = device.project.calib_sets_dir / NAMES[0] / "sides.json"
    path.write_text(path.read_text().replace('"local"', '"other"', 1))
    with pytest.raises(ConfigError, match="is of device 'other'"):
        write(device)


def test_pictures_come_back_from_the_device_after_the_state_folder_was_deleted(device):
    """It may be deleted, says the kit; sides stay with the project."""
    device.keep_scenes("day", 10)
    first = write(device)
    for folder in ("field", "field_sets", "cache"):
        shutil.rmtree(device.project.state_dir / folder)
    assert replace(write(device), notes=()) == replace(first, new_calib=0, new_holdout=0, notes=())


def test_pictures_that_are_nowhere_any_more_are_told(device):
    device.keep_scenes("day", 10)
    first = write(device)
    for folder in ("field", "field_sets", "cache"):
        shutil.rmtree(device.project.state_dir / folder)
    for path in sorted(device.folder.iterdir())[:4]:
        path.unlink()
    sets = write(device)
    assert sets.calib_pictures + sets.holdout_pictures == first.calib_pictures + first.holdout_pictures - 2
    assert "neither on this machine nor on the device any more" in " ".join(sets.notes)


def test_a_picture_that_was_changed_here_is_noticed_by_its_digest(device):
    """The sets are pinned like any other."""
    device.keep_scenes("day", 10)
    write(device)
    picture = next((device.project.state_dir / "field_sets" / NAMES[0]).glob("*/*.jpg"))
    content = bytearray(picture.read_bytes())
    content[300] ^= 1
    picture.write_bytes(content)
    with pytest.raises(CalibrationError, match="not those that digest"):
        materialise(device.project, load_set(device.project, NAMES[0]), quiet)


# Which side


def frames(count, *, every_s, stream="gate", first_s=1_000_000.0, strata=("light:day",), start=0):
    return [
        NewFrame(f"{stream}{start + number:063d}", stream, first_s + number * every_s, strata)
        for number in range(count)
    ]


def sides_of(found):
    return [found.sides[key].side for key in sorted(found.sides)]


def test_frames_of_one_stretch_of_time_stay_together():
    """Frames a second apart show the same cars; one on each side would measure what was calibrated on."""
    found = assign_sides(frames(200, every_s=60), {}, 0.2, 0)
    assert found.stretch_s == 900
    by_stretch = {}
    for side in found.sides.values():
        by_stretch.setdefault(side.from_s, set()).add(side.side)
    assert all(len(sides) == 1 for sides in by_stretch.values())
    assert 0.1 < sides_of(found).count(HOLDOUT) / 200 < 0.3


def test_a_rare_stratum_is_on_both_sides():
    """A hold-out without night says nothing of night."""
    night = frames(30, every_s=900, first_s=5_000_000.0, stream="yard", strata=("light:night",))
    found = assign_sides(frames(300, every_s=900) + night, {}, 0.2, 0)
    held = [key for key, side in found.sides.items() if side.side == HOLDOUT]
    assert 3 <= sum(key.startswith("yard") for key in held) <= 9


def test_frames_of_little_time_are_parted_by_shorter_stretches():
    """On the first evening there is an hour, or a minute; without a hold-out nothing could be judged at all."""
    assert assign_sides(frames(60, every_s=60), {}, 0.2, 0).stretch_s == 180
    short = assign_sides(frames(60, every_s=1), {}, 0.2, 0)
    assert short.stretch_s == 5
    assert set(sides_of(short)) == {CALIB, HOLDOUT}


def test_a_frame_of_a_stretch_that_has_a_side_joins_it():
    first = assign_sides(frames(200, every_s=60), {}, 0.2, 0).sides
    later = assign_sides(frames(199, every_s=60, first_s=1_000_030.0, start=1000), first, 0.2, 7)
    joined = {side.from_s: side.side for side in first.values()}
    assert later.stretch_s == 0
    assert all(side.side == joined[side.from_s] for side in later.sides.values())


def test_the_share_is_that_of_all_frames_and_not_of_the_new_ones():
    """Twenty small fetches must not end with everything on one side."""
    sides: dict[str, Side] = {}
    for week in range(20):
        new = frames(3, every_s=1000, first_s=1_000_000.0 + week * 600_000, start=week * 10)
        sides |= assign_sides(new, sides, 0.2, 0).sides
    assert 0.1 < sum(side.side == HOLDOUT for side in sides.values()) / 60 < 0.3


def test_one_frame_has_a_side():
    assert sides_of(assign_sides(frames(1, every_s=1), {}, 0.2, 0)) == [CALIB]


def test_the_same_frames_and_seed_give_the_same_sides_in_any_order():
    new = frames(100, every_s=400)
    assert assign_sides(new, {}, 0.2, 3) == assign_sides(new[::-1], {}, 0.2, 3)
