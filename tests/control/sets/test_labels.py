"""labels: of a set.yaml: written without touching the rest, for a part of the pictures, and for every kind of set."""

from __future__ import annotations

import json

import pytest

from edgekit.control.labels.exporting import ExportWanted, export_labels
from edgekit.control.labels.importing import ImportWanted, import_labels
from edgekit.control.sets.adding import Wanted, add_sources
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.control.sets.checking import check_set
from edgekit.control.sets.writing import with_labels
from edgekit.errors import ConfigError
from tests.made_up_labels import BOXES, Tool, labelled_project
from tests.made_up_sets import make_project, quiet, save_scenes

LINE = "labels: {coco: labels.json, partial: true}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("images: {folder: a}  # here\n", f"images: {{folder: a}}  # here\n{LINE}\n"),
        ("# top\nimages: {folder: a}", f"# top\nimages: {{folder: a}}\n{LINE}\n"),
        ("labels: {yolo: b, classes: c.txt}  # old\nimages: {folder: a}\n", f"{LINE}  # old\nimages: {{folder: a}}\n"),
        (
            "labels:\n  yolo: b\n  # why\n  classes:\n  - car\n  - 'a # b'   # two\n\n# next\norigin: x\n",
            f"# why\n{LINE}   # two\n\n# next\norigin: x\n",
        ),
        ("labels:\n  coco: old.json\n", f"{LINE}\n"),
        (
            "images: {folder: labels}\ntags: {labels: night}\n",
            f"images: {{folder: labels}}\ntags: {{labels: night}}\n{LINE}\n",
        ),
    ],
)
def test_labels_are_named_and_every_other_line_stays(before, after):
    """People's comments say why a set is as it is."""
    assert with_labels(before, "labels.json", "set.yaml") == after


@pytest.mark.parametrize("text", ["{images: {folder: a}}\n", "images: {folder: a}\n...\n"])
def test_a_file_that_cannot_be_changed_safely_is_left_to_people(text):
    """The line to write is in the message."""
    with pytest.raises(ConfigError) as caught:
        with_labels(text, "labels.json", "calib_sets/yard/set.yaml")
    assert caught.value.hint == f"write there: {LINE}"


def truth(project, name):
    return materialise(project, load_set(project, name), quiet, ("car", "person")).truth


def test_a_set_labelled_in_part_is_measured_on_that_part_and_says_so(tmp_path):
    """Without partial: a file of other pictures would pass for labels of a few."""
    project = labelled_project(tmp_path)
    path = project.calib_sets_dir / "yard/annotations.json"
    document = json.loads(path.read_text("utf-8"))
    (gone,) = [image["id"] for image in document["images"] if image["file_name"] == "turned.jpg"]
    document["images"] = [image for image in document["images"] if image["id"] != gone]
    document["annotations"] = [entry for entry in document["annotations"] if entry["image_id"] != gone]
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="does not name 1 of the 4 pictures") as caught:
        truth(project, "yard")
    assert "partial: true" in caught.value.hint
    text = "images: {folder: images}\nlabels: {coco: annotations.json, partial: true}\n"
    (project.calib_sets_dir / "yard/set.yaml").write_text(text)
    assert set(truth(project, "yard").pictures) == set(BOXES) - {"turned.jpg"}
    assert "3 of its 4 pictures have labels" in " ".join(check_set(project, "yard", quiet).notes)


