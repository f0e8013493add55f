"""Messages to systemd, read from a real socket."""

from __future__ import annotations

import os
import socket
import time

import pytest

from edgekit.runtime.notify import Watchdog, notify, notify_status, watchdog_period_s


@pytest.fixture(params=["path", "abstract"])
def listener(request, tmp_path, monkeypatch):
    """systemd's end of the socket, in both forms that it uses."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@edgekit-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(address.replace("@", "\0", 1))
        channel.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield channel


def test_a_message_arrives(listener):
    """Without it systemd would kill a good service after its start timeout."""
    notify("READY=1")
    assert listener.recv(4096) == b"READY=1"


def test_a_status_stays_one_line(listener):
    """A second line would be read as another message."""
    notify_status("failed: the engine\nSTOPPING=1")
    assert listener.recv(4096) == b"STATUS=failed: the engine STOPPING=1"


def test_nothing_happens_where_nobody_listens(monkeypatch, caplog):
    """Under our own supervisor there is no socket; and a dead one must not stop a camera."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    assert not caplog.records
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/notify")
    notify("READY=1")
    assert "systemd was not told 'READY=1'" in caplog.text


def test_the_watchdog_is_fed_at_most_three_times_in_its_period(listener):
    """A message for each of 200 frames a second would be noise; too few would get the service killed."""
    watchdog = Watchdog({"WATCHDOG_USEC": "300000"})
    ended_s = time.monotonic() + 0.35
    while time.monotonic() < ended_s:
        watchdog.advance()
        time.sleep(0.005)
    listener.settimeout(0)
    fed = 0
    with pytest.raises(BlockingIOError):
        while listener.recv(4096) == b"WATCHDOG=1":
            fed += 1
    assert 3 <= fed <= 4


@pytest.mark.parametrize(
    ("environment", "period_s"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "15000000"}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
    ids=["not watched", "watched", "watched by number", "another process is", "nonsense"],
)
def test_the_period_is_read_as_systemd_means_it(environment, period_s):
    """A child of a watched process is not watched itself."""
    assert watchdog_period_s(environment) == period_s
