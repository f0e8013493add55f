"""A digest pins the pictures of a set, tags say what they are, and sets picked from others stay what they were."""

from __future__ import annotations

import pytest

from edgekit.control.sets.adding import Wanted, add_sources
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.control.sets.checking import check_set
from edgekit.control.sets.picture_lists import read_picture_list, write_picture_list
from edgekit.errors import CalibrationError, ConfigError, NotFoundError
from tests.made_up_sets import make_project, quiet, save_scene, save_scenes


@pytest.fixture
def project(tmp_path):
    made = make_project(tmp_path)
    add_sources(
        made, Wanted("yard", (str(save_scenes(tmp_path / "pictures", {"day": 3, "fog": 2})),)), quiet, write=True
    )
    return made


def make(project, name="yard"):
    return materialise(project, load_set(project, name), quiet)


def define(project, name, text, listed=None):
    folder = project.calib_sets_dir / name
    folder.mkdir(parents=True)
    (folder / "set.yaml").write_text(text)
    if listed is not None:
        write_picture_list(folder / "pictures.sha256", listed)
    return folder


def test_a_changed_a_lost_and_a_new_picture_are_named(project):
    """An engine built from other pictures than last time would differ without anybody knowing why."""
    folder = project.root / "pictures"
    save_scene(folder / "day/0.jpg", "day", 90)
    (folder / "day/1.jpg").unlink()
    save_scene(folder / "fog/9.jpg", "fog", 91)
    with pytest.raises(CalibrationError) as caught:
        make(project)
    assert caught.value.why.splitlines() == [
        "1 changed: pictures__day__0.jpg",
        "1 missing: pictures__day__1.jpg",
        "1 new: pictures__fog__9.jpg",
    ]
    assert "calib check yard --pin" in caught.value.hint


def test_without_its_list_a_mismatch_is_still_an_error(project):
    (project.calib_sets_dir / "yard/pictures.sha256").unlink()
    (project.root / "pictures/day/1.jpg").unlink()
    with pytest.raises(CalibrationError, match="not those that digest") as caught:
        make(project)
    assert "4 pictures" in caught.value.why


def test_pinning_accepts_what_is_there_and_keeps_the_file(project):
    path = project.calib_sets_dir / "yard/set.yaml"
    path.write_text(path.read_text() + "# a note that somebody wrote\n")
    (project.root / "pictures/day/1.jpg").unlink()
    checked = check_set(project, "yard", quiet, pin=True)
    assert make(project).sha256 == checked.sha256
    assert "# a note that somebody wrote" in path.read_text()
    assert path.read_text().count("digest: ") == 2  # of the comment and the key
    assert len(read_picture_list(path.parent / "pictures.sha256")) == 4


def test_a_set_without_a_digest_can_be_pinned(project):
    define(project, "plain", f"images: {{folder: {project.root}/pictures}}   # ours\n")
    assert not check_set(project, "plain", quiet).pinned
    check_set(project, "plain", quiet, pin=True)
    assert load_set(project, "plain").digest == make(project, "plain").sha256
    assert "# ours" in (project.calib_sets_dir / "plain/set.yaml").read_text()


def test_tags_come_from_folder_source_and_pattern(project):
    define(
        project,
        "tagged",
        f"sources:\n- {{folder: {project.root}/pictures, tags: [camera-gate], name: gate}}\n"
        "tags: {'gate/fog/*': [mist, wet], '*__0.jpg': first}\n",
    )
    made = make(project, "tagged")
    assert made.tags["gate__fog__0.jpg"] == ("fog", "camera-gate", "mist", "wet", "first")
    assert made.tags["gate__day__1.jpg"] == ("day", "camera-gate")
    assert set(made.groups.values()) == {"camera-gate"}


def test_a_pattern_that_matches_nothing_is_a_problem(project):
    define(project, "tagged", f"images: {{folder: {project.root}/pictures}}\ntags: {{'nigth/*': night}}\n")
    assert check_set(project, "tagged", quiet).problems == ("tags: no picture is named like 'nigth/*'",)


def test_a_set_that_shares_pictures_with_a_frozen_set_is_unfit(project):
    """Accuracy measured on what was calibrated with flatters."""
    detector = project.detectors_dir / "tiny/detector.yaml"
    detector.write_text(detector.read_text() + "frozen: plain\n")
    define(project, "plain", f"images: {{folder: {project.root}/pictures/day}}\n")
    checked = check_set(project, "yard", quiet)
    assert len(checked.problems) == 1
    assert "3 of its pictures are in plain too" in checked.problems[0]
    assert "no labels" in check_set(project, "plain", quiet).problems[0]


