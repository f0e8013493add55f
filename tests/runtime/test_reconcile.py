"""The process that carries out the journal: what it does when it is alone, late, or told by systemd to hurry."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import replace

import pytest

from edgekit.core import activation as rules
from edgekit.core.activation import Journal, RunStatus, Wanted, begin, on_probation
from edgekit.core.deployment import ServiceRequest
from edgekit.core.probation import Probation
from edgekit.core.service import HEALTH_NAME
from edgekit.errors import DeviceError
from edgekit.files import write_json
from edgekit.runtime import reconcile as module
from edgekit.runtime import settle as settling
from edgekit.runtime.assembly import assemble
from edgekit.runtime.journal import journal_lock, read_journal, write_journal
from edgekit.runtime.reconcile import reconcile
from edgekit.runtime.settle import settle
from edgekit.runtime.store import Store
from tests.tiny_releases import SERVICE, content_of, deliver, manifest_of, quiet

OLD, NEW = content_of(note="old"), content_of(note="new")
OLD_ID, NEW_ID = manifest_of(OLD).release_id, manifest_of(NEW).release_id
RULE = Probation(frames=3, seconds=0.2, deadline_s=0.5)


class Told:
    """Stands where systemd does; it notes what it is asked, and a service reports as the test says."""

    def __init__(self, store, frames=1, **status):
        self.store, self.frames, self.asked = store, frames, []
        self._status = RunStatus(**{"running": True, **status})
        self._release_of = lambda: store.current_release_id(SERVICE)
        self._reporting = threading.RLock()

    def restart(self, service):
        with self._reporting:  # systemd has ended the old process when it answers
            self.asked.append("restart")

    def reload(self, service):
        self.asked.append("reload")

    def stop(self, service):
        self.asked.append("stop")

    def status(self, service):
        return self._status

    def says_it_runs(self, release_of):
        """From now on every report names this release; `release_of` is asked for it each time."""
        with self._reporting:
            self._release_of = release_of
            self.report()

    def report(self):
        """What the service writes, ten times a second."""
        with self._reporting:
            self._report()

    def _report(self):
        health = {
            "service": SERVICE,
            "release": self._release_of(),
            "pid": 1,
            "frames": self.frames,
            "detections": 0,
            "fps": 1.0,
            "frame_age_ms": None,
            "dropped": 0,
            "engine_id": "e",
            "precision": "fp32",
            "started_unix_s": 0.0,
            "updated_unix_s": 0.0,
        }
        write_json(self.store.state_dir(SERVICE) / HEALTH_NAME, health)
        self.frames += 1 if self.frames else 0


@pytest.fixture
def device(tmp_path, monkeypatch):
    """OLD is committed, NEW on probation; a service reports. Gives the store and what systemd was asked."""
    store = Store(str(tmp_path))
    store.make()
    store.state_dir(SERVICE).mkdir(parents=True)
    for counter, content in enumerate((OLD, NEW), start=1):
        deliver(tmp_path, content)
        assemble(store, manifest_of(content, counter))
    trying = on_probation(begin(Journal(SERVICE, good=(OLD_ID,), floor=1), Wanted(NEW_ID, 2, RULE), 0.0), 0.0)
    write_journal(store, trying)
    store.place_current(SERVICE, NEW_ID)
    told = Told(store)
    monkeypatch.setattr(module, "runner_for", lambda store: told)
    monkeypatch.setattr(module, "_TRY_AGAIN_S", 0.01)
    ended = threading.Event()

    def report():
        while not ended.wait(0.1):
            told.report()

    thread = threading.Thread(target=report)
    thread.start()
    yield store, told
    ended.set()
    thread.join()


def request(store):
    return ServiceRequest(str(store.root), SERVICE)


def test_good_frames_are_committed(device):
    """Lost: the end of every deployment."""
    store, told = device
    journal = reconcile(request(store), quiet)
    assert (journal.good, journal.floor, told.asked) == ((NEW_ID, OLD_ID), 2, [])


def test_no_frame_takes_it_back_and_restarts_the_old(device):
    """In this order: the link first, then the restart, then the word that it is done."""
    store, told = device
    told.frames = 0
    journal = reconcile(request(store), quiet)
    assert (journal.good, store.current_release_id(SERVICE), told.asked) == ((OLD_ID,), OLD_ID, ["restart"])


def test_going_back_is_tried_again_until_it_succeeds(device):
    """A busy systemd must not leave a bad release in service."""
    store, told = device
    told.frames, failures = 0, [DeviceError("systemctl gave no answer")] * 3

    def restart(service):
        if failures:
            raise failures.pop()
        told.asked.append("restart")

    told.restart = restart
    assert reconcile(request(store), quiet).settled
    assert told.asked == ["restart"] and not failures


def test_each_start_of_the_watch_is_counted(device):
    """The boot counter: a release that resets the board is not tried for ever."""
    store, _ = device
    write_journal(store, replace(read_journal(store, SERVICE), starts=2))
    journal = reconcile(request(store), quiet)
    assert journal.committed == OLD_ID and "2 times" in journal.failure_of(NEW_ID).reason


def test_a_second_reconciler_leaves_the_first_alone(device):
    """Two would write one journal; systemd is told to start the service all the same."""
    store, told = device
    before = read_journal(store, SERVICE)
    with journal_lock(store, SERVICE, "another", 0.0):
        assert reconcile(request(store), quiet) == before
    assert told.asked == []


def test_the_old_service_that_still_runs_is_restarted(device):
    """The deployment was killed between the swap and the restart."""
    store, told = device
    told.says_it_runs(lambda: NEW_ID if told.asked else OLD_ID)
    assert reconcile(request(store), quiet).committed == NEW_ID
    assert told.asked == ["restart"]


@pytest.mark.parametrize("takes_it", [True, False], ids=["takes it over", "does not"])
def test_a_service_that_may_take_it_over_is_asked_first_and_restarted_if_it_does_not(device, monkeypatch, takes_it):
    """The deployment was killed before it asked, or the service hangs: the reload must never be the end of the way."""
    store, told = device
    monkeypatch.setattr(module, "takes_over", lambda *_: True)
    monkeypatch.setattr(rules, "TAKE_OVER_WITHIN_S", 0.5)
    write_journal(store, replace(read_journal(store, SERVICE), probation=replace(RULE, deadline_s=10.0)))
    enough = "reload" if takes_it else "restart"
    told.says_it_runs(lambda: NEW_ID if enough in told.asked else OLD_ID)
    assert reconcile(request(store), quiet).committed == NEW_ID
    assert told.asked == (["reload"] if takes_it else ["reload", "restart"])


def test_a_service_that_may_take_it_over_is_not_restarted_between_swap_and_journal(device, monkeypatch):
    """The deployment was killed right after the swap."""
    store, told = device
    monkeypatch.setattr(module, "takes_over", lambda *_: True)
    write_journal(store, begin(Journal(SERVICE, good=(OLD_ID,), floor=1), Wanted(NEW_ID, 2, RULE), 0.0))
    assert reconcile(request(store), quiet).committed == NEW_ID
    assert "restart" not in told.asked


def test_systemd_hears_that_it_is_ready_once_it_is_decided_what_runs(device, tmp_path, monkeypatch):
    """The service waits for this at each boot: an undecided release must not be started first."""
    store, told = device
    told.frames = 0
    write_journal(store, replace(read_journal(store, SERVICE), starts=2))
    told.restart = lambda service: told.asked.append(heard.recv(64) if not told.asked else b"")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.settimeout(5.0)
        heard.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr(module, "_LINGER_S", 0.0)
        reconcile(request(store), quiet)
    assert told.asked == [b"READY=1"], "the link was swapped back before, the restart came after"


def test_settling_waits_for_the_reconciler_and_tells_of_the_frames(device):
    """What a person sees while the device decides."""
    store, _ = device
    thread = threading.Thread(target=reconcile, args=(request(store), quiet))
    thread.start()
    said = []
    journal = settle(request(store), lambda *words: said.append(words))
    thread.join()
    assert journal.committed == NEW_ID
    assert {what for what, _, _ in said} == {"on probation"} and said[-1][2] == 3


def test_where_nobody_reconciles_settling_does_it_itself(device, monkeypatch):
    """A deployment that was killed before it started anybody."""
    store, _ = device
    monkeypatch.setattr(settling, "_ALONE_AFTER_S", 0.3)
    started_s = time.monotonic()
    assert settle(request(store), quiet).committed == NEW_ID
    assert time.monotonic() - started_s < 10


def test_a_host_that_hangs_up_stops_nothing(device):
    """It was asked over a link that is cut now."""
    store, _ = device

    def gone(what, done, total):
        raise BrokenPipeError

    assert reconcile(request(store), gone).committed == NEW_ID


def test_a_settled_device_is_left_alone(device):
    """It runs before each start of the service, hundreds of times in a crash loop's life."""
    store, told = device
    write_journal(store, Journal(SERVICE, good=(NEW_ID, OLD_ID), floor=2))
    before = os.stat(store.journal_path(SERVICE)).st_ino  # noqa: PTH116
    assert reconcile(request(store), quiet).committed == NEW_ID
    assert (os.stat(store.journal_path(SERVICE)).st_ino, told.asked) == (before, [])  # noqa: PTH116
