"""A set is whole, pinned by one digest, and says what cannot be read."""

from __future__ import annotations

import json
import os
import shutil
import threading

import cv2
import numpy as np
import pytest

from edgekit.control.project import Project, package_data_root
from edgekit.control.sets import scene_sets
from edgekit.control.sets.calibration_sets import load_set, materialise, set_names
from edgekit.errors import CalibrationError, ConfigError, NotFoundError
from edgekit.scenes import CLASSES, CONDITIONS, render_scene, split_seed

SCENES = "scenes: {split: calib, count: 4, width: 160, height: 96, conditions: [day, night]}\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "devices.yaml").touch()
    return Project(tmp_path)


def quiet(what, done, total):
    """Progress that nobody watches."""


def define(project, name, text):
    folder = project.calib_sets_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "set.yaml").write_text(text)
    return folder


def picture(path, seed=0, width=64, height=48):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)


def make(project, name, **options):
    return materialise(project, load_set(project, name), quiet, **options)


def test_scenes_are_drawn_once_with_their_truth(project):
    """The demo needs calibration pictures and a labelled set without a download."""
    define(project, "street", SCENES)
    told = []
    made = materialise(project, load_set(project, "street"), lambda *progress: told.append(progress))
    assert [path.name for path in made.paths] == [
        "day-00000.jpg",
        "day-00002.jpg",
        "night-00001.jpg",
        "night-00003.jpg",
    ]
    assert sorted(path.name for path in made.folder.iterdir()) == [path.name for path in made.paths]
    assert made.counts == {"day": 2, "night": 2}
    assert told[-1] == ("drawing set street", 4, 4)
    scene = render_scene(split_seed("calib", 1), "night", 160, 96)
    truth = made.truth.pictures["night-00001.jpg"]
    assert (truth.condition, truth.width_px, truth.height_px) == ("night", 160, 96)
    np.testing.assert_allclose(truth.objects.boxes_xyxy, scene.truth.boxes_xyxy, atol=0.01)
    assert np.abs(cv2.imread(str(made.paths[2])).astype(int) - scene.frame).mean() < 5


def test_a_second_use_draws_nothing_and_gives_the_same(project, monkeypatch):
    """Every build and every deploy asks for the set."""
    define(project, "street", SCENES)
    first = make(project, "street")
    monkeypatch.setattr(scene_sets, "_render", lambda *_: pytest.fail("drawn again"))
    again = make(project, "street")
    assert (again.sha256, again.paths, again.truth.sha256) == (first.sha256, first.paths, first.truth.sha256)


@pytest.mark.parametrize("harm", ["change", "remove", "add"])
def test_a_set_that_was_touched_is_drawn_again(project, harm):
    """A digest that no longer matches its pictures would pin nothing."""
    define(project, "street", SCENES)
    first = make(project, "street")
    if harm == "change":
        first.paths[0].write_bytes(b"x")
    elif harm == "remove":
        first.paths[0].unlink()
    else:
        (first.folder / "more.jpg").write_bytes(b"x")
    again = make(project, "street")
    assert again.sha256 == first.sha256
    assert sorted(path.name for path in again.folder.iterdir()) == [path.name for path in again.paths]


def test_another_recipe_is_another_set(project):
    define(project, "street", SCENES)
    first = make(project, "street")
    define(project, "street", SCENES.replace("calib", "frozen"))
    assert make(project, "street").sha256 != first.sha256


