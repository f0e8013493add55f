"""What a person names becomes a set that can be read again, with what is unusable left out and said."""

from __future__ import annotations

import json
import shutil

import cv2
import pytest
import yaml

from edgekit.control.sets.adding import Wanted, add_sources
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.errors import CalibrationError, ConfigError, NotFoundError, UsageError
from tests.made_up_sets import make_project, quiet, save_scene, save_scenes, save_video


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path, detector=False)


def add(project, *sources, name="yard", write=True, **options):
    return add_sources(project, Wanted(name, tuple(map(str, sources)), **options), quiet, write=write)


def document(project, name="yard"):
    return yaml.safe_load((project.calib_sets_dir / name / "set.yaml").read_text())


def make(project, name="yard"):
    return materialise(project, load_set(project, name), quiet)


def test_a_folder_becomes_a_set_that_is_found_again_and_pinned(project):
    pictures = save_scenes(project.root / "pictures", {"day": 2, "night": 1})
    added = add(project, pictures, origin="the yard", licence="CC0-1.0")
    made = make(project)
    assert (added.pictures, added.sha256, added.conditions) == (3, made.sha256, {"day": 2, "night": 1})
    assert [path.name for path in made.paths] == [
        "pictures__day__0.jpg",
        "pictures__day__1.jpg",
        "pictures__night__0.jpg",
    ]
    assert made.tags["pictures__night__0.jpg"] == ("night",)
    assert document(project) == {
        "sources": [{"folder": "../../pictures"}],
        "origin": "the yard",
        "licence": "CC0-1.0",
        "digest": made.sha256,
    }


def test_a_project_may_move_with_its_pictures(project, tmp_path_factory):
    """Paths within the project are relative to the set."""
    save_scenes(project.root / "pictures", {"day": 2})
    add(project, project.root / "pictures")
    moved = tmp_path_factory.mktemp("elsewhere") / "project"
    shutil.copytree(project.root, moved, ignore=shutil.ignore_patterns(".edgekit"))
    shutil.rmtree(project.root)
    assert len(make(type(project)(moved)).paths) == 2


def test_a_dry_run_writes_no_set_and_says_the_same(project):
    pictures = save_scenes(project.root / "pictures", {"day": 2})
    tried = add(project, pictures, write=False)
    assert not project.calib_sets_dir.exists()
    assert add(project, pictures).sha256 == tried.sha256


def test_sources_are_added_to_a_set_and_a_second_time_changes_nothing(project):
    add(project, save_scenes(project.root / "summer", {"day": 2}))
    grown = add(project, save_scenes(project.root / "winter", {"snow": 2}), tags=("snow", "camera-gate"))
    assert (grown.pictures, grown.conditions) == (4, {"day": 2, "snow": 2})
    assert make(project).groups["winter__snow__0.jpg"] == "camera-gate"
    again = add(project, project.root / "winter", tags=("snow", "camera-gate"))
    assert again.sha256 == grown.sha256
    assert len(document(project)["sources"]) == 2


def test_duplicates_are_left_out_and_named(project):
    pictures = save_scenes(project.root / "pictures", {"day": 2})
    (pictures / "day/copy.jpg").write_bytes((pictures / "day/0.jpg").read_bytes())
    (pictures / "day/note.jpg").write_bytes(b"no picture")
    added = add(project, pictures)
    assert added.pictures == 2
    assert [line.split(": ")[1] for line in added.skipped] == [
        "not a picture that can be read",
        f"the same picture as {pictures / 'day/0.jpg'}",
    ]


def test_near_duplicates_can_be_kept(project):
    pictures = save_scenes(project.root / "pictures", {"day": 1})
    (pictures / "day/equal.jpg").write_bytes((pictures / "day/0.jpg").read_bytes())
    assert cv2.imwrite(str(pictures / "day/near.png"), cv2.imread(str(pictures / "day/0.jpg")))
    assert add(project, pictures).pictures == 1
    kept = add(project, pictures, force=True, keep_near=True)
    assert kept.pictures == 2
    assert "equal.jpg: the same picture as" in kept.skipped[0]


