"""Named ways to measure."""

from __future__ import annotations

import pytest

from edgekit.control.project import Project, package_data_root
from edgekit.control.scenarios import Scenario, load_scenario
from edgekit.errors import ConfigError, NotFoundError


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