def test_an_interrupted_drawing_leaves_nothing(project):
    """Half a calibration set looks like a whole one."""
    define(project, "street", SCENES)

    def interrupt(what, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        materialise(project, load_set(project, "street"), interrupt)
    assert list((project.cache_dir / "calib_sets").iterdir()) == []
    assert len(make(project, "street").paths) == 4


def test_the_half_set_of_a_dead_process_is_swept(project):
    """SIGKILL and power cuts clean up nothing."""
    define(project, "street", SCENES)
    left = project.cache_dir / "calib_sets" / ".street-0123456789ab-4194999-abcd.part"
    mine = project.cache_dir / "calib_sets" / f".street-0123456789ab-{os.getpid()}-abcd.part"
    for folder in (left, mine):
        (folder / "images").mkdir(parents=True)
    make(project, "street")
    assert not left.exists()
    assert mine.exists()


def test_two_that_draw_at_once_both_get_the_whole_set(project):
    define(project, "street", SCENES)
    made = []
    threads = [threading.Thread(target=lambda: made.append(make(project, "street"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(one.sha256, one.paths) for one in made}) == 1
    assert len(made) == 3


def test_a_full_disk_is_said_in_words(project, monkeypatch):
    define(project, "street", SCENES)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scene_sets, "_render_picture", full)
    with pytest.raises(CalibrationError, match="No space left on device") as caught:
        make(project, "street")
    assert "MiB are free" in caught.value.why
    assert list((project.cache_dir / "calib_sets").iterdir()) == []


def test_truth_is_renumbered_to_the_detectors_labels(project):
    """Class 0 of the set need not be class 0 of the detector."""
    define(project, "street", SCENES)
    own = make(project, "street")
    turned = make(project, "street", labels=CLASSES[::-1])
    for name, truth in own.truth.pictures.items():
        expected = [len(CLASSES) - 1 - number for number in truth.objects.class_ids]
        assert turned.truth.pictures[name].objects.class_ids.tolist() == expected
    with pytest.raises(ConfigError, match="does not know"):
        make(project, "street", labels=["submarine"])


def test_pictures_on_disk_are_linked_with_their_condition(project):
    """Cameras call every first picture 0001.jpg; sub-folders tell them apart and name the condition."""
    folder = define(project, "field", "images: {folder: pictures}\n")
    picture(folder / "pictures/night/1.png", 1)
    picture(folder / "pictures/day/1.png", 2)
    picture(folder / "pictures/2.jpg", 3)
    (folder / "pictures/notes.txt").write_text("not a picture")
    made = make(project, "field")
    assert [path.name for path in made.paths] == ["2.jpg", "day__1.png", "night__1.png"]
    assert made.counts == {"": 1, "day": 1, "night": 1}
    assert made.paths[2].read_bytes() == (folder / "pictures/night/1.png").read_bytes()
    assert (made.truth, made.skipped) == (None, ())


def test_a_changed_picture_changes_the_digest_and_an_unchanged_one_is_not_read_again(project):
    folder = define(project, "field", "images: {folder: .}\n")
    for number in range(3):
        picture(folder / f"{number}.png", number)
    first = make(project, "field")
    picture(folder / "1.png", 99)
    read = []
    second = materialise(project, load_set(project, "field"), lambda what, done, total: read.append(done))
    assert read == [2]
    assert second.sha256 != first.sha256
    assert second.paths[1].read_bytes() == (folder / "1.png").read_bytes()


def test_a_glob_finds_pictures_of_several_folders(project, tmp_path):
    for camera in ("north", "south", "old"):
        picture(tmp_path / f"cameras/{camera}/now/1.png")
    define(project, "field", f"images: {{glob: '{tmp_path}/cameras/*o*th/**/*.png'}}\n")
    assert [path.name for path in make(project, "field").paths] == ["north__now__1.png", "south__now__1.png"]


def test_unreadable_pictures_are_skipped_and_named(project):
    """One bad file among hundreds is usual; the rest is still a set."""
    folder = define(project, "field", "images: {folder: .}\n")
    picture(folder / "good.png")
    (folder / "bad.jpg").write_bytes(b"not a picture")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:30])
    made = make(project, "field")
    assert [path.name for path in made.paths] == ["good.png"]
    assert [line.split(":")[0] for line in made.skipped] == [str(folder / "bad.jpg"), str(folder / "cut.png")]
    (folder / "good.png").unlink()
    with pytest.raises(CalibrationError, match="none of the 2 pictures"):
        make(project, "field")


def test_no_pictures_and_no_folder_are_different_mistakes(project):
    folder = define(project, "field", "images: {folder: pictures}\n")
    with pytest.raises(NotFoundError, match="no folder"):
        make(project, "field")
    (folder / "pictures").mkdir()
    with pytest.raises(CalibrationError, match="has no pictures"):
        make(project, "field")


