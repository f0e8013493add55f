"""Labels that do not fit are refused with the place and a way out, before anything is written."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from edgekit.control.labels import files
from edgekit.control.labels.exporting import ExportWanted, export_labels
from edgekit.control.labels.importing import ImportWanted, import_labels
from edgekit.errors import ConfigError, EdgekitError, NotFoundError, UsageError
from tests.made_up_labels import BOXES, Tool, labelled_project, truth_of
from tests.made_up_sets import quiet, save_scene

NIGHT, YARD, TURNED, NOTHING = BOXES


@pytest.fixture
def project(tmp_path):
    return labelled_project(tmp_path)


def give_out(project, form):
    export_labels(project, "yard", ExportWanted(form, project.root / form), quiet)
    return Tool(form, project.root / form)


def take_back(project, path, **options):
    return import_labels(project, "yard", ImportWanted(path, **options), quiet)


def refusal(project, path, kind=ConfigError, **options):
    """What an import says that is refused and has written nothing."""
    folder = project.calib_sets_dir / "yard"
    before = {file: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    with pytest.raises(kind) as caught:
        take_back(project, path, **options)
    assert {file: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before
    return str(caught.value)


@pytest.mark.parametrize("form", ["coco", "yolo", "cvat", "label-studio"])
@pytest.mark.parametrize(
    ("label", "edges", "said"),
    [
        (
            "car",
            [200.0, 20.0, 340.0, 90.0],
            "reaches 20.0 px over the edge: car 200.0, 20.0 to 340.0, 90.0 px in 320x180",
        ),
        ("car", [50.0, 20.0, 50.0, 90.0], "a box without area"),
        ("car", [0.1, 0.2, 0.4, 0.9], "a box smaller than a pixel"),
        ("car", [900.0, 100.0, 990.0, 170.0], "over the edge"),
        ("cars", [20.0, 20.0, 90.0, 90.0], "class 'cars' is none of the set's (1 boxes); did you mean 'car'?"),
    ],
    ids=["outside", "no area", "shares", "other units", "class"],
)
def test_boxes_that_cannot_be(project, form, label, edges, said):
    """A box in other units, or of no class, would silently count as a missed object."""
    tool = give_out(project, form)
    tool.boxes[NIGHT].append([label, edges])
    assert said in refusal(project, tool.save(project.root / "back"))


def test_a_box_a_little_over_the_edge_is_cut_off_there(project):
    """Tools round; a person does not want to hear of half a pixel."""
    tool = give_out(project, "cvat")
    tool.boxes[NIGHT].append(["car", [250.0, 100.0, 320.6, 180.4]])
    take_back(project, tool.save(project.root / "back"))
    assert ("car", (250.0, 100.0, 320.0, 180.0), False) in truth_of(project)[NIGHT]


def test_every_problem_is_told_at_once(project):
    """Going back to the tool once for each of twenty boxes is a day."""
    tool = give_out(project, "coco")
    for number in range(30):
        tool.boxes[NIGHT].append(["car", [float(number), 20.0, float(number), 90.0]])
    said = refusal(project, tool.save(project.root / "back"))
    assert said.count("a box without area") == 20
    assert "and 10 more" in said


def test_pictures_that_the_set_does_not_have(project):
    """A file of another project, or one whose names the tool changed; the nearest name helps to see which."""
    tool = give_out(project, "coco")
    path = tool.save(project.root / "back")
    path.write_text(path.read_text("utf-8").replace("turned.jpg", "turnt.jpg"), encoding="utf-8")
    said = refusal(project, path)
    assert "turnt.jpg: the set has no such picture; did you mean 'turned.jpg'?" in said
    assert "--skip-unknown" in said
    assert take_back(project, path, skip_unknown=True).unknown == ("turnt.jpg",)


def test_a_file_of_other_pictures_only(project):
    """With --skip-unknown too: nothing of it belongs here."""
    tool = give_out(project, "coco")
    tool.document["images"] = [{"id": 1, "file_name": "else.png", "width": 9, "height": 9}]
    tool.boxes = {"else.png": []}
    path = tool.save(project.root / "back")
    assert "labels no picture of set yard" in refusal(project, path, UsageError, skip_unknown=True)


def test_two_entries_for_one_picture(project):
    tool = give_out(project, "coco")
    tool.document["images"].append(tool.document["images"][0] | {"id": 99, "file_name": "images/night/0001.jpg"})
    tool.boxes["images/night/0001.jpg"] = []
    assert "a second entry for the picture night__0001.jpg" in refusal(project, tool.save(project.root / "back"))


@pytest.mark.parametrize("form", ["coco", "cvat", "label-studio"])
def test_labels_for_the_picture_as_exif_did_not_turn_it(project, form):
    """A tool that ignores EXIF puts every box elsewhere; the size betrays it."""
    path = give_out(project, form).save(project.root / "back")
    text = path.read_text("utf-8")
    for one, other in (('width="180" height="320"', 'width="320" height="180"'), ('_width": 180', '_width": 320')):
        text = text.replace(one, other)
    text = re.sub(r'_height": 320', '_height": 180', text)
    text = re.sub(r'("width": )180(, "height": )320', r"\g<1>320\g<2>180", text)
    path.write_text(text, encoding="utf-8")
    said = refusal(project, path)
    assert "labels for 320x180 px, the picture has 180x320; the tool ignores that EXIF turns it" in said


def test_pictures_that_the_tool_made_smaller(project):
    path = give_out(project, "coco").save(project.root / "back")
    path.write_text(path.read_text("utf-8").replace('"width": 320, "height": 180', '"width": 640, "height": 640'))
    assert "labels for 640x640 px, the picture has 320x180; export from the tool without resizing" in refusal(
        project, path
    )


@pytest.mark.parametrize(
    ("form", "old", "new", "said"),
    [
        ("cvat", 'source="manual"', 'source="manual" rotation="12.5"', "a box turned by 12.5 degrees"),
        ("cvat", "<box ", "<polygon ", "not XML"),
        ("cvat", "<image ", '<track label="car"/><image ', '"CVAT for images 1.1"'),
        ("cvat", "<annotations>", "<!DOCTYPE annotations><annotations>", "declares a document type"),
        ("cvat", 'xtl="', 'left="', "'xtl' is missing"),
        ("cvat", 'xtl="10.25', 'xtl="nan', "expected finite numbers"),
        ("label-studio", '"rotation": 0', '"rotation": 33.1', "a box turned by 33.1 degrees"),
        ("label-studio", '"rectanglelabels", "or', '"polygonlabels", "or', "a region of type 'polygonlabels'"),
        ("label-studio", '"original_width"', '"image_rotation": 90, "original_width"', "turn it back"),
        ("label-studio", '"rectanglelabels": ["car"]', '"rectanglelabels": ["car", "person"]', "2 labels"),
        ("label-studio", '"x": 3.203125', '"x": "left"', "could not convert"),
        ("coco", '"rotation": 0.0', '"rotation": 15.0', "a box turned by 15.0 degrees"),
        ("coco", '"bbox": [10.25', '"bbox": [NaN', "expected finite numbers"),
        ("coco", '"bbox": [10.25, ', '"bbox": [', "expected x, y, width, height, got 3 numbers"),
        ("coco", '"category_id": 1', '"category_id": 77', "category_id: none has the id 77"),
        ("coco", '"images"', '"pictures"', "holds no labels of a known form"),
        ("coco", "{", "[", "not JSON"),
    ],
)
def test_files_that_edgekit_cannot_take(project, form, old, new, said):
    """Each of these is what a tool writes that was used in another way, or a file that somebody edited."""
    tool = give_out(project, form)
    path = tool.save(project.root / "back")
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert said in refusal(project, path, EdgekitError)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 160 90 40 40", "reaches"),
        ("0 0.5 0.5 0.1 0.1 0.93", "a detector's answers with their scores"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2", "a polygon, a turned box or key points"),
        ("7 0.5 0.5 0.1 0.1", "expected a class from 0 to 1"),
        ("nan 0.5 0.5 0.1 0.1", "expected finite numbers"),
        ("0 0.5 0.5", "expected class cx cy w h"),
    ],
)
def test_lines_of_yolo_that_are_no_labels(project, line, said):
    path = give_out(project, "yolo").save(project.root / "back")
    (path / "obj_train_data/night__0001.txt").write_text(line)
    found = refusal(project, path)
    assert said in found
    assert "night__0001.txt:1" in found


def test_entities_in_xml_are_never_expanded(project):
    """A few lines of entities within entities fill the memory."""
    path = give_out(project, "cvat").save(project.root / "back")
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    path.write_text(path.read_text("utf-8").replace("<annotations>", f"{bomb}<annotations>"))
    assert "declares a document type" in refusal(project, path)


@pytest.mark.parametrize("packed", [False, True])
def test_files_larger_than_labels_ever_are_are_not_read(project, packed, monkeypatch):
    """An archive of a few kilobytes may unpack to fill the memory, whatever its header says."""
    path = give_out(project, "coco").save(project.root / "back").parent
    monkeypatch.setattr(files, "_MAX_BYTES", 1000)
    if packed:
        path = Path(shutil.make_archive(str(project.root / "back"), "zip", path))
    with pytest.raises(ConfigError, match="which no file of labels is"):
        found = files.open_labels(path)
        found.text(found.names[0])


def test_json_min_is_refused_because_it_hides_what_was_skipped(project):
    """It looks like labels, and every skipped picture in it would count as empty."""
    path = project.root / "min.json"
    path.write_text(json.dumps([{"image": "/data/upload/1/turned.jpg", "annotation_id": 3, "label": []}]))
    assert "export the project as JSON" in refusal(project, path)


def test_annotations_that_are_numbers_only_are_not_taken_for_none(project):
    """A snapshot of Label Studio may hold ids in their place; every picture would count as not submitted."""
    path = give_out(project, "label-studio").save(project.root / "back")
    tasks = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps([task | {"annotations": [17]} for task in tasks]))
    assert "export the annotations themselves" in refusal(project, path)


def test_an_empty_file_is_no_labels(project):
    path = project.root / "none.json"
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    assert "it labels nothing" in refusal(project, path, UsageError)


def test_of_several_annotations_the_ground_truth_counts_and_it_is_told(project):
    """Two people labelled one picture in Label Studio."""
    tool = give_out(project, "label-studio")
    path = tool.save(project.root / "back")
    tasks = json.loads(path.read_text("utf-8"))
    (night,) = [task for task in tasks if task["data"]["picture"] == NIGHT]
    night["annotations"].append({"id": 9, "ground_truth": True, "updated_at": "2020", "result": []})
    path.write_text(json.dumps(tasks))
    imported = take_back(project, path)
    assert imported.notes == (f"{NIGHT}: 2 annotations; the ground truth, or else the newest, was taken",)
    assert truth_of(project)[NIGHT] == []


def test_boxes_that_are_all_elsewhere_are_doubted_aloud(project):
    """Percent where pixels are expected cannot be told from pixels near the corner; that nothing fits can."""
    tool = give_out(project, "coco")
    for boxes in tool.boxes.values():
        boxes += [["car", [100.0 + number, 100.0, 140.0 + number, 140.0]] for number in range(2)] if boxes else []
    take_back(project, tool.save(project.root / "more"))
    project_files = give_out_again(project)
    for boxes in project_files.boxes.values():
        for one in boxes:
            one[1] = [edge * 0.3 + 1 for edge in one[1]]
    imported = take_back(project, project_files.save(project.root / "percent"))
    assert "are they in other units, or of other pictures?" in "".join(imported.notes)


def give_out_again(project):
    export_labels(project, "yard", ExportWanted("coco", project.root / "again"), quiet)
    return Tool("coco", project.root / "again")


def test_a_damaged_file_among_others_is_named(project):
    """It may be the one that holds the labels: that there are none would be the wrong thing to say."""
    tool = give_out(project, "coco")
    (project.root / "coco/annotations.json").write_text('{"images": [')
    assert "annotations.json:1: not JSON" in refusal(project, tool.folder)


def test_what_is_not_there_and_what_holds_nothing(project):
    assert "does not exist" in refusal(project, project.root / "nowhere.zip", NotFoundError)
    (project.root / "void").mkdir()
    assert "holds no labels of a known form" in refusal(project, project.root / "void", UsageError)


def test_a_folder_of_several_forms_must_be_told_apart(project):
    tool = give_out(project, "coco")
    path = tool.save(project.root / "back").parent
    (path / "a.txt").write_text("0 0.5 0.5 0.1 0.1")
    assert "several forms: coco, yolo" in refusal(project, path, UsageError)
    assert take_back(project, path, form="coco").same == 4


def test_pictures_that_one_yolo_file_would_label_are_not_given_out(project):
    """Two pictures that differ in their ending only would get each other's boxes."""
    save_scene(project.calib_sets_dir / "yard/images/turned.png", "fog", 9)
    text = "images: {folder: images}\nlabels: {coco: annotations.json, partial: true}\n"
    (project.calib_sets_dir / "yard/set.yaml").write_text(text)
    with pytest.raises(UsageError, match="would both be labelled by turned.txt"):
        give_out(project, "yolo")
    assert not (project.root / "yolo").exists()
