"""Releases on a device: admitted, assembled aside, made current by one rename, committed or taken back."""

from __future__ import annotations

import fcntl
import shutil
import time
from dataclasses import replace

import pytest

from edgekit.core.activation import Probation
from edgekit.core.deployment import ActivateRequest, RollbackRequest, ServiceRequest, StateRequest
from edgekit.core.release import RELEASE_NAME, SERVICE_ONLY
from edgekit.core.wire import canonical_json
from edgekit.errors import DeployError, EngineMismatchError
from edgekit.runtime import space
from edgekit.runtime.activation import activate, check_class, rollback
from edgekit.runtime.journal import read_journal
from edgekit.runtime.reloading import takes_over
from edgekit.runtime.services import start, state, stop
from edgekit.runtime.settle import settle
from edgekit.runtime.store import Store
from tests.tiny_releases import (
    QUICK,
    SERVICE,
    content_of,
    deliver,
    manifest_of,
    profile_of,
    put,
    quiet,
    settled,
    tunable,
    watching,
)

OLD, NEW = content_of(note="old"), content_of(note="new")
OLD_ID, NEW_ID = manifest_of(OLD).release_id, manifest_of(NEW).release_id
MAIN = "code/edgekit/runtime/__main__.py"


@pytest.fixture
def device(tmp_path):
    """A device folder whose service is stopped at the end."""
    yield tmp_path
    stop(ServiceRequest(str(tmp_path), SERVICE), quiet)


def committed(root, content, counter=1, **changes):
    put(root, content, counter, **changes)
    journal = settled(root)
    assert journal.committed == manifest_of(content).release_id, journal.bad
    return journal


def service(root):
    (one,) = state(StateRequest(str(root)), quiet).services
    return one


def wait_for(condition, limit_s=10.0):
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.05)


def test_a_release_is_put_into_service_and_committed(device):
    """Lost: the deployment itself."""
    answer = put(device, OLD, 7, by="ana@desk")
    assert (answer.changed, answer.journal.phase, answer.journal.by) == (True, "probation", "ana@desk")
    journal = settled(device)
    assert (journal.good, journal.floor) == ((OLD_ID,), 7)
    current = device / "current" / SERVICE
    assert {path: (current / path).read_bytes() for path in OLD} == OLD
    assert (current / RELEASE_NAME).read_bytes() == canonical_json(manifest_of(OLD, 7))
    now = service(device)
    assert now.is_healthy and now.release_id == OLD_ID


def test_the_same_release_again_changes_nothing(device):
    """Lost: a no-change deploy that leaves the camera alone."""
    committed(device, OLD)
    before = service(device)
    answer = put(device, OLD, 2)
    assert not answer.changed and service(device).pid == before.pid


def test_the_release_before_gives_way_and_can_be_gone_back_to(device):
    """Lost: the way back when the new release is sick in a way that nobody measures."""
    committed(device, OLD, 1)
    committed(device, NEW, 2)
    answer = rollback(RollbackRequest(str(device), SERVICE, probation=QUICK, by="ana@desk"), quiet)
    assert answer.changed
    journal = settled(device)
    assert (journal.good, journal.floor) == ((OLD_ID, NEW_ID), 2)
    assert service(device).health.release == OLD_ID


def test_going_back_twice_does_not_go_forth_again(device):
    """Run again over a group of devices, it must leave those alone that are back already."""
    committed(device, OLD, 1)
    committed(device, NEW, 2)
    rollback(RollbackRequest(str(device), SERVICE, probation=QUICK), quiet)
    settled(device)
    with pytest.raises(DeployError, match="no older release"):
        rollback(RollbackRequest(str(device), SERVICE, probation=QUICK), quiet)
    rollback(RollbackRequest(str(device), SERVICE, NEW_ID, probation=QUICK), quiet)
    assert settled(device).committed == NEW_ID


def test_a_release_that_never_was_in_service_cannot_be_gone_back_to(device):
    """Lost: `current` naming what nobody tried."""
    committed(device, OLD)
    with pytest.raises(DeployError, match="never in service") as refusal:
        rollback(RollbackRequest(str(device), SERVICE, "f" * 16), quiet)
    assert OLD_ID in refusal.value.why


