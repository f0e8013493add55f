"""The root program that restarts the camera daemon does that, rarely, and nothing else, whatever services ask for."""

from __future__ import annotations

import json
import os

import pytest

from edgekit.bootstrap import argus

DAEMON = "restart nvargus-daemon.service"


class Device:
    """A folder of requests and a clock; systemctl is a list of what it was told."""

    def __init__(self, folder, monkeypatch):
        self.requests, self.history = folder / "requests", folder / "history.json"
        self.requests.mkdir()
        self.now_s, self.calls, self.said, self.slept = 1000.0, [], [], []
        monkeypatch.setattr(argus, "run", lambda systemctl, *words: self.calls.append(" ".join(words)))
        monkeypatch.setattr(argus, "say", self.said.append)
        monkeypatch.setattr(argus.time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(argus.time, "sleep", self.slept.append)
        monkeypatch.setattr(argus.sys, "argv", ["edgekit-argus", str(self.requests), str(self.history), "systemctl"])

    def ask(self, *names, after_s=0.0):
        """What systemctl is told because of these requests."""
        self.now_s += after_s
        for name in names:
            (self.requests / name).touch()
        del self.calls[:], self.said[:], self.slept[:]
        argus.main()
        return self.calls

    @property
    def left(self):
        return sorted(path.name for path in self.requests.iterdir())


@pytest.fixture
def device(tmp_path, monkeypatch):
    return Device(tmp_path, monkeypatch)


def again(name):
    return f"--no-block try-restart edgekit@{name}.service"


def test_the_daemon_is_restarted_and_then_who_asked(device):
    """The service sees the daemon's old socket until it is started again."""
    assert device.ask("street") == [DAEMON, again("street")]
    assert device.left == []


def test_not_twice_within_two_minutes(device):
    """A camera that is not plugged in must not take the daemon from the others all the time."""
    device.ask("street")
    assert device.ask("street", after_s=119.0) == []
    assert "refused, the last one was 119 s ago" in device.said[0]
    assert device.ask("street", after_s=2.0) == [DAEMON, again("street")]


def test_twenty_requests_in_an_hour_restart_it_five_times(device):
    asked = [device.ask("street", after_s=170.0)[:1] for _ in range(20)]
    assert asked.count([DAEMON]) == 5
    assert asked[:5] == [[DAEMON]] * 5, "the first ones"
    assert device.ask("street", after_s=3600.0) == [DAEMON, again("street")]


def test_another_service_that_lost_its_socket_is_only_started_again(device):
    """Two services with CSI cameras would otherwise take the daemon from each other for ever."""
    device.ask("street")
    assert device.ask("gate", after_s=25.0) == [again("gate")]
    assert device.ask("street", "gate", after_s=30.0) == []
    assert device.ask("gate", after_s=120.0) == [DAEMON, again("gate")]


def test_long_after_a_restart_a_service_that_asks_is_believed(device):
    """It has had its socket all the time: the daemon itself is what hangs."""
    device.ask("street")
    assert device.ask("gate", after_s=601.0) == [DAEMON, again("gate")]


@pytest.mark.parametrize("name", ["Street", "a b", "-rf", "ssh.service", "x" * 64, "ü", ".street", "s;reboot"])
def test_what_is_no_name_of_a_service_is_only_removed(device, name):
    """A unit's name is all that a request decides."""
    assert device.ask(name) == [] and device.left == []
    assert device.slept == [argus.PAUSE_S], "or a flood would keep root busy"


def test_a_flood_of_names_restarts_few_services(device):
    """They run as the user that asks, which could end them itself; systemd must not be kept busy."""
    calls = device.ask(*(f"s{number}" for number in range(50)))
    assert calls[0] == DAEMON and len(calls) <= 1 + argus.MOST_SERVICES
    assert device.left == []
    for _ in range(3):
        assert DAEMON not in device.ask(*(f"t{number}" for number in range(50)), after_s=5.0)
    assert device.ask("u1", after_s=5.0) == [], "no more services until the daemon is restarted again"


def test_nothing_is_opened(device, tmp_path):
    """Neither a pipe that would hold root up, nor a link that leads elsewhere."""
    (tmp_path / "secret").write_text("x")
    (device.requests / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(device.requests / "pipe")
    (device.requests / "folder").mkdir()
    device.ask()
    assert device.left == [] and (tmp_path / "secret").exists()


def test_what_cannot_be_removed_is_told_and_waited_for(device):
    (device.requests / "full/inner").mkdir(parents=True)
    assert device.ask("street") == [DAEMON, again("street")]
    assert device.left == ["full"] and "cannot remove 'full'" in device.said[-1]
    assert device.slept[-1] == argus.PAUSE_S


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"restarts": ["x"], "served": []})])
def test_a_damaged_history_counts_as_a_restart_just_now(device, text):
    """Whatever happened to it, the daemon is not restarted more often for that."""
    device.history.write_text(text)
    assert DAEMON not in device.ask("street")


def test_what_cannot_be_written_down_is_not_done(device):
    """It could not be counted."""
    device.history.mkdir()
    with pytest.raises(OSError):
        device.ask("street")
    assert device.calls == []


def test_a_failure_of_systemctl_is_told(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(argus, "say", said.append)
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\necho 'Unit nvargus-daemon.service not found.'\nexit 5\n")
    systemctl.chmod(0o755)
    argus.run(str(systemctl), "restart", argus.DAEMON)
    assert said == ["systemctl restart nvargus-daemon.service: Unit nvargus-daemon.service not found."]
