"""`edgekit init` makes a project in which the next command works."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from edgekit.cli.app import app


def test_a_new_project_is_made_and_the_next_command_is_said(tmp_path):
    result = CliRunner().invoke(app, ["init", str(tmp_path / "demo")])
    assert result.exit_code == 0, result.output
    assert "devices.yaml" in result.stdout
    assert f"next: cd {tmp_path / 'demo'} && edgekit doctor" in result.stdout
    listed = CliRunner().invoke(app, ["devices", "--project", str(tmp_path / "demo"), "--json"])
    assert json.loads(listed.stdout)["devices"][0]["name"] == "local"


def test_a_second_init_does_nothing_and_says_so(tmp_path):
    CliRunner().invoke(app, ["init", str(tmp_path)])
    (tmp_path / "devices.yaml").write_text("devices: {}\n")
    result = CliRunner().invoke(app, ["init", str(tmp_path)])
    assert "nothing to do" in result.stdout
    assert (tmp_path / "devices.yaml").read_text() == "devices: {}\n"


def test_json_lists_what_was_written_and_kept(tmp_path):
    (tmp_path / "devices.yaml").touch()
    report = json.loads(CliRunner().invoke(app, ["init", str(tmp_path), "--json"]).stdout)
    assert report["root"] == str(tmp_path)
    assert "devices.yaml" in report["kept"]
    assert "detectors/roadscene/detector.yaml" in report["written"]


def test_a_file_in_the_way_is_a_usage_error(tmp_path):
    (tmp_path / "demo").touch()
    result = CliRunner().invoke(app, ["init", str(tmp_path / "demo")])
    assert result.exit_code == 2
    assert "cannot be made" in result.stderr
