"""Activation under a real systemd: whatever happens to host, reconciler, service or power, the device decides.

The releases are tests/tiny_releases.py's, whose service is a short script; all the rest is as on a Jetson.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from edgekit.control.connect import link_to
from edgekit.control.inventory import load_inventory
from edgekit.control.project import open_project
from edgekit.control.ssh.link import SSHLink
from edgekit.core.activation import Journal, Probation
from edgekit.core.deployment import (
    ActivateAnswer,
    ActivateRequest,
    ServiceRequest,
    ServiceState,
    StateAnswer,
    StateRequest,
)
from edgekit.core.device import DeviceProfile
from edgekit.core.wire import from_wire
from edgekit.errors import DeployError
from tests.lab.conftest import MakeJetson
from tests.lab.deploying import answer, edgekit, make_project, wait_for
from tests.lab.virtual_jetson import VirtualJetson
from tests.tiny_releases import SERVICE, content_of, manifest_of

pytestmark = pytest.mark.lab

UNIT, WATCHER = f"edgekit@{SERVICE}.service", f"edgekit-reconcile@{SERVICE}.service"
RULE = Probation(frames=5, seconds=1.0, deadline_s=5.0)
LONG = Probation(frames=5, seconds=6.0, deadline_s=30.0)


@pytest.fixture(scope="module")
def device(jetson: MakeJetson) -> VirtualJetson:
    return jetson("xavier-nx", name="tried")


@pytest.fixture(scope="module")
def connect(device: VirtualJetson, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], SSHLink]:
    folder = make_project(tmp_path_factory.mktemp("activation") / "project", device)
    answer(edgekit(folder, "provision", "--device", device.name, "--json"))
    project = open_project(folder)
    entry = load_inventory(project).device(device.name)
    return lambda: link_to(project, entry)


class Tried:
    """A device and what was put on it."""

    def __init__(self, device: VirtualJetson, connect: Callable[[], SSHLink]) -> None:
        self.device, self.connect = device, connect
        with closing(connect()) as link:
            self.engine_key = link.call("probe", {}, DeviceProfile).engine_key

    def put(self, content: dict[str, bytes], rule: Probation = RULE, by: str = "ana@desk") -> str:
        """Hand a release over and hang up at once, as a host does that dies; its id."""
        journal = self.journal()
        counter = (journal.floor if journal else 0) + 1
        manifest = manifest_of(content, counter, device_class={"engine_key": self.engine_key})
        with closing(self.connect()) as link:
            link.deliver({file.sha256: content[file.path] for file in manifest.files})
            request = ActivateRequest(link.root, manifest, rule, by=by, retry=True)
            link.call("activate", request, ActivateAnswer)
        return manifest.release_id

    def settled(self, limit_s: float = 120.0) -> Journal:
        """Wait, without helping."""
        wait_for(lambda: (journal := self.journal()) is not None and journal.settled, limit_s)
        journal = self.journal()
        assert journal is not None
        return journal

    def journal(self) -> Journal | None:
        """Read past the network: a device without power or link has one too."""
        text = self.device.run(["cat", f"/opt/edgekit/journal/{SERVICE}.json"], check=False).stdout
        return from_wire(Journal, json.loads(text)) if text else None

    def committed(self, content: dict[str, bytes]) -> str:
        release_id = self.put(content)
        assert self.settled().committed == release_id
        return release_id

    def state(self) -> ServiceState:
        with closing(self.connect()) as link:
            services = link.call("state", StateRequest(link.root), StateAnswer).services
        return next(item for item in services if item.service == SERVICE)

    def serves(self, release_id: str) -> bool:
        now = self.state()
        return now.is_healthy and now.health is not None and now.health.release == release_id


@pytest.fixture
def tried(device: VirtualJetson, connect: Callable[[], SSHLink]) -> Iterator[Tried]:
    yield Tried(device, connect)


def test_a_release_is_committed_without_the_host(tried: Tried) -> None:
    """The operator's train enters a tunnel right after the hand-over."""
    release_id = tried.committed(content_of(note="first"))
    wait_for(lambda: tried.serves(release_id))
    assert tried.device.run(["systemctl", "is-enabled", UNIT]).stdout.strip() == "enabled"


@pytest.mark.parametrize("mode", ["sees nothing", "hangs", "crashes at start", "crashes soon"])
def test_a_bad_release_is_taken_back_without_the_host(tried: Tried, mode: str) -> None:
    """Lost: a camera until somebody drives there."""
    good = tried.committed(content_of(note="good"))
    bad = tried.put(content_of(mode))
    started_s = time.monotonic()
    journal = tried.settled()
    assert journal.committed == good and journal.failure_of(bad)
    wait_for(lambda: tried.serves(good))
    print(f"{mode}: the old release serves again after {time.monotonic() - started_s:.1f} s: {journal.reason}")
    assert time.monotonic() - started_s < 60


