"""A service's page in a real browser, with real pictures and a camera that really dies."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.detections import Detections
from edgekit.core.events import Counts, Event, EventSettings, LineCount, ZoneCount
from edgekit.core.machine import MachineReadings
from edgekit.core.service import Health, StreamHealth
from edgekit.core.zones import Line, Zone
from edgekit.runtime.page.feed import Feed
from edgekit.runtime.page.server import PageServer
from edgekit.runtime.pipeline_batch import DetectedFrame, StageTimes
from edgekit.runtime.sources import open_source
from tests.browser.look import Look
from tests.servers import needed, no_program

pytestmark = [
    pytest.mark.browser,
    needed(no_program("chromium", "chromium-browser", "google-chrome")),
    needed(no_program("chromedriver")),
]

PLACES = EventSettings(
    zones=(Zone("crossing", ((0.2, 0.55), (0.7, 0.55), (0.85, 0.95), (0.1, 0.95))),),
    lines=(Line("kerb", (0.1, 0.5), (0.9, 0.55), to_right="in", to_left="out"),),
)
COUNTS = Counts(
    (
        ZoneCount("crossing", "yard", "car", 12, 10, 1, 2),
        ZoneCount("crossing", "yard", "person", 3, 3),
        ZoneCount("crossing", "gate", "car", 1234, 1230, 7, 4),
    ),
    (LineCount("kerb", "yard", "car", "in", 55), LineCount("kerb", "yard", "car", "out", 49)),
)
MACHINE = MachineReadings(
    temperature_c=61.4,
    hottest_zone="soc-thermal",
    limit_c=97.0,
    watts=8.43,
    watts_of="module input",
    memory_total_mib=7620,
    memory_available_mib=3312,
    power_mode="15W",
)
MARKUP = '<img src=x onerror="document.title=1">'


class Cameras:
    """A small program with a page: scenes as cameras, each a thread; what it says of them is true."""

    def __init__(self, names=("yard", "gate"), port=0, events=PLACES, machine=MACHINE, size=(640, 360)):
        self.feed = Feed(("car", "person"), names, events)
        self.frames = dict.fromkeys(names, 0)
        self.dead_since_s = {}
        self.machine, self.counts = machine, COUNTS if events else Counts()
        self.changes, self.stream_changes = {}, {}
        uri = f"scenes://?width={size[0]}&height={size[1]}&fps=10&live=1"
        self._sources = [open_source(f"{uri}&seed={seed}") for seed in range(len(names))]
        self._ending = threading.Event()
        self._started_unix_s = time.time() - 98_765
        self.page = PageServer(self.feed, port)
        self._threads = [threading.Thread(target=self._watch, args=pair) for pair in zip(names, self._sources)]
        self._threads.append(threading.Thread(target=self._report))
        for thread in self._threads:
            thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.page.port}/"

    def kill(self, name):
        self.dead_since_s[name] = time.monotonic()

    def revive(self, name):
        del self.dead_since_s[name]

    def _watch(self, name, source):
        for frame in source:
            if self._ending.is_set():
                return
            if name not in self.dead_since_s:
                self.feed.show(self._detected(replace(frame, stream=name)))
                self.frames[name] += 1

    def _detected(self, frame):
        across = 40.0 + 8 * (frame.index % 50)
        boxes = np.array([[across, 150, across + 120, 230], [400, 190, 430, 280]], np.float32)
        found = Detections(boxes, np.array([0.91, 0.62], np.float32), np.array([0, 1], np.int32))
        events = (self._event(frame),) if self.feed.places and frame.index % 20 == 3 else ()
        return DetectedFrame(
            frame, found, 40.0, time.monotonic(), StageTimes(1, 1, 1, 1), (), np.array([17, 0]), events
        )

    def _event(self, frame):
        kind = ("enter", "stay", "leave", "cross")[frame.index // 20 % 4]
        crossing = kind == "cross"
        return Event(
            kind,
            "kerb" if crossing else "crossing",
            frame.stream,
            17 + frame.index // 80,
            "car",
            0.9,
            (1.0, 2.0, 3.0, 4.0),
            frame.captured_s,
            time.time(),
            "in" if crossing else "",
            {"stay": 5.2, "leave": 12.8}.get(kind),
        )

    def _report(self):
        while not self._ending.wait(0.5):
            self.feed.say(self.health(), self.machine, self.counts)

    def health(self):
        streams = tuple(map(self._stream, self.frames))
        return replace(
            Health(
                service="roadscene",
                release="0123456789abcdef",
                pid=1,
                frames=sum(self.frames.values()),
                detections=2 * sum(self.frames.values()),
                fps=20.0,
                frame_age_ms=40.0,
                dropped=3,
                engine_id="3f1a9c0b77d2e481",
                precision="int8",
                started_unix_s=self._started_unix_s,
                updated_unix_s=time.time(),
                p99_ms=66.1,
                streams=streams,
            ),
            **self.changes,
        )

    def _stream(self, name):
        dead_s = time.monotonic() - self.dead_since_s.get(name, time.monotonic())
        stream = StreamHealth(name, "rtsp://10.0.0.4:554/1", "ok", 0.0, "", self.frames[name], 0, 10.0, 40.0, 66.0, 3)
        if dead_s > 1:
            detail = "10.0.0.4:554 refuses the connection"
            stream = replace(
                stream, condition="reconnecting", condition_s=dead_s, detail=detail, fps=0.0, frame_age_ms=None
            )
        return replace(stream, **self.stream_changes.get(name, {}))

    def close(self):
        self._ending.set()
        for source in self._sources:
            source.stop()
        self.page.close()
        for thread in self._threads:
            thread.join()
        for source in self._sources:
            source.close()


@contextmanager
def program(*args, **more):
    cameras = Cameras(*args, **more)
    try:
        yield cameras
    finally:
        cameras.close()


def test_pictures_advance_and_nobody_complains(chromium):
    """What the page is for. A console error is something that a person at another browser may see as a broken page."""
    with program() as cameras:
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: look.picture("yard") and look.picture("gate"), 10)
        assert look.pictures_in("yard", 2.0) >= 2
        assert look.pictures_in("gate", 2.0) >= 2
        look.wait(lambda: look.text("#state") == "running", 5)
        assert look.complaints() == []


def test_it_shows_what_was_reported(chromium):
    """Each figure is there because someone once had to guess it."""
    with program() as cameras:
        cameras.changes = {"warnings": ("the broker cannot be reached",)}
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: "broker" in look.text("#warnings li"), 10)
        look.wait(lambda: look.text("#events li"), 10)
        facts = look.text("#facts dd").replace("\xa0", " ")
        for wanted in ("0123456789abcdef", "3f1a9c0b77d2e481", "INT8", "15W", "61 of 97 °C", "8.4 W", "3.2 of 7.4 GiB"):
            assert wanted in facts
        assert "1 d 3 h" in facts and look.text("#service") == "roadscene"
        assert look.text("[data-camera=yard] dd").replace("\xa0", " ") == "10.0|40 ms|66 ms|3|2"
        assert "car 17" in look.text("#events li") and "crossing" in look.text("#events b")
        assert "1,234" in look.text("#counters td") and "kerbyard" in look.text("#counters th")
        assert look.complaints() == []


def test_what_was_not_measured_is_said_so_and_is_never_zero(chromium):
    """0 W on a board without a sensor would be believed."""
    with program(machine=MachineReadings()) as cameras:
        cameras.stream_changes = {"yard": {"p99_ms": None}}
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: look.text("#state") == "running", 10)
        facts = dict(zip(look.text("#facts dt").split("|"), look.text("#facts dd").split("|")))
        for title in ("Temperature", "Power", "Power mode", "Memory free", "GPU load"):
            assert facts[title] == "not measured"
        assert look.text("[data-camera=yard] dd").split("|")[2] == "not measured"


@pytest.mark.parametrize("told", [True, False])
def test_a_killed_camera_shows_as_such_within_6_seconds_and_comes_back(chromium, told):
    """Also when the service still says "ok" of it: a picture that stands still must never look live."""
    with program() as cameras:
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: look.picture("gate") and look.condition("gate") == "ok", 10)
        if not told:
            cameras.stream_changes = {"gate": {"condition": "ok", "detail": "", "fps": 10.0}}
        cameras.kill("gate")
        wanted = "reconnecting" if told else "stalled"
        assert look.wait(lambda: look.condition("gate") == wanted, 6) < 6
        assert "still" in look.ask("document.querySelector('[data-camera=gate]').className")
        if told:
            assert "refuses the connection" in look.text("[data-camera=gate] .why")
        assert "since" in look.text("[data-camera=gate] .since")
        assert look.condition("yard") == "ok" and look.pictures_in("yard", 1.5) >= 2, "the other one goes on"
        assert look.pictures_in("gate", 0.5) == 1
        look.wait(lambda: look.text("#state") == "1 of 2 cameras ok", 3)
        look.keep("killed-desktop-light")
        cameras.revive("gate")
        look.wait(lambda: look.condition("gate") == "ok", 6)
        assert look.pictures_in("gate", 2.0) >= 2
        assert look.complaints() == []


def test_a_service_that_is_gone_is_said_so_and_found_again(chromium):
    """The tunnel broke, or the device lost power: the last picture must not pass for the present."""
    with program() as cameras:
        port = cameras.page.port
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: look.picture("yard"), 10)
    assert look.wait(lambda: look.text("#state").startswith("no answer for"), 6) < 6
    assert look.ask("document.body.className") == "gone"
    assert look.pictures_in("yard", 0.5) == 1
    look.keep("gone-desktop-light")
    with program(port=port):
        look.wait(lambda: look.text("#state") == "running", 6)
        assert look.ask("document.body.className") == ""
        look.wait(lambda: look.pictures_in("yard", 1.5) >= 2, 8)


def test_a_page_that_stays_open_becomes_that_of_the_next_release(chromium, monkeypatch):
    """A screen on a wall is never reloaded by hand, and its old script would misread what a new service says."""
    with program() as cameras:
        port = cameras.page.port
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: look.text("#state") == "running", 10)
        chromium.execute_script("window.old = true")
    monkeypatch.setattr("edgekit.runtime.page.status.page_digest", lambda: "another")
    with program(port=port):
        look.wait(lambda: not look.ask("window.old"), 8)
        look.wait(lambda: look.text("#state") == "running", 5)
        chromium.execute_script("window.old = true")
        assert look.pictures_in("yard", 2.5) >= 2 and look.ask("window.old"), "once is enough"


def test_a_service_that_hangs_is_not_called_running(chromium):
    """Its page's threads go on answering."""
    with program() as cameras:
        cameras.changes = {"last_error": "the engine's answer is NaN or infinite: output0"}
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: look.text("#state") == "not working", 6)
        assert "NaN or infinite" in look.text("#why")


