"""The page of a real service on a real RTSP camera, in a real browser: all of the way, and each end of it killed."""

from __future__ import annotations

import signal

import pytest

from edgekit.core.events import EventSettings
from edgekit.core.tracking import TrackingSettings
from edgekit.core.zones import Zone
from tests.browser.look import Look
from tests.runtime.capture.cameras import RtspServer, free_port
from tests.runtime.test_service import SOURCE, Device, heard_until, made  # noqa: F401 - a fixture
from tests.servers import needed, no_program, no_rtsp_server

pytestmark = [
    pytest.mark.browser,
    needed(no_program("chromium", "chromium-browser", "google-chrome")),
    needed(no_program("chromedriver")),
    needed(no_rtsp_server()),
]
EVERYWHERE = EventSettings(
    zones=(Zone("street", ((0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98))),),
    tracking=TrackingSettings(sure_score=0.3, unsure_score=0.1),
)


@pytest.fixture
def camera():
    with RtspServer("--size", "640x360", "--fps", "10") as server:
        yield server


@pytest.fixture
def served(tmp_path, made, camera):  # noqa: F811
    """(url, process) of a service with two cameras; the one called yard is the server's."""
    device, port = Device(tmp_path, made), free_port()
    device.settings({"yard": camera.uri, "street": SOURCE}, page_port=port, events=EVERYWHERE)
    with device.running() as (process, channel):
        heard_until(channel, "READY=1")
        yield f"http://127.0.0.1:{port}/", process


@pytest.fixture
def look(chromium, served):
    look = Look(chromium).open(served[0])
    look.wait(lambda: look.picture("yard") and look.picture("street"), 20)
    look.wait(lambda: look.text("#state") == "running", 10)
    return look


def test_the_page_of_a_service_shows_its_cameras_live(look):
    """Everything from the camera to the screen, as a user has it."""
    assert look.pictures_in("yard", 2.0) >= 2
    assert look.pictures_in("street", 2.0) >= 2
    look.wait(lambda: look.text("#events li b"), 10)
    assert look.text("#service") == "street" and "0123456789abcdef" in look.text("#facts dd")
    look.keep("service-desktop-light")
    assert look.complaints() == []


@pytest.mark.timed
@pytest.mark.parametrize("how", ["killed", "hanging"])
def test_a_dead_camera_shows_as_such_within_6_seconds_and_comes_back(look, camera, how):
    """Killed, it breaks the connection; hanging, it keeps it and says nothing: the picture must not pass for live."""
    camera.kill() if how == "killed" else camera.freeze()
    lasted_s = look.wait(lambda: look.condition("yard") in ("reconnecting", "stalled"), 8)
    assert lasted_s < 6
    assert "still" in look.ask("document.querySelector('[data-camera=yard]').className")
    assert look.text("[data-camera=yard] .why") and "since" in look.text("[data-camera=yard] .since")
    assert look.condition("street") == "ok" and look.pictures_in("street", 1.5) >= 2
    look.keep(f"service-{how}-desktop-light")
    camera.start() if how == "killed" else camera.thaw()
    look.wait(lambda: look.condition("yard") == "ok", 25)
    assert look.pictures_in("yard", 2.0) >= 2
    assert look.complaints() == []


def test_a_service_that_is_killed_is_said_so(look, served):
    """Its last pictures must not pass for the present."""
    served[1].send_signal(signal.SIGKILL)
    assert look.wait(lambda: look.text("#state").startswith("no answer for"), 6) < 6
    assert look.ask("document.body.className") == "gone"