@pytest.mark.parametrize("mode", ["sees nothing", "hangs", "crashes at start", "crashes soon", "is slow"])
def test_a_release_that_does_not_work_is_taken_back_by_the_device_itself(device, mode):
    """Lost: the camera, until somebody drives there."""
    committed(device, OLD)
    rule = Probation(frames=5, seconds=1.5, deadline_s=2.0, min_fps=5.0)
    answer = put(device, content_of(mode), 2, probation=rule)
    started_s = time.monotonic()
    journal = settled(device)
    assert time.monotonic() - started_s < 15
    assert (journal.committed, journal.floor) == (OLD_ID, 1)
    assert journal.failure_of(answer.journal.target).reason
    wait_for(lambda: service(device).is_healthy)
    assert service(device).health.release == OLD_ID
    with pytest.raises(DeployError, match="failed on this device before"):
        put(device, content_of(mode), 3)


def test_other_zones_are_taken_over_by_the_process_that_runs(device):
    """A zone is moved ten times until it is right; each restart would be a gap in the film and in the counters."""
    committed(device, tunable(events=watching("gate")))
    before = wait_until_it_reports(device)
    answer = put(device, tunable(events=watching("door"), confidence=0.4), 2)
    assert settled(device).committed == answer.journal.target
    now = service(device)
    assert (now.health.pid, now.health.release, now.restarts) == (before.pid, answer.journal.target, 0)
    assert now.health.frames > before.frames and now.is_healthy
    back = rollback(RollbackRequest(str(device), SERVICE, probation=QUICK), quiet)
    assert settled(device).committed == back.journal.target == before.release
    assert service(device).health.pid == before.pid


def test_what_was_taken_over_must_show_good_frames_of_its_own(device):
    """Thousands of frames of the release before say nothing of the new thresholds."""
    committed(device, tunable(events=watching("gate")))
    wait_for(lambda: service(device).health.frames > 20)
    put(device, tunable(events=watching("door")), 2, probation=replace(QUICK, frames=25))
    started_s = time.monotonic()
    settled(device)
    assert time.monotonic() - started_s > 1.0, "twenty frames a second come"


def test_an_other_camera_is_a_restart(device):
    """It has to be opened; what is open is closed in order."""
    committed(device, tunable())
    before = wait_until_it_reports(device)
    put(device, tunable(sinks=("events:/tmp/events.jsonl",)), 2)
    settled(device)
    assert service(device).health.pid != before.pid and not service(device).health.loaded_from


def test_a_sick_service_is_restarted_whatever_changed(device):
    """Its state is what is wrong."""
    sick = tunable("sees nothing", events=watching("gate"))
    put(device, sick, 1, probation=replace(QUICK, deadline_s=60))
    wait_for(lambda: service(device).health is not None)
    assert not takes_over(Store(str(device)), SERVICE, manifest_of(tunable("sees nothing")).release_id)


def test_zones_of_a_class_that_the_detector_lacks_change_nothing(device):
    """The service would not start; the old one goes on and never notices."""
    committed(device, tunable(events=watching("gate")))
    before = wait_until_it_reports(device)
    with pytest.raises(DeployError, match="do not fit it") as refusal:
        put(device, tunable(events=watching("gate", ("lorry",))), 2)
    assert "the detector has no class 'lorry'" in refusal.value.why
    now = service(device)
    assert (now.health.pid, now.release_id, now.journal.settled) == (before.pid, before.release, True)


def test_settings_are_for_the_service_alone_in_every_place(device):
    """They hold passwords of cameras; whoever else has an account on the device must not read them."""
    committed(device, tunable())
    manifest = with_secret(tunable(events=watching("gate")))
    deliver(device, tunable(events=watching("gate")))
    activate(ActivateRequest(str(device), manifest, QUICK), profile_of(), quiet)
    settled(device)
    secret = next(file for file in manifest.files if file.path == "settings.json")
    places = [device / "current" / SERVICE / "settings.json", device / "objects" / secret.sha256]
    assert [path.stat().st_mode & 0o777 for path in places] == [0o640, 0o640]
    assert (device / "incoming").stat().st_mode & 0o777 == 0o700
    answer = activate(ActivateRequest(str(device), manifest, QUICK), profile_of(), quiet)
    assert not answer.changed, "a link with that mode is whole"


def with_secret(content):
    """Its manifest, as the host makes it: settings are for the service alone."""
    manifest = manifest_of(content, 2)
    files = (replace(file, mode=SERVICE_ONLY) if file.path == "settings.json" else file for file in manifest.files)
    return replace(manifest, files=tuple(files))


def wait_until_it_reports(root):
    """The report of a service that was committed, which is a good one."""
    wait_for(lambda: service(root).is_healthy)
    return service(root).health