def test_a_camera_that_was_never_there_is_told_without_a_picture(chromium):
    """The usual first run: a wrong address. No broken image, no error, but the reason."""
    with program() as cameras:
        cameras.kill("gate")
        cameras.feed._latest.pop("gate", None)
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: look.condition("gate") == "reconnecting", 6)
        assert look.picture("gate") is None
        assert "refuses the connection" in look.text("[data-camera=gate] .why")
        assert look.complaints() == []


def test_texts_of_others_stay_texts(chromium):
    """A detail comes from a camera, a name from a file: neither may run in the browser of whoever looks."""
    with program() as cameras:
        cameras.changes = {"warnings": (MARKUP,), "service": MARKUP}
        cameras.stream_changes = {"gate": {"condition": "stalled", "detail": MARKUP, "source": MARKUP}}
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: MARKUP in look.text("[data-camera=gate] .why"), 6)
        assert look.text("#warnings li") == MARKUP and look.text("#service") == MARKUP
        assert look.ask("document.querySelectorAll('[onerror]').length") == 0
        assert look.complaints() == []


def test_more_cameras_than_a_browser_has_connections_leave_room_for_the_figures(chromium):
    """A browser has six to one host: pictures that each keep one would be all that ever comes."""
    names = tuple(f"cam-{number}" for number in range(8))
    with program(names, events=None, size=(192, 108)) as cameras:
        look = Look(chromium, 1280, 2000).open(cameras.url)
        look.wait(lambda: all(look.picture(name) for name in names), 15)
        look.wait(lambda: look.text("#state") == "running", 5)
        frames = int(look.text("#facts dd").split("|")[-1].replace(",", ""))
        assert look.pictures_in(names[0], 1.5) >= 2 and look.pictures_in(names[-1], 1.5) >= 2
        assert int(look.text("#facts dd").split("|")[-1].replace(",", "")) > frames
        assert look.ask("document.getElementById('watched').hidden"), "nothing is followed, so there are no events"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("kind", "width", "height"), [("desktop", 1280, 800), ("phone", 390, 844), ("small", 360, 640)]
)
def test_it_fits_its_screen_without_scrolling_sideways(chromium, kind, width, height, scheme):
    """People look from where they are, and that is a phone beside the mast."""
    with program() as cameras:
        cameras.changes = {"warnings": ("22.4 of 30.0 frames a second are taken of each of 2 streams",)}
        cameras.stream_changes = {
            "gate": {"source": "rtsp://a-camera-with-a-name-that-nobody-would-choose.example:554/" + "x" * 60}
        }
        look = Look(chromium, width, height, scheme).open(cameras.url)
        look.wait(lambda: look.picture("yard") and look.picture("gate"), 10)
        look.wait(lambda: look.ask("document.querySelectorAll('#events li').length") >= 4, 10)
        look.keep(f"{kind}-{scheme}")
        assert look.ask("document.documentElement.scrollWidth") == width
        outside = look.ask(
            "[...document.querySelectorAll('body *')]"
            ".filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5)"
            ".map((one) => one.className || one.tagName)"
        )
        assert outside == []
        paper = look.ask("getComputedStyle(document.body).backgroundColor")
        assert (sum(json.loads(paper.replace("rgb(", "[").replace(")", "]"))) < 200) == (scheme == "dark")


def test_there_is_nothing_to_press(chromium):
    """The page is for reading: whoever opens it can break nothing."""
    with program() as cameras:
        look = Look(chromium).open(cameras.url)
        look.wait(lambda: look.picture("yard"), 10)
        assert look.ask("document.querySelectorAll('button, input, select, textarea, form, [onclick]').length") == 0
