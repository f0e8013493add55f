"""A service that takes another release over between two frames, or says why not and goes on."""

from __future__ import annotations

import os
import signal
import time

import pytest

from edgekit.errors import ConfigError
from edgekit.files import write_json
from edgekit.runtime.assembly import assemble
from edgekit.runtime.reloading import Reloading, takes_over
from edgekit.runtime.store import Store
from tests.tiny_releases import SERVICE, deliver, manifest_of, tunable, watching

GATE, DOOR = tunable(events=watching("gate")), tunable(events=watching("door"), confidence=0.6)
OTHER_SINK = tunable(sinks=("events:/tmp/events.jsonl",))


class Service:
    """What the pipeline's thread does, without a pipeline."""

    def __init__(self, store, content):
        self.store, self.taken, self.said = store, [], []
        self.reloading = Reloading(self.make_current(content), self.said.append)

    def make_current(self, content):
        deliver(self.store.root, content)
        manifest = manifest_of(content)
        assemble(self.store, manifest)
        self.store.place_current(SERVICE, manifest.release_id)
        return self.store.release_dir(manifest.release_id)

    def between_two_frames(self):
        return self.reloading.take(self.taken.append)

    def asked(self):
        os.kill(os.getpid(), signal.SIGHUP)
        return self.between_two_frames()


@pytest.fixture
def service(tmp_path):
    store = Store(str(tmp_path))
    store.make()
    made = Service(store, GATE)
    with made.reloading:
        yield made


def test_zones_and_thresholds_are_handed_over_once(service):
    """Lost: the reload."""
    folder = service.make_current(DOOR)
    assert not service.between_two_frames(), "nobody asked"
    assert service.asked() and not service.between_two_frames()
    (new,) = service.taken
    assert (new.release, new.settings.events, new.detector.confidence) == (folder, watching("door"), 0.6)
    assert service.reloading.runs == new
    assert service.said == [f"took release {folder.name} over, without a restart"]


def test_what_runs_already_is_not_taken_over(service):
    """The reconciler asks again after a crash; counters must not begin anew."""
    assert not service.asked()
    assert (service.taken, service.said) == ([], [])


def test_one_release_after_the_other_is_taken_over(service):
    """Each is compared with what runs, not with what the process was started with."""
    for content in (DOOR, tunable(events=watching("kerb"), confidence=0.6), GATE):
        service.make_current(content)
        assert service.asked()
    assert len(service.taken) == 3


@pytest.mark.parametrize("content", [OTHER_SINK, {**GATE, "code/edgekit/a.py": b"pass"}], ids=["sink", "code"])
def test_what_needs_a_restart_is_refused_in_words(service, content):
    """Half a release must never run; the log says what stood in the way."""
    folder = service.make_current(content)
    assert not service.asked() and not service.taken
    (said,) = service.said
    assert said.startswith(f"not taken over: release {folder.name} needs a restart: ")
    assert ("settings.json: sinks" in said) == (content is OTHER_SINK)


def test_a_refusal_of_the_service_is_one(service):
    """It knows more, such as a model without such a class; what ran goes on, and can be asked again."""
    before, folder = service.reloading.runs, service.make_current(DOOR)

    def refuse(new):
        raise ConfigError("the zones do not fit", problems=["zones[0]: no class lorry"])

    os.kill(os.getpid(), signal.SIGHUP)
    assert not service.reloading.take(refuse)
    assert service.said == ["not taken over: the zones do not fit: zones[0]: no class lorry"]
    assert service.reloading.runs == before
    assert service.asked() and service.taken[0].release == folder


def test_settings_that_cannot_be_read_are_refused(service):
    """A release that is being mended, or that somebody edits."""
    folder = service.make_current(DOOR)
    (folder / "settings.json").unlink()
    (folder / "settings.json").write_text("{")
    assert not service.asked()
    assert service.said[0].startswith("not taken over: ")


def test_a_process_that_was_started_from_no_release_takes_none_over(tmp_path):
    """`serve` on a folder by hand."""
    said = []
    with Reloading(tmp_path / "some" / "folder", said.append) as reloading:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not reloading.take(lambda new: None)
    assert said == ["not taken over: this process was not started from a release"]


def test_sighup_means_afterwards_what_it_meant_before(tmp_path):
    """What a host's terminal sends must end a program that no longer listens."""
    before = signal.getsignal(signal.SIGHUP)
    with Reloading(tmp_path / "a" / "b"):
        assert signal.getsignal(signal.SIGHUP) != before
    assert signal.getsignal(signal.SIGHUP) == before


def report(service, release_id, age_s=0.0, frames=9, last_error=""):
    path = service.store.state_dir(SERVICE) / "health.json"
    health = {"service": SERVICE, "release": release_id, "pid": 1, "frames": frames, "detections": 0, "fps": 1.0,
              "frame_age_ms": None, "dropped": 0, "engine_id": "e", "precision": "fp32", "started_unix_s": 0.0,
              "updated_unix_s": 0.0, "last_error": last_error}  # fmt: skip
    write_json(path, health)
    os.utime(path, (time.time() - age_s,) * 2)


@pytest.mark.parametrize(
    ("wanted", "health", "can"),
    [
        (DOOR, {}, True),
        (OTHER_SINK, {}, False),
        (GATE, {}, False),
        (DOOR, {"age_s": 60.0}, False),
        (DOOR, {"frames": 0}, False),
        (DOOR, {"last_error": "the camera is stalled"}, False),
    ],
    ids=["other zones", "another sink", "what runs", "silent", "no frame yet", "sick"],
)
def test_only_a_service_that_runs_well_is_asked(service, wanted, health, can):
    """One that is sick is cured by a restart, if at all."""
    service.make_current(wanted)
    report(service, manifest_of(GATE).release_id, **health)
    assert takes_over(service.store, SERVICE, manifest_of(wanted).release_id) == can


def test_a_service_whose_release_is_gone_is_restarted(service):
    """Nobody can tell what it runs."""
    service.make_current(DOOR)
    report(service, "f" * 16)
    assert not takes_over(service.store, SERVICE, manifest_of(DOOR).release_id)