def test_a_bad_release_is_tried_again_when_asked_for(device):
    """The camera was unplugged; that was not the release's fault."""
    bad = content_of("sees nothing")
    put(device, bad, 1, probation=replace(QUICK, deadline_s=0.2))
    assert settled(device).failure_of(manifest_of(bad).release_id)
    assert put(device, bad, 1, retry=True).changed


def test_the_first_release_that_fails_leaves_nothing_running(device):
    """There is nothing to go back to; a service that crashes for ever is worse than none."""
    put(device, content_of("sees nothing"), 1, probation=replace(QUICK, deadline_s=0.2))
    journal = settled(device)
    assert (journal.good, journal.phase) == ((), "settled")
    assert Store(str(device)).current_release_id(SERVICE) == ""
    assert not service(device).running


def test_a_source_that_ends_well_is_enough(device):
    """A recorded street may be shorter than the probation."""
    journal = committed(device, content_of("ends well"), probation=Probation())
    assert journal.settled and not service(device).running and not service(device).failed


def test_stopping_on_probation_goes_back_without_a_verdict(device):
    """Who stops a service wants it down, and has said nothing of the release."""
    committed(device, OLD)
    put(device, NEW, 2, probation=replace(QUICK, seconds=60.0))
    stop(ServiceRequest(str(device), SERVICE), quiet)
    journal = settled(device)
    assert (journal.committed, journal.bad) == (OLD_ID, ())
    assert not service(device).running
    start(ServiceRequest(str(device), SERVICE), quiet)
    wait_for(lambda: service(device).is_healthy)


def test_a_committed_release_that_fails_for_good_gives_way_once(device):
    """It worked for a month, and then its start-up check of the calendar failed. Nobody is there to see it."""
    committed(device, OLD, 1)
    fatal = content_of(note="fatal")
    committed(device, fatal, 2)
    store = Store(str(device))
    script = store.release_dir(manifest_of(fatal).release_id) / MAIN
    script.write_text("import sys; sys.exit(3)")
    stop(ServiceRequest(str(device), SERVICE), quiet)
    start(ServiceRequest(str(device), SERVICE), quiet)
    wait_for(lambda: read_journal(store, SERVICE).fell_back, 45.0)
    journal = read_journal(store, SERVICE)
    assert journal.committed == OLD_ID
    assert "restarted in vain" in journal.failure_of(manifest_of(fatal).release_id).reason
    wait_for(lambda: service(device).is_healthy)


def test_while_one_release_is_on_probation_another_is_refused(device):
    """Two at once would have no way back; the second is told whose the first is."""
    put(device, OLD, 1, probation=replace(QUICK, seconds=2.0), by="ana@desk")
    wait_for(lambda: "reconciler" in (device / "journal" / f"{SERVICE}.lock").read_text())
    with pytest.raises(DeployError, match="is on probation, deployed by ana@desk"):
        put(device, NEW, 2)
    assert put(device, OLD, 1).changed  # the very same is simply watched on
    assert settled(device).committed == OLD_ID


