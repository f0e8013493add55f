"""SIGKILL at random moments: over a device's long life, and with real processes, supervisors and reconcilers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from edgekit.core.deployment import ActivateRequest, GcRequest, RollbackRequest, ServiceRequest, StateRequest
from edgekit.core.wire import to_wire
from edgekit.errors import DeployError
from edgekit.files import write_json
from edgekit.runtime.activation import activate, rollback
from edgekit.runtime.gc import collect_garbage
from edgekit.runtime.journal import read_journal
from edgekit.runtime.reconcile import reconcile
from edgekit.runtime.services import state, stop
from edgekit.runtime.settle import settle
from edgekit.runtime.store import Store
from tests.crash.harness import AT_ONCE, KILLED, check_settled, check_whole, kept, run_child, settle_now
from tests.tiny_releases import QUICK, SERVICE, content_of, deliver, manifest_of, profile_of, quiet

ROOT = Path(__file__).resolve().parents[2]


class Life:
    """One device over many deployments, rollbacks, collections of garbage and sudden ends."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.random = root, random.Random(seed)
        self.counter, self.kills, self.floor = 0, 0, 0
        self.known = {""}

    def turn(self) -> None:
        step = self.random.choice([self.deploy, self.deploy, self.go_back, self.collect])()
        for done in (step, lambda: reconcile(ServiceRequest(str(self.root), SERVICE), quiet)):
            result = run_child(done, kill_after_s=self.random.uniform(0.0, 0.03))
            self.kills += result.code == KILLED
            assert result.code in (0, KILLED, DeployError.exit_code), result.words
            self.check()
        if self.random.random() < 0.3:  # otherwise the next step finds what this one left
            settle_now(self.root)
            check_settled(self.root, self.known)

    def deploy(self):
        self.counter += 1
        content = content_of(note=f"release {self.counter}")
        manifest = manifest_of(content, self.counter)
        self.known.add(manifest.release_id)
        deliver(self.root, content)
        return lambda: activate(ActivateRequest(str(self.root), manifest, AT_ONCE), profile_of(), quiet)

    def go_back(self):
        return lambda: rollback(RollbackRequest(str(self.root), SERVICE, probation=AT_ONCE), quiet)

    def collect(self):
        return lambda: collect_garbage(GcRequest(str(self.root)), quiet)

    def check(self) -> None:
        check_whole(self.root, self.known)
        floor = read_journal(Store(str(self.root)), SERVICE).floor
        assert floor >= self.floor, "an acknowledged commit was lost"
        self.floor = floor


def test_a_device_survives_a_life_of_sudden_ends(tmp_path, soak, count):
    """Each step begins where the last one was killed: what is left over must never add up."""
    life = Life(tmp_path / "device", seed=11)
    life.root.mkdir()
    wanted = 1600 if soak else 40
    with kept():
        while life.kills < wanted:
            life.turn()
        settle_now(life.root)
    check_settled(life.root, life.known)
    count("kills at random", life.kills)
    count("deployments under random kills", life.counter)


def start(verb: str, request: object, folder: Path) -> "subprocess.Popen[bytes]":
    path = folder / f"{verb}.json"
    write_json(path, to_wire(request))
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, verb, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


# The device's own program, told that it is the device that these releases are made for.
_PROGRAM = """
import sys
import edgekit.runtime.probe
from tests.tiny_releases import profile_of
edgekit.runtime.probe.probe_device = profile_of
from edgekit.runtime.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def kill_everything(root: Path) -> int:
    """End each process that works on this device folder, as a power cut does."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            mine = is_below(process / "cwd", root) or any(is_below(item, root) for item in (process / "fd").iterdir())
            if mine and int(process.name) != os.getpid():
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    return killed


def is_below(link: Path, root: Path) -> bool:
    return root in Path(os.readlink(link)).parents  # noqa: PTH115  (Path.readlink is 3.9)


def wait_until_it_serves(root: Path) -> None:
    """What was committed before everything was killed is only just being started."""
    deadline_s = time.monotonic() + 10
    while not state(StateRequest(str(root)), quiet).services[0].is_healthy:
        assert time.monotonic() < deadline_s, "it does not serve"
        time.sleep(0.05)


@pytest.mark.slow
def test_with_real_processes_a_deployment_survives_kills_of_any_of_them(tmp_path, soak, count):
    """The activation, the reconciler, the supervisor or all at once, at any moment of half a second."""
    root, chance = tmp_path / "device", random.Random(5)
    root.mkdir()
    known, counter = {""}, 0
    try:
        for _ in range(100 if soak else 4):
            counter += 1
            content = content_of(note=f"release {counter}")
            manifest = manifest_of(content, counter)
            known.add(manifest.release_id)
            deliver(root, content)
            process = start("activate", ActivateRequest(str(root), manifest, QUICK, by="ana@desk"), tmp_path)
            time.sleep(chance.uniform(0.1, 1.2))
            if chance.random() < 0.5:
                process.kill()
                count("kills of real processes")
            process.wait(60)
            if chance.random() < 0.7:
                count("kills of real processes", kill_everything(root))
            check_whole(root, known)
            again = start("activate", ActivateRequest(str(root), manifest, QUICK, by="ana@desk"), tmp_path)
            again.wait(60)
            journal = settle(ServiceRequest(str(root), SERVICE), quiet)
            assert journal.committed == manifest.release_id, journal
            known &= {"", manifest.release_id, *journal.good}
            wait_until_it_serves(root)
    finally:
        stop(ServiceRequest(str(root), SERVICE), quiet)
        kill_everything(root)
