"""From pictures on disk to a chosen set: measured once, chosen by rule, written so that it can be read again."""

from __future__ import annotations

import sqlite3
import weakref

import pytest

from edgekit.control.detectors import load_detector
from edgekit.control.sets.adding import Wanted, add_sources
from edgekit.control.sets.calibration_sets import load_set, materialise
from edgekit.control.sets.choosing import select, split
from edgekit.control.sets.coverage import choose_detector, inspect_set
from edgekit.control.sets.coverage_page import page_pictures
from edgekit.control.sets.picture_lists import read_picture_list
from edgekit.control.sets.scene_facts import measure_set
from edgekit.errors import CalibrationError, NotFoundError, UsageError
from tests.made_up_sets import make_project, quiet, save_scenes, save_video


@pytest.fixture
def project(tmp_path):
    made = make_project(tmp_path)
    pictures = save_scenes(tmp_path / "pictures", {"day": 14, "night": 3, "fog": 2})
    add_sources(made, Wanted("yard", (str(pictures),), licence="CC0-1.0"), quiet, write=True)
    return made


@pytest.fixture
def eyes(project):
    return load_detector(project, "tiny")


def make(project, name="yard"):
    return materialise(project, load_set(project, name), quiet)


def test_a_picture_is_looked_at_once_for_each_model(project, eyes):
    """Thousands of pictures through a network take minutes; the second inspection must not."""
    told = []

    def measure(detector):
        told.clear()
        return measure_set(project, make(project), detector, lambda *progress: told.append(progress))

    first = measure(eyes)
    assert len(told) == 19
    again = measure(eyes)
    assert told == []
    assert [(one.described, one.strata, one.embedding.tolist()) for one in again] == [
        (one.described, one.strata, one.embedding.tolist()) for one in first
    ]
    assert [one.described.objects for one in measure(None)] == [-1] * 19
    assert len(told) == 19


def test_a_damaged_cache_of_facts_is_begun_anew(project):
    measure_set(project, make(project), None, quiet)
    store = project.cache_dir / "scene_facts.sqlite3"
    store.write_bytes(b"no database at all" * 100)
    assert len(measure_set(project, make(project), None, quiet)) == 19
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE facts SET facts = '{'")
    connection.close()
    assert len(measure_set(project, make(project), None, quiet)) == 19


def test_one_picture_is_in_memory_at_a_time(project, monkeypatch):
    """A set of thousands is inspected on a laptop."""
    import cv2

    alive, most = [], 0
    read = cv2.imread

    def watched(path, flags):
        nonlocal most
        frame = read(path, flags)
        alive.append(weakref.ref(frame))
        most = max(most, sum(one() is not None for one in alive))
        return frame

    monkeypatch.setattr(cv2, "imread", watched)
    measure_set(project, make(project), None, quiet)
    assert len(alive) == 19
    assert most <= 2


def test_the_detector_is_the_one_that_uses_the_set(project):
    folder = project.detectors_dir / "another"
    folder.mkdir()
    (folder / "model.onnx").write_bytes((project.detectors_dir / "tiny/model.onnx").read_bytes())
    (folder / "detector.yaml").write_text("labels: [a, b]\n")
    assert choose_detector(project, "yard", None).name == "another"
    (project.detectors_dir / "tiny/detector.yaml").write_text("labels: [car, person]\ncalibration: yard\n")
    assert choose_detector(project, "yard", None).name == "tiny"
    assert choose_detector(project, "yard", "another").name == "another"
    assert choose_detector(project, "yard", "none") is None
    with pytest.raises(NotFoundError):
        choose_detector(project, "yard", "nobody")


def test_an_inspection_finds_what_the_folders_say(project, eyes):
    coverage = inspect_set(project, "yard", eyes, None, quiet).coverage
    rows = {row.stratum: row for row in coverage.strata}
    assert (rows["light:night"].pictures, rows["weather:fog"].pictures) == (3, 2)
    assert "light:dusk" in coverage.missing
    assert {"light:night", "weather:fog"} <= set(coverage.thin)
    assert (coverage.detector, coverage.licence, coverage.pictures) == ("tiny", "CC0-1.0", 19)


