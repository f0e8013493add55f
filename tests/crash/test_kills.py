"""SIGKILL before each call that changes the disk: the old release runs or the new, and one rerun is enough."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List

import pytest

from edgekit.core.deployment import ActivateRequest, GcRequest, PlaceRequest, RollbackRequest, ServiceRequest
from edgekit.core.probation import Probation
from edgekit.core.service import HEALTH_NAME
from edgekit.runtime.activation import activate, rollback
from edgekit.runtime.gc import collect_garbage
from edgekit.runtime.health import read_health
from edgekit.runtime.journal import read_journal
from edgekit.runtime.objects import place
from edgekit.runtime.reconcile import reconcile
from edgekit.runtime.store import Store
from tests.crash.harness import (
    AT_ONCE,
    KILLED,
    NEVER,
    Keeper,
    Point,
    check_settled,
    check_tidy,
    check_whole,
    copy_device,
    kept,
    points_of,
    run_child,
    settle_now,
)
from tests.tiny_releases import SERVICE, content_of, deliver, manifest_of, profile_of, quiet, tunable, watching

pytestmark = pytest.mark.usefixtures("strace")

OLDEST, OLD, NEW = (content_of(note=note) for note in ("oldest", "old", "new"))
GATE, DOOR = (tunable(events=watching(zone)) for zone in ("gate", "door"))
NAMED = {"oldest": OLDEST, "old": OLD, "new": NEW, "gate": GATE, "door": DOOR}
IDS = {name: manifest_of(content).release_id for name, content in NAMED.items()}
SLICE = 6  # per push every sixth point of each scenario, another one at each place in the list


@dataclass(frozen=True)
class Scenario:
    """A step that is killed, on a device that `prepare` made. ends_with: what is committed after a rerun."""

    name: str
    prepare: Callable[[Path], None]
    step: Callable[[Path], object]
    ends_with: str
    works: bool = True  # whether the services do
    reloads: bool = False  # whether a service goes on by its release until it takes another over

    @property
    def sent(self) -> Dict[str, bytes]:
        """What the host sends again before a rerun."""
        return DOOR if self.name == "reload" else NEW


def put(root: Path, content, counter: int, probation: Probation = AT_ONCE) -> None:
    deliver(root, content)
    request = ActivateRequest(str(root), manifest_of(content, counter), probation, by="ana@desk")
    activate(request, profile_of(), quiet)


def with_releases(root: Path, *contents) -> None:
    for counter, content in enumerate(contents, start=1):
        put(root, content, counter)
        settle_now(root)


def before_activation(root: Path) -> None:
    with_releases(root, OLDEST, OLD)
    deliver(root, NEW)


def before_reload(root: Path) -> None:
    with kept(reloads=True):
        for counter, content in enumerate((OLDEST, GATE), start=1):
            put(root, content, counter)
            reconcile(ServiceRequest(str(root), SERVICE), quiet)
    deliver(root, DOOR)


def reload(root: Path) -> None:
    """The report is as young as that of a service that runs."""
    os.utime(Store(str(root)).state_dir(SERVICE) / HEALTH_NAME)
    activate(ActivateRequest(str(root), manifest_of(DOOR, 3), AT_ONCE), profile_of(), quiet)


def on_probation(root: Path) -> None:
    with_releases(root, OLDEST, OLD)
    put(root, NEW, 3)


def failing_probation(root: Path) -> None:
    with_releases(root, OLDEST, OLD)
    put(root, NEW, 3, NEVER)


def with_garbage(root: Path) -> None:
    with_releases(root, OLDEST, OLD, NEW)
    deliver(root, OLDEST)
    activate(ActivateRequest(str(root), manifest_of(OLDEST, 4), AT_ONCE), profile_of(), quiet)
    settle_now(root)


SCENARIOS = (
    Scenario(
        "first-activation",
        lambda root: deliver(root, NEW),
        lambda root: activate(ActivateRequest(str(root), manifest_of(NEW), AT_ONCE), profile_of(), quiet),
        "new",
    ),
    Scenario(
        "activation",
        before_activation,
        lambda root: activate(ActivateRequest(str(root), manifest_of(NEW, 3), AT_ONCE), profile_of(), quiet),
        "new",
    ),
    Scenario("reload", before_reload, reload, "door", reloads=True),
    Scenario("commit", on_probation, lambda root: reconcile(ServiceRequest(str(root), SERVICE), quiet), "new"),
    Scenario(
        "revert",
        failing_probation,
        lambda root: reconcile(ServiceRequest(str(root), SERVICE), quiet),
        "old",
        works=False,
    ),
    Scenario(
        "rollback",
        lambda root: with_releases(root, OLD, NEW),
        lambda root: rollback(RollbackRequest(str(root), SERVICE, probation=AT_ONCE), quiet),
        "old",
    ),
    Scenario("gc", with_garbage, lambda root: collect_garbage(GcRequest(str(root), keep=1), quiet), "oldest"),
    Scenario(
        "place",
        before_activation,
        lambda root: place(PlaceRequest(str(root), manifest_of(NEW).files), quiet),
        "old",
    ),
)


@pytest.fixture(params=SCENARIOS, ids=lambda scenario: scenario.name)
def scenario(request):
    return request.param


def test_killed_anywhere_the_device_runs_a_whole_release_and_one_rerun_is_enough(scenario, tmp_path, soak, count):
    """Lost: the promise that nobody has to drive to a camera because a deployment was interrupted."""
    with kept(scenario.works, scenario.reloads):
        (tmp_path / "template").mkdir()
        with kept():
            scenario.prepare(tmp_path / "template")
        points = find_points(scenario, tmp_path)
        chosen = points if soak else points[SCENARIOS.index(scenario) % SLICE :: SLICE]
        for point in chosen:
            kill_at(scenario, tmp_path, point)
            count("kills, each before another call")


def find_points(scenario: Scenario, folder: Path) -> List[Point]:
    root = copy_device(folder / "template", folder / "device")
    points = points_of(lambda: scenario.step(root), folder / "calls.txt")
    assert len(points) > 10, "strace saw nothing"
    return points


def kill_at(scenario: Scenario, folder: Path, point: Point) -> None:
    """Kill the step before a call, then cure it in both ways."""
    root = copy_device(folder / "template", folder / "device")
    result = run_child(lambda: scenario.step(root), inject=point.inject("signal=KILL"))
    assert result.code == KILLED, f"at {point}: code {result.code}, {result.words}"
    whole = {*IDS.values()} | ({""} if scenario.name == "first-activation" else set())
    check_whole(root, whole)
    floor = read_journal(Store(str(root)), SERVICE).floor
    rebooted = copy_device(root, folder / "rebooted")
    settle_now(rebooted, scenario.works, scenario.reloads)
    check_settled(rebooted, whole)
    check_what_runs(scenario, rebooted)
    assert read_journal(Store(str(rebooted)), SERVICE).floor >= floor, "an acknowledged commit was lost"
    rerun(scenario, root, point)


def rerun(scenario: Scenario, root: Path, point: Point) -> None:
    again = run_child(lambda: scenario.step(root))
    assert again.code == 0, f"the rerun after a kill at {point}: {again.words}"
    settle_now(root, scenario.works, scenario.reloads)
    check_what_runs(scenario, root)
    assert check_settled(root, set(IDS.values())) == IDS[scenario.ends_with], f"after a kill at {point}"
    if scenario.name != "commit" and scenario.name != "revert":
        check_tidy(root)


def check_what_runs(scenario: Scenario, root: Path) -> None:
    """A process that goes on by another release than `current` names would be believed to be the new one."""
    store = Store(str(root))
    Keeper(store, scenario.works, scenario.reloads).status(SERVICE)
    health = read_health(store.state_dir(SERVICE))
    assert health is not None and health.release == store.current_release_id(SERVICE)
