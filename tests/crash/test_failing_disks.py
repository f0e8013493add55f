"""A disk that is full, broken or read-only, at each call: a clear error, the old release in service, and a way on."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import DeployError
from edgekit.runtime.journal import read_journal
from edgekit.runtime.store import Store
from tests.crash.harness import (
    Point,
    check_settled,
    check_whole,
    copy_device,
    kept,
    points_of,
    run_child,
    settle_now,
)
from tests.crash.test_kills import IDS, SCENARIOS, Scenario
from tests.tiny_releases import SERVICE, deliver

pytestmark = pytest.mark.usefixtures("strace")

ERRORS = ("ENOSPC", "EIO", "EROFS")
SLICE = 7


@pytest.fixture(params=[item for item in SCENARIOS if item.name != "first-activation"], ids=lambda item: item.name)
def scenario(request):
    return request.param


def test_a_disk_that_fails_at_any_call_leaves_the_old_release_in_service(scenario, tmp_path, soak, count):
    """Lost: a camera, to a full disk."""
    with kept(scenario.works, scenario.reloads):
        (tmp_path / "template").mkdir()
        with kept():
            scenario.prepare(tmp_path / "template")
        root = copy_device(tmp_path / "template", tmp_path / "device")
        points = points_of(lambda: scenario.step(root), tmp_path / "calls")
        chosen = [(point, error) for point in points for error in ERRORS]
        for point, error in chosen if soak else chosen[SCENARIOS.index(scenario) % SLICE :: SLICE]:
            fail_at(scenario, tmp_path, point, error)
            count(f"calls that failed with {error}")


def fail_at(scenario: Scenario, folder: Path, point: Point, error: str) -> None:
    root = copy_device(folder / "template", folder / "device")
    before = read_journal(Store(str(root)), SERVICE)
    result = run_child(lambda: scenario.step(root), inject=point.inject(f"error={error}"))
    assert result.code in (0, DeployError.exit_code), f"{error} at {point}: {result.words}"
    check_whole(root, set(IDS.values()))
    if result.code:
        assert "the disk of" in result.words, f"{error} at {point}: {result.words}"
    deliver(root, scenario.sent)
    again = run_child(lambda: scenario.step(root))
    assert again.code == 0, f"the rerun after {error} at {point}: {again.words}"
    settle_now(root, scenario.works, scenario.reloads)
    assert check_settled(root, set(IDS.values())) == IDS[scenario.ends_with], f"after {error} at {point}"
    assert read_journal(Store(str(root)), SERVICE).floor >= before.floor


def test_an_fsync_that_fails_is_a_failure(tmp_path):
    """What the disk did not take is lost with the next power cut: saying that it is done would be a lie."""
    scenario = next(item for item in SCENARIOS if item.name == "activation")
    with kept():
        (tmp_path / "template").mkdir()
        scenario.prepare(tmp_path / "template")
        root = copy_device(tmp_path / "template", tmp_path / "device")
        syncs = [item for item in points_of(lambda: scenario.step(root), tmp_path / "calls") if item.call == "fsync"]
        assert len(syncs) > 8
        for point in syncs:
            copy_device(tmp_path / "template", root)
            result = run_child(lambda: scenario.step(root), inject=point.inject("error=EIO"))
            assert result.code == DeployError.exit_code, f"{point} failed, and nobody said so"


def test_a_full_disk_gets_back_what_was_sent(tmp_path):
    """Lost: the room that the running service needs, to files of a release that never came to be."""
    scenario = next(item for item in SCENARIOS if item.name == "activation")
    with kept():
        scenario.prepare(tmp_path)
        sent = list((tmp_path / "incoming").iterdir())
        result = run_child(lambda: scenario.step(tmp_path), inject=Point("link", 3).inject("error=ENOSPC"))
    assert sent and result.code == DeployError.exit_code and "is full" in result.words
    assert not list((tmp_path / "incoming").iterdir())
    assert not list((tmp_path / "releases").glob(".*"))
    assert all(path.stat().st_nlink > 1 for path in (tmp_path / "objects").iterdir())