def test_the_page_borrows_examples_of_what_is_missing(project, eyes):
    """People fetch what they have seen, not what a name means."""
    folder = project.calib_sets_dir / "days"
    folder.mkdir()
    (folder / "set.yaml").write_text(f"images: {{folder: {project.root}/pictures/day}}\ntags: {{'*': day}}\n")
    inspection = inspect_set(project, "days", eyes, "yard", quiet)
    pictures = page_pictures(inspection)
    assert "light:night" in inspection.coverage.missing
    assert "light:night" in pictures.borrowed
    assert all("night" in path for path in pictures.examples["light:night"])
    assert len(pictures.examples["light:day"]) == 4
    assert len(pictures.points) == 14 + 19
    assert all(0 <= point.x <= 1 and 0 <= point.y <= 1 for point in pictures.points)


@pytest.mark.parametrize("method", ["coverage", "random"])
def test_a_chosen_set_is_read_again_as_it_was_told(project, eyes, method):
    chosen = select(project, ["yard"], "few", 8, method, 1, eyes, quiet, write=True)
    made = make(project, "few")
    assert (len(made.paths), made.sha256) == (8, chosen.sha256)
    assert load_set(project, "few").licence == "CC0-1.0"
    assert chosen == select(project, ["yard"], "few", 8, method, 1, eyes, quiet, force=True, write=True)


def test_the_long_tail_is_in_the_chosen_set(project, eyes):
    chosen = select(project, ["yard"], "few", 8, "coverage", 0, eyes, quiet, write=True)
    counts = make(project, "few").counts
    assert counts["night"] >= 1
    assert counts["fog"] >= 1
    rows = {row.stratum: row for row in chosen.strata}
    assert rows["weather:fog"].pool == 2
    assert rows["weather:fog"].chosen >= rows["weather:fog"].floor >= 1


def test_a_dry_run_writes_nothing_and_a_name_is_not_taken_twice(project, eyes):
    tried = select(project, ["yard"], "few", 5, "coverage", 0, eyes, quiet, write=False)
    assert not (project.calib_sets_dir / "few").exists()
    assert select(project, ["yard"], "few", 5, "coverage", 0, eyes, quiet, write=True).sha256 == tried.sha256
    with pytest.raises(UsageError, match="there is a set named few"):
        select(project, ["yard"], "few", 5, "coverage", 0, eyes, quiet, write=True)


def test_sets_are_joined_and_what_they_share_counts_once(project, eyes):
    folder = project.calib_sets_dir / "nights"
    folder.mkdir()
    (folder / "set.yaml").write_text(f"images: {{folder: {project.root}/pictures/night}}\n")
    chosen = select(project, ["yard", "nights"], "all", 19, "coverage", 0, eyes, quiet, write=True)
    assert (chosen.pool, chosen.near_duplicates) == (19, 3)
    assert make(project, "all").sha256 == chosen.sha256
    with pytest.raises(CalibrationError, match="20 pictures cannot be chosen from 19") as caught:
        select(project, ["yard", "nights"], "more", 20, "coverage", 0, eyes, quiet, write=True)
    assert "3 more are near duplicates" in caught.value.why


def test_a_split_gives_two_sets_that_share_nothing(project, eyes):
    parted = split(project, "yard", 0.3, 0, eyes, quiet, write=True)
    calib, frozen = make(project, parted.calib), make(project, parted.frozen)
    assert (len(calib.paths), len(frozen.paths)) == (parted.calib_pictures, parted.frozen_pictures)
    assert not set(calib.digests) & set(frozen.digests)
    assert set(calib.digests) | set(frozen.digests) == set(make(project).digests)
    assert 4 <= len(frozen.paths) <= 8
    with pytest.raises(UsageError, match="yard-calib"):
        split(project, "yard", 0.3, 0, eyes, quiet, write=True)


def test_frames_of_one_video_stay_on_one_side(project):
    videos = [save_video(project.root / f"{name}.avi", 6) for name in ("gate",)]
    add_sources(
        project, Wanted("both", (str(project.root / "pictures"), *map(str, videos)), keep_near=True), quiet, write=True
    )
    for seed in range(3):
        split(project, "both", 0.4, seed, None, quiet, force=True, write=True)
        sides = [
            read_picture_list(project.calib_sets_dir / f"both-{side}/pictures.sha256") for side in ("calib", "frozen")
        ]
        assert sum(any("gate__" in name for name in side) for side in sides) == 1


def test_what_belongs_together_cannot_be_split(project):
    save_video(project.root / "gate.avi", 4)
    add_sources(project, Wanted("gate", (str(project.root / "gate.avi"),)), quiet, write=True)
    with pytest.raises(CalibrationError, match="belong together"):
        split(project, "gate", 0.2, 0, None, quiet, write=True)
    assert not (project.calib_sets_dir / "gate-calib").exists()
