"""Named ways to measure."""

from __future__ import annotations

import pytest

from edgekit.control.project import Project, package_data_root
from edgekit.control.scenarios import Scenario, load_scenario, sources_of
from edgekit.core.limits import Limits
from edgekit.core.results import SCENARIOS
from edgekit.core.service import StreamSettings
from edgekit.errors import ConfigError, NotFoundError, UsageError
from tests.control.bench.made_up_device import device


@pytest.fixture
def project(tmp_path):
    (tmp_path / "bench" / "scenarios").mkdir(parents=True)
    return Project(tmp_path)


def test_without_a_file_the_built_in_one_serves(project):
    """A project whose bench/ was deleted can still be measured."""
    assert load_scenario(project, None) == Scenario()


def test_the_shipped_default_says_what_the_built_in_one_does():
    """Two defaults that differ would make two histories."""
    assert load_scenario(Project(package_data_root()), "pipeline") == Scenario()


def test_every_problem_of_a_scenario_is_told_at_once(project):
    (project.scenarios_dir / "x.yaml").write_text("source: ''\nseconds: 0\nbach: 3\n")
    with pytest.raises(ConfigError) as told:
        load_scenario(project, "x")
    assert len(told.value.problems) == 3
    assert all(line.startswith("bench/scenarios/x.yaml: ") for line in told.value.problems)


def test_an_unknown_scenario_names_the_known_ones(project):
    (project.scenarios_dir / "night.yaml").write_text("")
    with pytest.raises(NotFoundError) as told:
        load_scenario(project, "nigth")
    assert "night" in told.value.why


def test_every_kind_of_measuring_comes_ready_and_needs_no_file_in_the_project(project):
    """A project made before there were soaks can be soaked."""
    shipped = {name: load_scenario(project, name) for name in (*SCENARIOS, "video")}
    assert {name: made.kind for name, made in shipped.items() if name != "video"} == {name: name for name in SCENARIOS}
    assert shipped["camera"].source is None
    assert shipped["streams"].streams > 1 and shipped["soak"].seconds >= 600


def test_the_projects_own_file_goes_before_the_shipped_one(project):
    """Its people know their street."""
    (project.scenarios_dir / "soak.yaml").write_text("kind: soak\nseconds: 60\nparts: 3\n")
    assert (load_scenario(project, "soak").seconds, load_scenario(project, "soak").parts) == (60, 3)


def test_a_file_of_before_means_what_it_did(project):
    """Source, seconds and batch were all there was."""
    (project.scenarios_dir / "old.yaml").write_text("source: street.mp4\nseconds: 30\nbatch: 2\n")
    assert load_scenario(project, "old") == Scenario("old", source="street.mp4", seconds=30, batch=2)


def test_limits_are_read_and_wrong_ones_told(project):
    """A limit with a typing error in its name would be kept by everything."""
    (project.scenarios_dir / "fast.yaml").write_text("limits: {fps: 25, joules_per_frame: 0.5}\n")
    assert load_scenario(project, "fast").limits == Limits(fps=25, joules_per_frame=0.5)
    (project.scenarios_dir / "fast.yaml").write_text("limits: {fbs: 25, watts: 0}\n")
    with pytest.raises(ConfigError) as told:
        load_scenario(project, "fast")
    assert "did you mean 'fps'?" in told.value.why and "limits.watts" in told.value.why


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("streams: 4\n", "streams: only for kind: streams, this is pipeline"),
        ("kind: camera\nparts: 4\n", "parts: only for kind: soak, this is camera"),
        ("kind: streams\nstreams: 4\nmore_sources: [b]\n", "streams, more_sources: give one of them"),
        ("kind: marathon\n", "kind: expected 'pipeline', 'engine', 'camera', 'streams' or 'soak'"),
    ],
)
def test_a_key_that_would_change_nothing_is_refused(project, text, said):
    """People would believe that it counted."""
    (project.scenarios_dir / "x.yaml").write_text(text)
    with pytest.raises(ConfigError) as told:
        load_scenario(project, "x")
    assert said in told.value.why


def test_sources_are_placed_where_the_device_finds_them(project):
    """A relative path is one of this project, and means nothing on another machine."""
    video = Scenario(source="street.mp4")
    assert sources_of(video, device("local"), project) == (str(project.root / "street.mp4"),)
    with pytest.raises(UsageError, match="not an absolute path"):
        sources_of(video, device("jetson"), project)
    both = Scenario(kind="streams", source="/a.mp4", more_sources=("rtsp://b/1",))
    assert sources_of(both, device("jetson"), project) == ("/a.mp4", "rtsp://b/1")


def test_without_a_source_the_devices_own_cameras_are_watched(project):
    """One of them at a time, or in the scenario of streams all."""
    entry = device("jetson", streams=(StreamSettings("csi://0", "a"), StreamSettings("csi://1", "b")))
    assert sources_of(Scenario(kind="camera", source=None), entry, project) == ("csi://0",)
    assert sources_of(Scenario(kind="streams", source=None), entry, project) == ("csi://0", "csi://1")
    assert sources_of(Scenario(kind="streams", source=None, streams=4), entry, project) == ("csi://0",)