def test_frames_of_a_video_are_pictures_that_stay_together(project):
    video = save_video(project.root / "gate.avi", seconds=4)
    added = add(project, video, every_s=2.0, tags=("night",))
    made = make(project)
    assert [path.name for path in made.paths] == ["gate__000000.000s.jpg", "gate__000002.000s.jpg"]
    assert added.conditions == {"night": 2}
    assert len(set(made.groups.values())) == 1
    assert document(project)["sources"] == [{"video": "../../gate.avi", "every_s": 2.0, "tags": ["night"]}]


def test_a_list_and_a_pattern_are_sources(project):
    pictures = save_scenes(project.root / "pictures", {"day": 3, "fog": 3})
    (project.root / "list.txt").write_text("# chosen by hand\npictures/day/1.jpg\npictures/fog/0.jpg\n")
    assert add(project, project.root / "list.txt").conditions == {"pictures": 2}
    assert add(project, f"{pictures}/fog/*.jpg", name="fog").pictures == 3
    (project.root / "list.txt").write_text("pictures/day/77.jpg\n")
    with pytest.raises(ConfigError, match="names 1 pictures that are not there"):
        make(project)


def test_a_yolo_dataset_brings_its_labels_and_classes(project):
    data = project.root / "data"
    save_scene(data / "images/1.jpg", "day", 1)
    (data / "labels").mkdir()
    (data / "labels/1.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    (data / "data.yaml").write_text("names: {0: person, 1: car}\npath: somewhere\n")
    assert add(project, data).labelled
    truth = materialise(project, load_set(project, "yard"), quiet, labels=["car"]).truth
    assert truth.pictures["1.jpg"].objects.boxes_xyxy.tolist() == [[120, 45, 200, 135]]


def test_a_coco_file_finds_its_pictures_beside_it(project):
    data = project.root / "data"
    save_scene(data / "images/1.jpg", "day", 1)
    (data / "annotations").mkdir()
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 320, "height": 180}],
        "categories": [{"id": 4, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 4, "bbox": [1, 2, 30, 40]}],
    }
    (data / "annotations/instances.json").write_text(json.dumps(content))
    added = add(project, data / "annotations/instances.json")
    assert added.labelled
    assert added.document["images"] == {"folder": "../../data/images"}


@pytest.mark.parametrize(
    ("sources", "error", "said"),
    [
        (("nowhere",), NotFoundError, "does not exist"),
        (("devices.yaml",), UsageError, "is no source of pictures"),
        (("empty",), CalibrationError, "has no pictures"),
        (("broken.mp4",), CalibrationError, "gives no frame"),
        (("data", "empty"), UsageError, "cannot be one of several"),
    ],
)
def test_what_cannot_be_a_source_is_said_and_nothing_is_written(project, monkeypatch, sources, error, said):
    monkeypatch.chdir(project.root)
    (project.root / "empty").mkdir()
    (project.root / "data/images").mkdir(parents=True)
    (project.root / "data/labels").mkdir()
    (project.root / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(error, match=said):
        add(project, *sources)
    assert not project.calib_sets_dir.exists()


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a/b", "-x", "x" * 81])
def test_a_set_has_a_name_that_is_one_folder(project, name):
    with pytest.raises(UsageError, match="cannot name a set"):
        add(project, save_scenes(project.root / "pictures", {"day": 1}), name=name)


def test_a_set_of_scenes_is_not_grown_but_may_be_replaced(project):
    folder = project.calib_sets_dir / "yard"
    folder.mkdir(parents=True)
    (folder / "set.yaml").write_text("scenes: {count: 1, width: 96, height: 64}\n")
    pictures = save_scenes(project.root / "pictures", {"day": 1})
    with pytest.raises(UsageError, match="not made of sources"):
        add(project, pictures)
    assert add(project, pictures, force=True).pictures == 1