def test_yolo_labels_follow_their_pictures_into_sub_folders(project):
    text = "images: {folder: pictures}\nlabels: {yolo: labels, classes: [person, car]}\n"
    folder = define(project, "field", text)
    picture(folder / "pictures/night/1.png", 1)
    picture(folder / "pictures/day/1.png", 2)
    (folder / "labels/night").mkdir(parents=True)
    (folder / "labels/night/1.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    truth = make(project, "field", labels=["car"]).truth
    assert truth.pictures["night__1.png"].objects.class_ids.tolist() == [0]
    assert truth.pictures["night__1.png"].objects.boxes_xyxy.tolist() == [[16, 12, 48, 36]]
    assert truth.pictures["night__1.png"].condition == "night"
    assert len(truth.pictures["day__1.png"].objects) == 0


def coco(folder, names):
    document = {
        "images": [{"id": i, "file_name": name, "width": 64, "height": 48} for i, name in enumerate(names)],
        "categories": [{"id": 7, "name": "car"}, {"id": 3, "name": "person"}],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 7, "bbox": [1, 2, 10, 20]}],
    }
    (folder / "labels.json").write_text(json.dumps(document))


def test_coco_labels_are_read_and_must_cover_the_pictures(project):
    folder = define(project, "field", "images: {folder: pictures}\nlabels: {coco: labels.json}\n")
    picture(folder / "pictures/1.png")
    coco(folder, ["1.png", "elsewhere.png"])
    truth = make(project, "field").truth
    assert list(truth.pictures) == ["1.png"]
    assert truth.pictures["1.png"].objects.class_ids.tolist() == [1]  # person has the lower id
    assert make(project, "field", labels=["car"]).truth.pictures["1.png"].objects.class_ids.tolist() == [0]
    picture(folder / "pictures/2.png")
    with pytest.raises(ConfigError, match="does not name 1 of the 2"):
        make(project, "field")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected one of images"),
        (SCENES + "images: {folder: .}", "expected one of images"),
        ("images: {}", "folder: and glob:"),
        ("scenes: {count: 3, conditions: [nihgt]}", "did you mean 'night'?"),
        ("scenes: {count: 0}", "scenes.count: expected 1 or more"),
        ("scenes: {count: 1, split: tset}", "scenes.split"),
        (SCENES + "labels: {yolo: x, classes: [a]}", "labels.yolo: belongs to images:"),
        ("images: {folder: .}\nlabels: {yolo: x}", "labels.classes: missing"),
        ("images: {folder: .}\nlabels: {yolo: x, coco: y, classes: [a]}", "expected one of yolo"),
    ],
)
def test_a_set_yaml_that_contradicts_itself_is_refused(project, text, said):
    define(project, "field", text)
    with pytest.raises(ConfigError) as caught:
        load_set(project, "field")
    assert said in str(caught.value)
    assert "calib_sets/field/set.yaml" in str(caught.value)


def test_an_unknown_set_gets_the_nearest_name(project):
    define(project, "roadscene", SCENES)
    with pytest.raises(NotFoundError) as caught:
        load_set(project, "roadscen")
    assert "did you mean 'roadscene'?" in caught.value.why


def test_the_shipped_sets_cover_what_their_names_say():
    """The long tail, the bad example and the yardstick; the last two share no seed with the first."""
    project = Project(package_data_root())
    assert {"roadscene", "roadscene-day", "roadscene-frozen"} <= set(set_names(project))
    full, day, frozen = (load_set(project, f"roadscene{part}").scenes for part in ("", "-day", "-frozen"))
    assert full.conditions == frozen.conditions == tuple(CONDITIONS)
    assert day.conditions == ("day",)
    assert (full.count, day.count) == (300, 300)
    assert full.split == day.split == "calib" != frozen.split


def test_deleting_the_state_folder_loses_nothing(project):
    """.edgekit is promised to be a cache."""
    define(project, "street", SCENES)
    first = make(project, "street")
    shutil.rmtree(project.state_dir)
    assert make(project, "street").sha256 == first.sha256
