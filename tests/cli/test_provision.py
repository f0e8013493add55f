"""`edgekit provision` says what it lacks before it begins, and keeps the password to itself."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app

DEVICES = {
    "local": {"kind": "local"},
    "nx": {"kind": "jetson", "address": "127.0.0.1", "port": 1, "user": "nvidia", "source": "/v.mp4"},
}


@pytest.fixture
def run(tmp_path):
    """The verb in a project with a Jetson that does not answer."""
    (tmp_path / "devices.yaml").write_text(json.dumps({"devices": DEVICES, "groups": {"street": ["nx"]}}))

    def provision(*words, **environment):
        return CliRunner().invoke(app, ["provision", "--project", str(tmp_path), *words], env=environment)

    return provision


def test_a_device_must_be_named(run):
    """The default of other verbs, this machine, would be a riddle here."""
    result = run()
    assert (result.exit_code, "which device?" in result.stderr) == (2, True)


def test_this_machine_needs_none(run):
    result = run("--device", "local")
    assert (result.exit_code, "needs no provisioning" in result.stderr) == (2, True)


def test_undo_wants_to_be_meant(run):
    """It removes engines that took hours to build."""
    result = run("--device", "nx", "--undo")
    assert (result.exit_code, "--yes" in result.stderr) == (2, True)


def test_without_a_terminal_the_password_comes_from_the_environment(run):
    result = run("--device", "nx", "--ask-sudo-password")
    assert (result.exit_code, "EDGEKIT_SUDO_PASSWORD" in result.stderr) == (2, True)


def test_a_device_that_cannot_be_reached_is_no_success(run):
    result = run("--device", "street", "--ask-sudo-password", "--debug", EDGEKIT_SUDO_PASSWORD="canary")
    assert result.exit_code == 9
    assert "canary" not in result.stderr + result.stdout


def test_the_help_shows_how(run):
    assert "edgekit provision --device xavier-nx --undo" in run("--help").stdout
