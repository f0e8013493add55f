"""Labels go out to a labelling tool and come back: what was not touched is as it was, what was is counted and kept."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest

from edgekit.control.labels.exporting import ExportWanted, export_labels
from edgekit.control.labels.importing import ImportWanted, import_labels
from edgekit.errors import UsageError
from tests.made_up_labels import BOXES, CROWD, FORMATS, SET_YAML, Tool, labelled_project, truth_of
from tests.made_up_sets import quiet

NIGHT, YARD, TURNED, NOTHING = BOXES


@pytest.fixture
def project(tmp_path):
    return labelled_project(tmp_path)


def give_out(project, form, name="yard", **options):
    out = project.root / f"{name}-{form}"
    return export_labels(project, name, ExportWanted(form, out, **options), quiet)


def take_back(project, path, name="yard", write=True, **options):
    return import_labels(project, name, ImportWanted(path, **options), quiet, write=write)


def label_one_picture(project, name):
    """Of a set without labels: that picture shows nothing, nobody knows of the others."""
    folder = project.calib_sets_dir / "yard"
    some = {
        "images": [{"id": 1, "file_name": name, "width": 320, "height": 180}],
        "annotations": [],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}],
    }
    (folder / "some.json").write_text(json.dumps(some))
    (folder / "set.yaml").write_text("images: {folder: images}\nlabels: {coco: some.json, partial: true}\n")


def set_files(project):
    folder = project.calib_sets_dir / "yard"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("form", FORMATS)
def test_what_nobody_touched_comes_back_as_it_was(project, form):
    """Umlauts, folders, EXIF, crowds, empty pictures, out and back: any loss would be taken for a change."""
    exported = give_out(project, form)
    assert (exported.pictures, exported.labelled, exported.boxes) == (4, 4, 6)
    before, labels = set_files(project), truth_of(project)
    imported = take_back(project, Tool(form, project.root / f"yard-{form}").save(project.root / "back"))
    assert (imported.format, imported.same, imported.written) == (form, 4, False)
    assert [(row.label, row.given, row.back, row.moved) for row in imported.classes] == [
        ("car", 3, 3, 0),
        ("person", 3, 3, 0),
    ]
    assert set_files(project) == before
    assert truth_of(project) == labels


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_changed_is_counted_and_kept_and_nothing_else_is(project, form):
    """One of each kind of change; the rest of set.yaml, its comments, and boxes that were left alone stay."""
    labels = truth_of(project)
    give_out(project, form)
    tool = Tool(form, project.root / f"yard-{form}")
    tool.boxes[NIGHT][0][1] = [30.0, 20.5, 130.0, 90.0]  # moved
    tool.boxes[NIGHT][1][0] = "car"  # another class
    del tool.boxes[TURNED][0]
    tool.boxes[TURNED].append(["person", [10.0, 20.0, 60.0, 90.0]])
    imported = take_back(project, tool.save(project.root / "back"))
    assert [(row.label, row.moved, row.added, row.removed) for row in imported.classes] == [
        ("car", 1, 0, 0),
        ("person", 0, 1, 1),
    ]
    assert imported.renamed == {"person -> car": 1}
    assert (imported.changed, imported.labelled, imported.same) == ((NIGHT, TURNED), (), 2)
    assert truth_of(project) == labels | {
        NIGHT: [("car", (30.0, 20.5, 130.0, 90.0), False), ("car", (200.0, 30.0, 230.0, 120.0), False)],
        TURNED: [("person", (10.0, 20.0, 60.0, 90.0), False)],
    }
    text = (project.calib_sets_dir / "yard/set.yaml").read_text("utf-8")
    assert text == SET_YAML.replace(
        "labels:\n  # drawn by hand\n  coco: annotations.json",
        "# drawn by hand\nlabels: {coco: labels.json, partial: true}",
    )
    again = take_back(project, project.root / "back")
    assert (again.written, again.same) == (False, 4), "a second import of the same file changes nothing"


@pytest.mark.parametrize("form", FORMATS)
def test_pictures_that_nobody_looked_at_stay_without_labels(tmp_path, form):
    """An unlabelled picture that is taken for an empty one turns every true detection in it into a false one."""
    project = labelled_project(tmp_path, labels=False)
    label_one_picture(project, NOTHING)
    exported = give_out(project, form)
    assert (exported.pictures, exported.labelled) == (4, 1)
    tool = Tool(form, project.root / f"yard-{form}")
    tool.boxes[YARD] = [["car", [5.0, 5.0, 60.0, 45.0]]]
    tool.submitted = {YARD, NOTHING}
    imported = take_back(project, tool.save(project.root / "back"))
    assert (imported.labelled, imported.labels_after, imported.set_pictures) == ((YARD,), 2, 4)
    assert {*imported.unseen, *imported.skipped} == {NIGHT, TURNED}
    assert bool(imported.skipped) == (form == "label-studio"), "only Label Studio can tell"
    assert truth_of(project) == {NOTHING: [], YARD: [("car", (5.0, 5.0, 60.0, 45.0), False)]}
    everything = take_back(project, project.root / "back", reviewed=True)
    assert everything.labels_after == (2 if form == "label-studio" else 4)


@pytest.mark.parametrize("form", ["cvat", "label-studio"])
def test_a_picture_that_shows_nothing_is_tagged_so_in_cvat_and_submitted_in_label_studio(project, form):
    """Empty pictures are where false alarms are counted: there must be a way to label them."""
    give_out(project, form, anew=True)
    tool = Tool(form, project.root / f"yard-{form}")
    assert not any(tool.boxes.values()), "given out without the labels that the set has"
    tool.empty = tool.submitted = {TURNED}
    imported = take_back(project, tool.save(project.root / "back"))
    assert (imported.changed, imported.overruled) == ((TURNED,), (TURNED,))
    assert truth_of(project)[TURNED] == []


def test_a_set_that_nobody_has_classes_for_cannot_be_given_out(tmp_path):
    """A tool needs the names of the classes before the first box."""
    with pytest.raises(UsageError, match="no detector says what classes"):
        give_out(labelled_project(tmp_path, labels=False), "cvat")


def test_crowds_that_yolo_cannot_hold_stay(project):
    """A crowd that vanished would make false alarms of what a detector finds in it."""
    assert give_out(project, "yolo").lost == ("crowd boxes: YOLO has none; when you import, those of the set stay",)
    tool = Tool("yolo", project.root / "yard-yolo")
    del tool.boxes[YARD][0]
    take_back(project, tool.save(project.root / "back"))
    assert truth_of(project)[YARD] == sorted([(*BOXES[YARD][1], False), (*CROWD, True)])


@pytest.mark.parametrize("form", ["coco", "cvat", "label-studio"])
def test_a_box_becomes_a_crowd(project, form):
    """The mark is a box's attribute in CVAT and a choice in Label Studio; people must be able to set it."""
    give_out(project, form)
    tool = Tool(form, project.root / f"yard-{form}")
    tool.boxes[NIGHT][1][2:] = [{"iscrowd": 1} if form == "coco" else {"crowd": "true"}]
    imported = take_back(project, tool.save(project.root / "back"))
    assert imported.crowd_changed == 1
    assert ("person", (200.0, 30.0, 230.0, 120.0), True) in truth_of(project)[NIGHT]


