"""What a service tells while some of its cameras are away."""

from __future__ import annotations

import json
import time

import pytest

from edgekit.core.camera_condition import Condition
from edgekit.core.service import Health, StreamSettings
from edgekit.core.wire import from_wire
from edgekit.errors import SourceError
from edgekit.runtime.frames import Source
from edgekit.runtime.health_report import HealthFile
from edgekit.runtime.pace import Pace
from edgekit.runtime.service_report import NewWarnings, ServiceReport
from edgekit.runtime.stream_group import StreamGroup


class Camera(Source):
    """A camera that says how it fares and gives no frames."""

    live = True

    def __init__(self, state):
        super().__init__()
        self.state = state
        self.since_s = 3.0

    @property
    def condition(self):
        return Condition(self.state, time.monotonic() - self.since_s, "no picture" if self.state != "ok" else "")


class Fed:
    """A watchdog that counts how often it is fed."""

    def __init__(self):
        self.times = 0

    def advance(self):
        self.times += 1


@pytest.fixture
def report(tmp_path):
    streams = (StreamSettings("rtsp://me:secret@host/a", "yard"), StreamSettings("csi://0", "gate"))
    return ServiceReport(HealthFile(tmp_path / "health.json", "street", "r" * 16, streams), watchdog=Fed())


def cameras(report, **states):
    """The report's sources: cameras in these states."""
    members = [Camera(state) for state in states.values()]
    report.begin(StreamGroup(members, list(states)), Pace())
    return members


def test_a_camera_that_is_away_does_not_speak_for_those_that_are_there(report):
    """An engine that hangs would never be started again as long as one camera is broken."""
    yard, _ = cameras(report, yard="stalled", gate="ok")
    yard.on_away("yard is stalled")
    assert report.watchdog.times == 0 and report.progress.last_error == ""


def test_while_all_cameras_are_away_the_service_lives(report):
    """Starting it again brings no camera back."""
    yard, gate = cameras(report, yard="stalled", gate="reconnecting")
    yard.on_away("yard is stalled")
    gate.on_away("gate is reconnecting")
    assert report.watchdog.times == 2 and report.progress.last_error == "gate is reconnecting"


@pytest.mark.timed
def test_one_camera_in_trouble_is_a_warning_with_its_reason(report):
    """It would show nowhere but in its own row."""
    cameras(report, yard="frozen", gate="ok")
    health = report.report()
    assert health.warnings == ("yard: frozen: no picture",)
    assert [stream.condition for stream in health.streams] == ["frozen", "ok"]
    assert health.streams[0].condition_s == pytest.approx(3, abs=0.5)


def test_warnings_of_all_kinds_reach_the_file_and_listeners(report):
    """The page and the host know of nothing else."""
    heard = []
    report.warnings.append(lambda: ["the disk is full"])
    report.listeners.append(heard.append)
    health = report.report()
    assert heard == [health] and health.warnings == ("the disk is full",)
    assert from_wire(Health, json.loads(report.file.path.read_text())) == health


def test_how_a_service_ended_is_told_without_passwords(report):
    """health.json is for everyone to read."""
    with pytest.raises(SourceError) as caught, report.reported():
        raise SourceError("rtsp://me:secret@host/a gave nothing", why="rtsp://me:secret@host/a: 401")
    told = str(caught.value) + report.file.path.read_text()
    assert "secret" not in told and "rtsp://***@host/a gave nothing" in told


def test_a_service_that_ended_says_why_of_each_camera(report):
    """ "connecting" would stand there for ever."""
    with pytest.raises(SourceError), report.reported():
        raise SourceError("csi://0 cannot be read on this machine", why="there is no nvarguscamerasrc\nmore")
    health = from_wire(Health, json.loads(report.file.path.read_text()))
    assert health.last_error == "csi://0 cannot be read on this machine: there is no nvarguscamerasrc"
    assert {(stream.condition, stream.detail) for stream in health.streams} == {("ended", health.last_error)}


def test_a_camera_that_has_just_begun_to_connect_is_no_warning(report):
    """Every start would begin with one."""
    yard, _ = cameras(report, yard="connecting", gate="ok")
    assert report.report().warnings == ()
    yard.since_s = 6
    assert report.report().warnings == ("yard: connecting: no picture",)


def test_a_warning_is_logged_when_it_comes_and_not_each_time_its_numbers_change():
    """A day of one broken camera would fill the log."""
    heard = NewWarnings()
    assert heard.new(["away since 3 s", "hot"]) == ["away since 3 s", "hot"]
    assert heard.new(["away since 4.5 s", "hot"]) == []
    assert heard.new(["hot"]) == []
    assert heard.new(["away since 1 s", "hot"]) == ["away since 1 s"]
