"""A project is found, made and never overwritten."""

from __future__ import annotations

import pytest

from edgekit.control.project import find_project, init_project, open_project, package_data_root
from edgekit.errors import NotFoundError, UsageError


@pytest.fixture
def shipped(tmp_path):
    """What a package would bring: the real names, small contents."""
    root = tmp_path / "data"
    for name in (
        "devices.yaml",
        "detectors/demo/detector.yaml",
        "detectors/demo/labels.txt",
        "detectors/demo/model.onnx",
        "detectors/demo/train.py",
        "calib_sets/demo/set.yaml",
        "bench/scenarios/street.yaml",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_a_project_is_found_from_any_folder_below_it(tmp_path):
    """Commands are typed from detectors/x as often as from the top."""
    (tmp_path / "devices.yaml").touch()
    below = tmp_path / "detectors" / "x"
    below.mkdir(parents=True)
    assert find_project(below).root == tmp_path


def test_the_variable_overrides_the_search(tmp_path, monkeypatch):
    """A script may run from anywhere."""
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there, here):
        folder.mkdir()
        (folder / "devices.yaml").touch()
    monkeypatch.chdir(here)
    assert find_project(environ={"EDGEKIT_PROJECT": str(there)}).root == there
    assert find_project(environ={}).root == here


def test_a_wrong_variable_is_named(tmp_path):
    """Otherwise the user looks for the mistake in the folder."""
    with pytest.raises(NotFoundError, match="not an edgekit project") as caught:
        find_project(environ={"EDGEKIT_PROJECT": str(tmp_path)})
    assert "EDGEKIT_PROJECT" in caught.value.why


def test_without_a_project_the_next_command_is_said(tmp_path):
    with pytest.raises(NotFoundError) as caught:
        find_project(tmp_path)
    assert "edgekit init" in caught.value.hint
    with pytest.raises(NotFoundError):
        open_project(tmp_path)


def test_init_copies_data_and_leaves_training_code(tmp_path, shipped):
    """A project holds what people edit, not our training scripts."""
    report = init_project(tmp_path / "new", data_root=shipped)
    assert report.kept == ()
    assert "detectors/demo/model.onnx" in report.written
    assert not (tmp_path / "new/detectors/demo/train.py").exists()
    assert "/.edgekit/" in (tmp_path / "new/.gitignore").read_text()
    assert (tmp_path / "new/.edgekit/.gitignore").read_text() == "*\n"


def test_init_never_overwrites(tmp_path, shipped):
    """The user's devices.yaml is work that no command may lose."""
    (tmp_path / "devices.yaml").write_text("mine")
    (tmp_path / "detectors").mkdir()
    dangling = tmp_path / "detectors/demo"
    dangling.mkdir()
    (dangling / "labels.txt").symlink_to("nowhere")
    report = init_project(tmp_path, data_root=shipped)
    assert (tmp_path / "devices.yaml").read_text() == "mine"
    assert (dangling / "labels.txt").is_symlink()
    assert report.kept == ("detectors/demo/labels.txt", "devices.yaml")
    assert init_project(tmp_path, data_root=shipped).written == ()


def test_init_on_a_file_is_refused_in_words(tmp_path, shipped):
    (tmp_path / "taken").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        init_project(tmp_path / "taken", data_root=shipped)


def test_the_package_brings_its_own_project_files():
    """`edgekit init` of a checkout copies the checkout's files."""
    root = package_data_root()
    assert (root / "devices.yaml").is_file()
    assert (root / "detectors/roadscene/detector.yaml").is_file()