def test_two_people_who_share_a_set_do_not_undo_each_other(project):
    """Both got the whole set; the second file still has the old boxes of the pictures that the first person mended."""
    give_out(project, "coco")
    first, second = (Tool("coco", project.root / "yard-coco") for _ in range(2))
    first.boxes[NIGHT].pop()
    second.boxes[TURNED].pop()
    take_back(project, first.save(project.root / "first"))
    imported = take_back(project, second.save(project.root / "second"))
    assert (imported.changed, imported.overruled) == ((TURNED,), ())
    assert (len(truth_of(project)[NIGHT]), truth_of(project)[TURNED]) == (1, [])


def test_one_that_changed_the_same_picture_is_told(project):
    """The later file wins, and says what it replaced."""
    give_out(project, "coco")
    first, second = (Tool("coco", project.root / "yard-coco") for _ in range(2))
    first.boxes[NIGHT].pop()
    second.boxes[NIGHT].append(["car", [1.0, 1.0, 50.0, 50.0]])
    take_back(project, first.save(project.root / "first"))
    assert take_back(project, second.save(project.root / "second")).overruled == (NIGHT,)
    assert len(truth_of(project)[NIGHT]) == 3


@pytest.mark.parametrize("form", FORMATS)
def test_zip_archives_are_read_as_they_are(project, form):
    """CVAT and Label Studio give archives; unpacking them is a step that goes wrong."""
    give_out(project, form)
    tool = Tool(form, project.root / f"yard-{form}")
    tool.boxes[NIGHT].pop()
    tool.save(project.root / "back")
    packed = shutil.make_archive(str(project.root / "task 7"), "zip", project.root / "back")
    assert zipfile.is_zipfile(packed)
    assert take_back(project, project.root / "task 7.zip").changed == (NIGHT,)