def test_pictures_without_a_label_file_are_empty_or_unlabelled_as_the_set_says(tmp_path):
    """YOLO datasets mean empty; a set that is being labelled means not yet."""
    project = labelled_project(tmp_path)
    folder = project.calib_sets_dir / "yard"
    (folder / "labels").mkdir()
    (folder / "labels/turned.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    labels = "labels: {{yolo: labels, classes: [car, person]{}}}\n"
    (folder / "set.yaml").write_text("images: {folder: images}\n" + labels.format(""))
    assert set(truth(project, "yard").pictures) == set(BOXES)
    (folder / "set.yaml").write_text("images: {folder: images}\n" + labels.format(", partial: true"))
    assert set(truth(project, "yard").pictures) == {"turned.jpg"}


@pytest.mark.parametrize("kind", ["sources", "pick", "scenes"])
def test_labels_can_be_corrected_of_sets_of_every_kind(tmp_path, kind):
    """Sets from several places, chosen sets and drawn ones are looked at too."""
    project = labelled_project(tmp_path)
    name, folder = f"of-{kind}", project.calib_sets_dir / f"of-{kind}"
    folder.mkdir()
    text = {
        "sources": "sources: [{folder: ../yard/images}]\nlabels: {coco: ../yard/annotations.json}\n",
        "pick": "pick: {from: [yard]}\n",
        "scenes": "scenes: {split: val, count: 2, width: 160, height: 96, conditions: [day, night]}\n",
    }[kind]
    (folder / "set.yaml").write_text(text)
    if kind == "pick":
        digests = materialise(project, load_set(project, "yard"), quiet).digests
        (folder / "pictures.sha256").write_text("".join(f"{sha}  yard/{one}\n" for one, sha in digests.items()))
    exported = export_labels(project, name, ExportWanted("coco", tmp_path / "out"), quiet)
    assert exported.labelled == exported.pictures
    tool = Tool("coco", tmp_path / "out")
    first = next(one for one, boxes in tool.boxes.items() if boxes)
    kept = tool.boxes[first][0]
    tool.boxes[first] = [kept]
    imported = import_labels(project, name, ImportWanted(tool.save(tmp_path / "back")), quiet)
    assert imported.changed == (first,)
    made = materialise(project, load_set(project, name), quiet)
    assert len(made.truth.pictures[first].objects) + len(made.truth.pictures[first].crowd) == 1
    assert (folder / "set.yaml").read_text().startswith(text.split("labels:")[0])


def test_a_labelled_set_grows_and_keeps_its_labels(tmp_path):
    """New pictures are not labelled yet; those before still are."""
    project = labelled_project(tmp_path)
    folder = project.calib_sets_dir / "grown"
    folder.mkdir()
    text = "sources: [{folder: ../yard/images}]\nlabels: {coco: ../yard/annotations.json, partial: true}\n"
    (folder / "set.yaml").write_text(text)
    added = add_sources(project, Wanted("grown", (str(save_scenes(tmp_path / "more", {"fog": 2})),)), quiet, write=True)
    assert (added.pictures, added.labelled) == (6, True)
    assert len(truth(project, "grown").pictures) == 4


def test_a_set_that_picks_from_one_labelled_in_part_is_labelled_in_part(tmp_path):
    """Else nothing could be chosen from a set while it is being labelled."""
    project = labelled_project(tmp_path)
    folder = project.calib_sets_dir / "yard"
    text = (folder / "annotations.json").read_text("utf-8").replace("turned.jpg", "elsewhere.jpg")
    (folder / "annotations.json").write_text(text, encoding="utf-8")
    (folder / "set.yaml").write_text("images: {folder: images}\nlabels: {coco: annotations.json, partial: true}\n")
    digests = materialise(project, load_set(project, "yard"), quiet).digests
    chosen = project.calib_sets_dir / "chosen"
    chosen.mkdir()
    (chosen / "set.yaml").write_text("pick: {from: [yard]}\n")
    (chosen / "pictures.sha256").write_text("".join(f"{sha}  yard/{one}\n" for one, sha in digests.items()))
    assert set(truth(project, "chosen").pictures) == set(BOXES) - {"turned.jpg"}


def test_boxes_to_begin_with_are_the_detectors_own(tmp_path):
    """With their scores, and only where nobody has labelled."""
    project = make_project(tmp_path)
    save_scenes(project.calib_sets_dir / "wild/images", {"day": 2})
    (project.calib_sets_dir / "wild/set.yaml").write_text("images: {folder: images}\n")
    wanted = ExportWanted("coco", tmp_path / "out", detector="tiny")
    exported = export_labels(project, "wild", wanted, quiet)
    assert (exported.labelled, exported.proposed, exported.classes) == (0, 2, ("car", "person"))
    boxes = json.loads((tmp_path / "out/annotations.json").read_text())["annotations"]
    assert len(boxes) == exported.boxes > 0
    assert all(0 < box["score"] < 1 for box in boxes)
    unseen = import_labels(project, "wild", ImportWanted(tmp_path / "out"), quiet)
    assert (len(unseen.unseen), unseen.written) == (2, False)
    reviewed = import_labels(project, "wild", ImportWanted(tmp_path / "out", reviewed=True), quiet)
    assert (reviewed.labels_after, reviewed.written) == (2, True)
    assert sum(len(picture.objects) for picture in truth(project, "wild").pictures.values()) == len(boxes)
