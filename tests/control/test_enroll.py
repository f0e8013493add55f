"""Enrolment: a key is pinned only after it was judged, and nobody logs in before."""

from __future__ import annotations

import contextlib

import pytest

from edgekit.control.enroll import enroll, try_login
from edgekit.control.inventory import Device
from edgekit.control.ssh.host_keys import find_keys
from edgekit.errors import ConfigError, DeviceError, UnreachableError
from tests.ssh_server import SSHServer, make_key


@pytest.fixture
def keys(tmp_path):
    return {name: make_key(tmp_path / name) for name in ("host", "gate", "user", "stranger")}


@pytest.fixture
def server(keys):
    with contextlib.closing(SSHServer(keys["host"], keys["user"])) as server:
        yield server


@pytest.fixture
def known_hosts(tmp_path):
    return tmp_path / "known_hosts"


def device(tmp_path, server, key="user", **entry):
    places = {"address": "127.0.0.1", "port": server.port, "user": "ed", "key": str(tmp_path / key)}
    return Device("nx", "jetson", "roadscene", "street", "/v.mp4", **places, **entry)


def test_an_accepted_key_is_pinned_and_was_shown_without_logging_in(tmp_path, server, known_hosts):
    seen = []
    (found,) = enroll(device(tmp_path, server), known_hosts, lambda shown: not seen.append(shown))
    assert server.auth_attempts == 0
    assert seen == [found] and found.state == "new" and found.is_device
    assert find_keys(known_hosts, f"[127.0.0.1]:{server.port}") == (found.key,)
    assert found.key.blob == server.host_key.asbytes()


def test_a_key_that_is_not_accepted_is_not_written(tmp_path, server, known_hosts):
    with pytest.raises(DeviceError, match="was not confirmed"):
        enroll(device(tmp_path, server), known_hosts, lambda shown: False)
    assert not known_hosts.exists() and server.auth_attempts == 0


def test_a_pinned_key_is_not_asked_about_again(tmp_path, server, known_hosts):
    server.pin(known_hosts)
    (found,) = enroll(device(tmp_path, server), known_hosts, lambda shown: pytest.fail("asked"))
    assert found.state == "unchanged"


def test_a_changed_key_is_replaced_only_if_that_is_asked_for(tmp_path, server, known_hosts, keys):
    """--yes in a script must not walk over a machine in the middle."""
    with contextlib.closing(SSHServer(keys["stranger"], keys["user"])) as other:
        other.port = server.port
        other.pin(known_hosts)
    with pytest.raises(DeviceError, match="HAS CHANGED"):
        enroll(device(tmp_path, server), known_hosts, lambda shown: True)
    (found,) = enroll(device(tmp_path, server), known_hosts, lambda shown: True, replace=True)
    assert found.state == "changed"
    assert find_keys(known_hosts, f"[127.0.0.1]:{server.port}") == (found.key,)


def test_jump_hosts_are_enrolled_on_the_way(tmp_path, server, known_hosts, keys):
    """The device's key can only be seen through the gate, and the gate only be entered once it is trusted."""
    with contextlib.closing(SSHServer(keys["gate"], keys["user"])) as gate:
        behind = device(tmp_path, server, jump=f"ed@127.0.0.1:{gate.port}")
        found = enroll(behind, known_hosts, lambda shown: gate.auth_attempts == 0 or shown.is_device)
    assert [item.is_device for item in found] == [False, True]
    assert [item.key.blob for item in found] == [keys["gate"].asbytes(), keys["host"].asbytes()]
    assert server.auth_attempts == 0


def test_a_device_that_is_off_is_unreachable(tmp_path, server, known_hosts):
    server.close()
    with pytest.raises(UnreachableError, match="nothing listens"):
        enroll(device(tmp_path, server), known_hosts, lambda shown: True)


def test_the_login_is_tried_and_told(tmp_path, server, known_hosts):
    server.pin(known_hosts)
    assert try_login(device(tmp_path, server), known_hosts).works
    refused = try_login(device(tmp_path, server, key="stranger"), known_hosts)
    assert not refused.works and "does not let ed in" in refused.error.what


def test_a_file_of_keys_that_is_not_understood_is_left_alone(tmp_path, server, known_hosts):
    """A merge conflict in it must not end with half of the fleet forgotten."""
    known_hosts.write_text("<<<<<<< mine\n")
    with pytest.raises(ConfigError, match="is not understood"):
        enroll(device(tmp_path, server), known_hosts, lambda shown: True)
    assert known_hosts.read_text() == "<<<<<<< mine\n"