@pytest.mark.parametrize("form", FORMATS)
def test_a_dry_run_says_the_same_and_writes_nothing(project, form):
    """People look before they take labels."""
    out = project.root / f"yard-{form}"
    export_labels(project, "yard", ExportWanted(form, out), quiet, write=False)
    assert not out.exists()
    give_out(project, form)
    tool = Tool(form, out)
    tool.boxes[NIGHT].pop()
    path, before = tool.save(project.root / "back"), set_files(project)
    dry = take_back(project, path, write=False)
    assert (dry.changed, dry.labels_after, dry.written) == ((NIGHT,), 4, False)
    assert set_files(project) == before
    assert take_back(project, path).written


def test_without_the_record_labels_are_compared_with_those_of_the_set(project):
    """The state folder may be deleted at any time."""
    give_out(project, "coco")
    tool = Tool("coco", project.root / "yard-coco")
    tool.boxes[NIGHT].pop()
    path = tool.save(project.root / "back")
    shutil.rmtree(project.state_dir)
    imported = take_back(project, path)
    assert (imported.compared_with, imported.changed) == ("", (NIGHT,))


def test_labels_before_the_last_import_are_kept(project):
    """An import of the wrong file is found out afterwards."""
    give_out(project, "coco")
    for number in (1, 2):
        tool = Tool("coco", project.root / "yard-coco")
        tool.boxes[NIGHT] = tool.boxes[NIGHT][number:]
        take_back(project, tool.save(project.root / f"back{number}"))
        kept = set_files(project)
    before = json.loads(kept["labels.before.json"])
    assert len(before["annotations"]) == len(json.loads(kept["labels.json"])["annotations"]) + 1


@pytest.mark.parametrize("how", ["link", "copy"])
def test_pictures_are_links_or_copies(project, how):
    """A container or another machine sees nothing behind a link."""
    give_out(project, "yolo", pictures=how)
    picture = project.root / "yard-yolo/images" / YARD
    assert picture.is_symlink() == (how == "link")
    assert picture.read_bytes() == (project.calib_sets_dir / "yard/images" / YARD).read_bytes()


def test_a_folder_that_holds_something_is_never_written_to(project):
    """It may hold a week of somebody's work."""
    give_out(project, "coco")
    before = sorted(path.name for path in project.root.iterdir())
    with pytest.raises(UsageError, match="holds something already"):
        give_out(project, "coco")
    assert sorted(path.name for path in project.root.iterdir()) == before


def test_only_what_is_not_labelled_yet_can_be_given_out(project):
    """Field sets grow; nobody wants to see again what is done."""
    with pytest.raises(UsageError, match="every picture of set yard is labelled"):
        give_out(project, "coco", only_unlabelled=True)
