"""`edgekit enroll`, against a real SSH server: what is asked, told and written."""

from __future__ import annotations

import contextlib
import json

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.control.ssh.host_keys import HostKey, find_keys
from tests.ssh_server import SSHServer, make_key


@pytest.fixture
def server(tmp_path):
    with contextlib.closing(SSHServer(make_key(tmp_path / "host"), make_key(tmp_path / "user"))) as server:
        entry = {
            "address": "127.0.0.1",
            "port": server.port,
            "user": "ed",
            "key": str(tmp_path / "user"),
            "source": "/v",
        }
        devices = {"devices": {"local": {"kind": "local"}, "nx": entry, "off": {**entry, "port": 1}}}
        (tmp_path / "devices.yaml").write_text(json.dumps(devices))
        yield server


@pytest.fixture
def fingerprint(server):
    return HostKey(server.host_key.get_name(), server.host_key.asbytes()).fingerprint


def run(tmp_path, *words, **options):
    return CliRunner().invoke(app, [*words, "--project", str(tmp_path)], **options)


def trusted(tmp_path, server):
    return find_keys(tmp_path / "known_hosts", f"[127.0.0.1]:{server.port}")


def test_the_right_fingerprint_is_pinned_and_the_next_step_is_named(tmp_path, server, fingerprint):
    result = run(tmp_path, "enroll", "nx", "--fingerprint", fingerprint)
    assert result.exit_code == 0, result.stderr
    assert f"ssh-ed25519 {fingerprint} trusted now" in result.stdout
    assert "edgekit provision --device nx" in result.stdout
    assert [key.fingerprint for key in trusted(tmp_path, server)] == [fingerprint]
    again = run(tmp_path, "enroll", "nx", "--json")
    assert json.loads(again.stdout)[0]["hosts"][0]["state"] == "unchanged"


def test_another_fingerprint_is_refused_and_nothing_is_written(tmp_path, server):
    result = run(tmp_path, "enroll", "nx", "--fingerprint", "SHA256:wrong", "--json")
    assert result.exit_code == 9
    assert json.loads(result.stdout)[0]["enrolled"] is False
    assert "shows another key" in result.stderr
    assert not trusted(tmp_path, server) and server.auth_attempts == 0


def test_without_a_terminal_nobody_is_asked_and_the_fingerprint_is_named(tmp_path, server, fingerprint):
    """A prompt in CI would hang, and a default answer would be trust without looking."""
    result = run(tmp_path, "enroll", "nx")
    assert result.exit_code == 9
    assert f"--fingerprint {fingerprint}" in result.stderr
    assert not trusted(tmp_path, server)


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 9), ("\n", 9)])
def test_a_person_confirms_the_key(tmp_path, server, fingerprint, monkeypatch, answer, code):
    monkeypatch.setattr("edgekit.cli.verbs.enroll._at_a_terminal", lambda: True)
    result = run(tmp_path, "enroll", "nx", input=answer)
    assert result.exit_code == code
    assert fingerprint in result.stderr and "ssh-keygen -lf" in result.stderr
    assert bool(trusted(tmp_path, server)) == (code == 0)


def test_a_device_that_is_off_does_not_keep_the_others_from_it(tmp_path, server):
    result = run(tmp_path, "enroll", "off", "nx", "--yes", "--json")
    assert result.exit_code == 9
    assert [(item["device"], item["enrolled"]) for item in json.loads(result.stdout)] == [("off", False), ("nx", True)]


def test_a_login_that_does_not_work_is_told_at_once(tmp_path, server):
    """Enrolled is not logged in: the next command would fail, and look like a fault of its own."""
    server.authorized = make_key(tmp_path / "stranger")
    result = run(tmp_path, "enroll", "nx", "--yes")
    assert result.exit_code == 9
    assert "does not let ed in" in result.stderr and "ssh-copy-id" in result.stderr
    assert trusted(tmp_path, server)


@pytest.mark.parametrize(
    ("words", "said"),
    [(["local", "--yes"], "needs no enrolment"), (["nx", "off", "--fingerprint", "x"], "is the key of one device")],
)
def test_what_cannot_be_is_refused(tmp_path, server, words, said):
    result = run(tmp_path, "enroll", *words)
    assert result.exit_code == 2
    assert said in result.stderr
