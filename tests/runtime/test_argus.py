"""Asking for the camera daemon to be started again: not before the camera had its chance, and not too often."""

from __future__ import annotations

import random

import pytest

from edgekit.core.camera_failures import CameraFailure
from edgekit.core.camera_uri import parse_camera_uri
from edgekit.runtime import argus
from edgekit.runtime.argus import ArgusHeal
from edgekit.runtime.capture.source import CameraSource, open_camera

STALL = CameraFailure("stall", "no picture for 5 s")


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on when told to."""
    times = [100.0]
    monkeypatch.setattr(argus.time, "monotonic", lambda: times[-1])
    return lambda seconds: times.append(times[-1] + seconds)


def test_a_request_is_an_empty_file_of_the_services_name(tmp_path, capsys):
    """Root reads no word of it."""
    assert ArgusHeal(tmp_path, "street").ask("csi://0 gave nothing for 21 s")
    (request,) = tmp_path.iterdir()
    assert (request.name, request.read_bytes()) == ("street", b"")
    assert capsys.readouterr().err == "csi://0 gave nothing for 21 s; asked for a new start of nvargus-daemon\n"


def test_it_asks_once_in_two_minutes_for_all_cameras_of_a_service(tmp_path, clock):
    """Each camera notices; the daemon is one."""
    heal = ArgusHeal(tmp_path, "street")
    assert heal.ask("csi://0") and not heal.ask("csi://1")
    clock(119.0)
    assert not heal.ask("csi://0")
    clock(2.0)
    assert heal.ask("csi://0")


def test_where_nobody_takes_requests_that_is_said_and_nothing_else_happens(tmp_path, capsys):
    """A device that was provisioned before there was this: the camera is looked for all the same."""
    assert not ArgusHeal(tmp_path / "none", "street").ask("csi://0 gave nothing for 21 s")
    assert "cannot be asked for: No such file or directory" in capsys.readouterr().err


def test_without_a_service_nobody_is_asked(tmp_path, capsys):
    """`edgekit detect` and `cameras` on a device are no services."""
    assert not ArgusHeal(tmp_path, "").ask("csi://0")
    assert (list(tmp_path.iterdir()), capsys.readouterr().err) == ([], "")


class Heard(list):
    """A camera that is lost again and again, as its reading thread sees it, and what was asked for it."""

    def __init__(self, monkeypatch, uri="csi://0"):
        self.now_s = 100.0
        monkeypatch.setattr(argus.time, "monotonic", lambda: self.now_s)  # the module `time` is one for all
        self.source = CameraSource(parse_camera_uri(uri), chance=random.Random(1), heal=self.append)

    def lose(self, failure, after_s):
        self.now_s += after_s
        self.source._wait_to_retry(failure, self.now_s - 1.0)


def test_the_daemon_is_not_to_blame_before_twenty_seconds_and_a_second_try(monkeypatch):
    """Most cameras come back by a new capture process; a new daemon takes every camera of the board away."""
    heard = Heard(monkeypatch)
    heard.lose(STALL, 5.0)
    heard.lose(CameraFailure("timeout", "no picture"), 10.0)
    assert heard == []
    heard.lose(CameraFailure("timeout", "no picture within 15 s of connecting"), 6.0)
    assert heard == ["csi://0 gave nothing for 21 s: no picture within 15 s of connecting"]


def test_one_long_wait_alone_is_no_reason(monkeypatch):
    """A first start looks through all plugins of GStreamer."""
    heard = Heard(monkeypatch)
    heard.lose(STALL, 30.0)
    assert heard == []


@pytest.mark.parametrize("kind", ["no device", "busy", "permission", "mode", "codec"])
def test_what_a_new_daemon_does_not_mend_is_not_asked_for(monkeypatch, kind):
    """A camera that is not plugged in would take the others' pictures away, again and again."""
    heard = Heard(monkeypatch)
    for _ in range(4):
        heard.lose(CameraFailure(kind, "x"), 20.0)
    assert heard == []


@pytest.mark.parametrize(("uri", "asks"), [("csi://0", True), ("rtsp://camera/stream", False)])
def test_only_csi_cameras_ask(uri, asks):
    """Others have nothing to do with that daemon."""
    with open_camera(uri, uri.partition("://")[2]) as source:
        assert (source._heal is not None) == asks
