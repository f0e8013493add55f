"""What a release tells of the set that its engine was calibrated with."""

from __future__ import annotations

import pytest

from edgekit.control.detectors import load_detector
from edgekit.control.project import Project
from edgekit.control.sets import scenes_summary as module
from edgekit.control.sets.adding import Wanted, add_sources
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.control.sets.scenes_summary import scenes_seen
from edgekit.core.scenes_seen import DriftWatch
from tests.made_up_sets import make_project, quiet, save_scenes


@pytest.fixture
def project(tmp_path) -> Project:
    made = make_project(tmp_path)
    pictures = save_scenes(tmp_path / "pictures", {"day": 8, "night": 2})
    add_sources(made, Wanted("yard", (str(pictures),), licence="CC0-1.0"), quiet, write=True)
    return made


def summary(project, on_progress=quiet):
    made = materialise(project, load_set(project, "yard"), quiet)
    return scenes_seen(project, load_detector(project, "tiny"), made, on_progress)


def test_it_tells_of_every_picture_with_the_objects_in_it(project):
    """A device compares with the objects that it sees."""
    seen = summary(project)
    assert (seen.set_name, seen.pictures, len(seen.points)) == ("yard", 10, 10)
    assert seen.strata["light:night"] == 0.2 and any(name.startswith("objects:") for name in seen.strata)
    watch = DriftWatch(seen)
    assert not watch.is_unseen("light:night") and watch.is_unseen("weather:fog")


def test_the_same_set_is_summarised_once(project, monkeypatch):
    """A deployment that changes nothing may take two seconds."""
    first = summary(project)

    def fail(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(module, "measure_set", fail)
    assert summary(project) == first


def test_other_tags_or_another_model_make_another_summary(project):
    """What people say of a picture wins over what is measured, here too."""
    summary(project)
    place = project.calib_sets_dir / "yard" / "set.yaml"
    place.write_text(place.read_text() + "tags: {'*': [fog]}\n")
    assert summary(project).strata["weather:fog"] == 1.0
    yaml = project.detectors_dir / "tiny" / "detector.yaml"
    yaml.write_text(yaml.read_text() + "thresholds: {confidence: 0.99}\n")
    told = []
    assert "objects:empty" in summary(project, lambda *progress: told.append(progress)).strata and told


def test_a_damaged_summary_is_made_anew(project):
    """A full disk must not decide what a device holds for usual."""
    first = summary(project)
    (path,) = (project.cache_dir / "scenes_seen").iterdir()
    path.write_text(path.read_text()[:100])
    assert summary(project) == first
