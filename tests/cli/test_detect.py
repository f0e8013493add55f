"""`edgekit detect` by its options, on a project of one tiny detector and drawn streets."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from tests.onnx_models import save_yolov8

SCENES = "scenes://?seed={seed}&width=128&height=128&fps=10&frames=8"
DEVICES = f"""
devices:
  local:
    kind: local
    detector: tiny
    cameras: {{north: "{SCENES.format(seed=1)}", south: "{SCENES.format(seed=2)}"}}
    events:
      zones: [{{name: street, stream: north, points: [[0, 0], [1, 0], [1, 1], [0, 1]]}}]
  plain:
    kind: local
    detector: tiny
    source: "{SCENES.format(seed=1)}"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    detector = root / "detectors" / "tiny"
    detector.mkdir(parents=True)
    save_yolov8(detector / "model.onnx")
    (detector / "detector.yaml").write_text("labels: [car, person]\n")
    (root / "devices.yaml").write_text(DEVICES)
    return root


def detect(project, *arguments):
    return CliRunner().invoke(
        app,
        ["--project", str(project), "detect", "--precision", "fp32", *map(str, arguments)],
        env={"COLUMNS": "200", "NO_COLOR": "1"},
    )


def test_without_a_source_it_looks_at_what_the_service_watches(project, tmp_path):
    """Trying out zones would need the addresses of all cameras a second time."""
    done = detect(project, "--jsonl", tmp_path / "found.jsonl", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert [(stream["stream"], stream["frames"]) for stream in answer["streams"]] == [("north", 8), ("south", 8)]
    lines = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert {line["stream"] for line in lines} == {"north", "south"}


def test_events_are_those_of_the_entry_s_zones(project, tmp_path):
    """A zone that was drawn in devices.yaml could be tried out only by deploying it."""
    done = detect(project, "--events", tmp_path / "events.jsonl", "--confidence", "0.0")
    assert done.exit_code == 0, done.output
    assert "objects" in done.stdout and "events" in done.stdout
    assert (tmp_path / "events.jsonl").is_file()


def test_events_without_zones_say_what_to_add(project, tmp_path):
    """An empty file would look like an empty street."""
    done = detect(project, "--device", "plain", "--events", tmp_path / "events.jsonl")
    assert done.exit_code == 2
    assert "plain has no zones and lines" in done.output and "add events: to plain in devices.yaml" in done.output
    assert not (tmp_path / "events.jsonl").exists()


def test_objects_are_numbered_also_without_zones(project, tmp_path):
    """The numbers are worth something by themselves."""
    answer = json.loads(detect(project, "--device", "plain", "--track", "--json").stdout)
    assert answer["objects"] is not None and answer["events"] == []
    assert json.loads(detect(project, "--device", "plain", "--json").stdout)["objects"] is None


def test_a_zone_of_a_camera_that_is_not_looked_at_is_an_error(project, tmp_path):
    """It would wait for ever."""
    done = detect(project, SCENES.format(seed=3), "--events", tmp_path / "events.jsonl")
    assert done.exit_code != 0 and "no camera is named 'north'" in done.output