def picked(project, *names, part="yard"):
    digests = make(project, part).digests
    return {f"{part}/{name}": digests[name] for name in names}


def test_a_picked_set_is_a_part_of_others_with_their_tags(project):
    listed = picked(project, "pictures__day__0.jpg", "pictures__fog__1.jpg")
    define(project, "few", "pick: {from: [yard]}\n", listed)
    made = make(project, "few")
    assert [path.name for path in made.paths] == ["pictures__day__0.jpg", "pictures__fog__1.jpg"]
    assert made.counts == {"day": 1, "fog": 1}
    assert made.tags["pictures__fog__1.jpg"] == ("fog",)


def test_pictures_of_two_sets_are_told_apart_by_the_sets_name(project):
    define(project, "plain", f"images: {{folder: {project.root}/pictures}}\n")
    listed = picked(project, "pictures__day__0.jpg") | picked(project, "day__0.jpg", part="plain")
    define(project, "both", "pick: {from: [yard, plain]}\n", listed)
    assert [path.name for path in make(project, "both").paths] == ["plain__day__0.jpg", "yard__pictures__day__0.jpg"]


def test_truth_travels_with_picked_pictures(project):
    define(project, "street", "scenes: {count: 4, width: 160, height: 96, conditions: [day, fog]}\n")
    street = make(project, "street")
    define(project, "few", "pick: {from: [street]}\n", picked(project, "fog-00001.jpg", part="street"))
    truth = make(project, "few").truth
    assert list(truth.pictures) == ["fog-00001.jpg"]
    expected = street.truth.pictures["fog-00001.jpg"].objects.boxes_xyxy.tolist()
    assert truth.pictures["fog-00001.jpg"].objects.boxes_xyxy.tolist() == expected
    define(
        project,
        "mixed",
        "pick: {from: [street, yard]}\n",
        {**picked(project, "pictures__day__0.jpg"), **picked(project, "fog-00001.jpg", part="street")},
    )
    assert make(project, "mixed").truth is None


@pytest.mark.parametrize(
    ("listed", "error", "said"),
    [
        ({"yard/gone.jpg": "0" * 64}, CalibrationError, "no longer there"),
        ({"yard/pictures__day__0.jpg": "0" * 64}, CalibrationError, "no longer there"),
        ({"other/a.jpg": "0" * 64}, ConfigError, "names no set of pick.from"),
        ({}, CalibrationError, "picks no picture"),
        (None, NotFoundError, "no file"),
    ],
)
def test_a_picked_set_whose_pictures_are_not_there_is_refused(project, listed, error, said):
    define(project, "few", "pick: {from: [yard]}\n", listed)
    with pytest.raises(error, match=said):
        make(project, "few")


def test_sets_that_pick_from_each_other_are_refused(project):
    for name, other in (("one", "two"), ("two", "one")):
        define(project, name, f"pick: {{from: [{other}]}}\n", {f"{other}/a.jpg": "0" * 64})
    with pytest.raises(ConfigError, match="picks from itself: one -> two -> one"):
        make(project, "one")


@pytest.mark.parametrize("line", ["abc  name", "0" * 64 + " name", "0" * 63 + "G  name", "0" * 64 + "  "])
def test_a_list_with_a_wrong_line_is_refused(tmp_path, line):
    (tmp_path / "list").write_text(f"{'1' * 64}  good.jpg\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        read_picture_list(tmp_path / "list")
    assert ":2: expected a SHA-256" in caught.value.why


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: []", "sources: expected at least one"),
        ("sources: [{folder: a, glob: b}]", "sources.0: expected one of folder"),
        ("sources: [{folder: a, every_s: 2}]", "sources.0.every_s"),
        ("sources: [{video: a.mp4, every_s: 0}]", "sources.0.every_s"),
        ("sources: [{folder: a}]\nlabels: {yolo: x, classes: [a]}", "labels.yolo: belongs to images:"),
        ("images: {folder: a}\ndigest: 12ab", "digest"),
        ("images: {folder: a, list: b}", "images: expected one of folder"),
        ("pick: {from: []}", "pick.from"),
        ("pick: {from: [a]}\nlabels: {coco: x.json, yolo: y}", "expected one of yolo"),
        ("images: {folder: a}\nlicense: CC0", "did you mean 'licence'?"),
    ],
)
def test_what_contradicts_itself_is_said_with_its_place(project, text, said):
    define(project, "wrong", text)
    with pytest.raises(ConfigError) as caught:
        load_set(project, "wrong")
    assert said in str(caught.value)