def test_two_deployments_at_once_do_not_mix(device):
    """The second is told who holds the device."""
    committed(device, OLD)
    with (device / "deploy.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.truncate(0)
        held.write("ben@desk, activating street (process 77)")
        held.flush()
        with pytest.raises(DeployError, match=r"ben@desk, activating street \(process 77\)"):
            put(device, NEW, 2)


@pytest.mark.parametrize(
    ("profile", "difference"),
    [
        (profile_of("aarch64"), "module: it was built on x86_64"),
        (replace(profile_of(), backend_version="1.20.0"), "ONNX Runtime: it was built by ONNX Runtime 1.19.2"),
    ],
    ids=["another machine", "another version"],
)
def test_a_release_for_another_device_is_refused_before_anything_is_touched(device, profile, difference):
    """An engine is code: one for another GPU or version may crash or, worse, run."""
    deliver(device, NEW)
    with pytest.raises(EngineMismatchError) as refusal:
        activate(ActivateRequest(str(device), manifest_of(NEW)), profile, quiet)
    assert difference in refusal.value.why
    assert not list((device / "objects").iterdir())


def test_a_class_that_differs_beside_the_engine_key_is_refused_too():
    """L4T and compute capability are named one by one in a release."""
    manifest = manifest_of(NEW, device_class={"engine_key": profile_of().engine_key, "l4t": "35.4.1", "sm": "72"})
    with pytest.raises(EngineMismatchError) as refusal:
        check_class(manifest, profile_of())
    assert refusal.value.why.splitlines() == ["l4t: 35.4.1, here none", "sm: 72, here none"]


def test_an_older_release_does_not_replace_a_newer_one_by_itself(device):
    """A forgotten laptop with last month's project must not take a fleet back."""
    committed(device, NEW, 5)
    with pytest.raises(DeployError, match="has counter 4, and this device is at 5"):
        put(device, OLD, 4)


@pytest.mark.parametrize("fault", ["absent", "altered"])
def test_a_file_that_did_not_arrive_whole_keeps_the_old_release(device, fault):
    """Lost: the promise that a broken transfer harms nobody."""
    committed(device, OLD)
    deliver(device, NEW)
    path = device / "incoming" / next(file.sha256 for file in manifest_of(NEW).files if file.path == MAIN)
    path.unlink()
    if fault == "altered":
        path.write_bytes(b"n" * len(NEW[MAIN]))
    with pytest.raises(DeployError, match=MAIN):
        activate(ActivateRequest(str(device), manifest_of(NEW, 2), QUICK), profile_of(), quiet)
    assert service(device).release_id == OLD_ID and service(device).is_healthy
    assert not path.exists(), "the next run would find it damaged again"


def test_a_release_edited_in_place_is_mended_without_ever_being_away(device):
    """Someone edits a file on the device; the next deploy trusts neither it nor the object that it is a link to."""
    committed(device, OLD)
    folder = (device / "current" / SERVICE).resolve()
    inode = folder.stat().st_ino
    (folder / MAIN).write_bytes(b"bad")
    (folder / "settings.json").unlink()
    assert put(device, OLD, 1).changed
    assert {path: (folder / path).read_bytes() for path in OLD} == OLD
    assert folder.stat().st_ino == inode
    wait_for(lambda: service(device).is_healthy)


def test_a_disk_below_its_floor_takes_no_new_release(device, monkeypatch):
    """The running service needs room for its log more than anyone needs the update."""
    committed(device, OLD)
    monkeypatch.setattr(space, "FLOOR_SHARE", 1.0)
    with pytest.raises(DeployError, match="too little free") as refusal:
        put(device, NEW, 2)
    assert "edgekit gc" in refusal.value.hint
    assert not put(device, OLD, 1).changed, "what is there already needs no room"


def test_a_device_from_before_the_journal_keeps_its_release(device):
    """An update of edgekit must not forget what is in service."""
    committed(device, OLD, 4)
    shutil.rmtree(device / "journal")
    journal = read_journal(Store(str(device)), SERVICE)
    assert (journal.good, journal.floor, journal.settled) == ((OLD_ID,), 4, True)
    assert committed(device, NEW, 5).good == (NEW_ID, OLD_ID)


def test_a_journal_that_cannot_be_read_stops_everything(device):
    """To guess what was under way could put a bad release into service."""
    committed(device, OLD)
    (device / "journal" / f"{SERVICE}.json").write_text("{")
    with pytest.raises(DeployError, match="cannot be read"):
        put(device, NEW, 2)
    answer = state(StateRequest(str(device)), quiet)
    assert any("journal" in line for line in answer.damaged)
    (device / "journal" / f"{SERVICE}.json").unlink()


@pytest.mark.parametrize("name", ["../street", "Street", "street/x", "-street", "", ".street", "s" * 64])
def test_a_service_cannot_be_named_out_of_its_folder(tmp_path, name):
    """Lost: the device, to a forged manifest."""
    with pytest.raises(DeployError, match="is no service name"):
        activate(ActivateRequest(str(tmp_path), manifest_of(NEW, service=name)), profile_of(), quiet)
    with pytest.raises(DeployError, match="is no service name"):
        settle(ServiceRequest(str(tmp_path), name), quiet)


def test_code_that_activates_also_reconciles_from_then_on(tmp_path):
    """After an upgrade on the host, old code would read a journal that newer code wrote."""
    store = Store(str(tmp_path))
    old, new, elsewhere = (tmp_path / name for name in ("code/old", "code/new", "somewhere/else"))
    for folder in (old, new, elsewhere):
        folder.mkdir(parents=True)
    for folder in (old, new, elsewhere):
        store.adopt_code(folder)
    assert (tmp_path / "agent").resolve() == new
    assert [path.name for path in tmp_path.glob(".agent*")] == []