def test_a_reboot_in_probation_is_gone_on_with(tried: Tried) -> None:
    """The device starts the new release again and watches it from its beginning."""
    release_id = tried.put(content_of(note="rebooted"), LONG)
    time.sleep(2.0)
    tried.device.reboot()
    assert tried.settled().committed == release_id
    wait_for(lambda: tried.serves(release_id))


def test_a_power_cut_in_probation_is_gone_on_with_and_a_third_is_held_against_the_release(tried: Tried) -> None:
    """A release that makes the board reset under load must not do so for ever."""
    good = tried.committed(content_of(note="steady"))
    bad = tried.put(content_of(note="resets the board"), LONG)
    for _ in range(2):
        wait_for(lambda: tried.device.run(["systemctl", "is-active", UNIT], check=False).stdout.strip() == "active")
        tried.device.power_loss()
        tried.device.power_on()
    journal = tried.settled()
    assert journal.committed == good
    failure = journal.failure_of(bad)
    assert failure is not None and "the watch over it ended 2 times" in failure.reason
    wait_for(lambda: tried.serves(good))


def test_a_killed_reconciler_comes_back_and_finishes(tried: Tried) -> None:
    """Out of memory, it may be what the kernel chooses."""
    release_id = tried.put(content_of(note="watched twice"), LONG)
    wait_for(lambda: tried.device.run(["systemctl", "is-active", WATCHER], check=False).stdout.strip() == "active")
    tried.device.run(["systemctl", "kill", "--signal=KILL", WATCHER])
    assert tried.settled().committed == release_id


def test_of_two_deployments_at_once_one_wins_and_the_other_is_told_who(tried: Tried) -> None:
    """Two people, one camera."""

    def put(name: str) -> str:
        try:
            return tried.put(content_of(note=f"of {name}"), LONG, by=f"{name}@desk")
        except DeployError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(put, ("ana", "ben")))
    journal = tried.settled()
    winner = journal.committed
    assert winner in answers
    (refusal,) = (answer for answer in answers if answer != winner)
    assert "ana@desk" in refusal or "ben@desk" in refusal


def test_a_committed_release_that_fails_for_good_gives_way_once(tried: Tried) -> None:
    """systemd gives up after five starts; the release before takes over, and if that fails too, it stays down."""
    good = tried.committed(content_of(note="before"))
    fatal = tried.committed(content_of(note="fatal"))
    main = "code/edgekit/runtime/__main__.py"
    tried.device.write(f"/opt/edgekit/releases/{fatal}/{main}", "import sys; sys.exit(3)")
    tried.device.run(["systemctl", "restart", UNIT], check=False)
    started_s = time.monotonic()
    wait_for(lambda: (journal := tried.journal()) is not None and journal.fell_back, 180.0)
    wait_for(lambda: tried.serves(good))
    print(f"the release before serves again after {time.monotonic() - started_s:.1f} s")
    tried.device.write(f"/opt/edgekit/releases/{good}/{main}", "import sys; sys.exit(3)")
    tried.device.run(["systemctl", "restart", UNIT], check=False)
    wait_for(lambda: tried.state().failed, 180.0)
    time.sleep(3.0)
    assert tried.state().failed and tried.settled().committed == good


def test_stopping_on_probation_goes_back_and_stays_down(tried: Tried) -> None:
    """Who stops a service wants it down."""
    good = tried.committed(content_of(note="mended"))
    tried.put(content_of(note="stopped"), LONG)
    with closing(tried.connect()) as link:
        link.call("stop", ServiceRequest(link.root, SERVICE), ServiceState)
    journal = tried.settled()
    assert journal.committed == good and not tried.state().running
    with closing(tried.connect()) as link:
        link.call("start", ServiceRequest(link.root, SERVICE), ServiceState)
    wait_for(lambda: tried.serves(good))


def test_on_a_full_disk_the_old_release_goes_on(tried: Tried) -> None:
    """And what was sent is gone again."""
    good = tried.committed(content_of(note="small"))
    tried.device.fill_disk(100)
    try:
        with pytest.raises(DeployError, match="too little free"):
            tried.put(content_of(note="too large"))
    finally:
        tried.device.free_disk()
    assert tried.serves(good)


def test_power_cuts_at_random_leave_a_device_that_serves(tried: Tried) -> None:
    """During the hand-over, the swap or the probation: with power again, one rerun at most is needed."""
    chance = random.Random(3)
    for turn in range(2):
        content = content_of(note=f"cut {turn}")
        with ThreadPoolExecutor() as pool:
            putting = pool.submit(tried.put, content)
            time.sleep(chance.uniform(0.2, 2.5))
            tried.device.power_loss()
            putting.exception()
        tried.device.power_on()
        assert tried.put(content) == tried.settled().committed
