"""Hard frames under a real systemd: the service keeps them, the login user reads them, and a refresh leaves no harm."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.conftest import MakeJetson
from tests.lab.deploying import (
    SERVICE,
    answer,
    edgekit,
    main_pid,
    make_project,
    provisioned_image,
    state_of,
    wait_for,
    write_inventory,
)
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

FIELD = f"/var/lib/edgekit/{SERVICE}/field"
NIGHT_AND_FOG = "scenes://?seed=3&width=320&height=192&fps=10&live=1&conditions=night,fog"
COLLECT = {"per_hour": 36_000, "random_share": 1.0}


@pytest.fixture(scope="module")
def device(jetson: MakeJetson) -> VirtualJetson:
    return jetson("xavier-nx", name="collector", image=provisioned_image(jetson))


@pytest.fixture(scope="module")
def project(device, tmp_path_factory):
    folder = make_project(tmp_path_factory.mktemp("field") / "project", device)
    write_inventory(folder, device, collect=COLLECT, source=NIGHT_AND_FOG, precision="auto")
    answer(edgekit(folder, "deploy", "--device", device.name, "--json"))
    return folder


@pytest.fixture
def collecting(project, device) -> Any:
    """What the service says of its collecting, once it has kept some frames and looked at enough scenes."""

    def field() -> Any:
        return (state_of(project, device.name)["health"] or {}).get("field")

    wait_for(lambda: bool(field()) and field()["kept"] >= 3 and field()["drift"] is not None, limit_s=90)
    return field()


def kept_on(device: VirtualJetson) -> set[str]:
    names = device.run(["ls", FIELD]).stdout.split()
    return {name.partition(".")[0] for name in names if name.endswith(".json")}


def test_the_service_says_that_it_sees_what_it_was_not_calibrated_for(project, device, collecting):
    """Random pictures are what INT8 would be calibrated with: night and fog would go unnoticed."""
    assert collecting["drift"] > 0.5
    assert {"light:night", "weather:fog"} & set(collecting["unseen"])
    assert any("edgekit refresh" in text for text in state_of(project, device.name)["health"]["warnings"])


def test_frames_are_the_services_and_its_groups_alone(device, collecting):
    """They show people: nobody else on the device may look."""
    modes = device.run(["stat", "--format=%U %G %a", FIELD]).stdout.split()
    assert modes == ["edgekit", "edgekit", "750"]
    name = sorted(kept_on(device))[0]
    assert device.run(["stat", "--format=%U %G %a", f"{FIELD}/{name}.jpg"]).stdout.split() == [
        "edgekit", "edgekit", "640",
    ]  # fmt: skip


def test_the_login_user_fetches_them_whole(project, device, collecting):
    """Without the group the frames would lie there for nobody."""
    done = edgekit(project, "field", "--device", device.name, "--fetch", "--json")
    assert done.returncode in (0, 5), done.stderr  # a batch of a single drawn street may well be refused
    found = json.loads(done.stdout)
    assert found["fetched"] >= 3 and not found["damaged"]


def test_a_service_that_is_killed_has_lost_no_frame(project, device, collecting):
    """Power goes without a word on a street."""
    before, pid = kept_on(device), main_pid(device)
    device.run(["kill", "-9", pid])
    wait_for(lambda: main_pid(device) not in ("0", pid), limit_s=60)
    wait_for(lambda: state_of(project, device.name)["health"]["frames"] > 0, limit_s=60)
    assert before <= kept_on(device)


def test_a_refresh_that_is_no_better_leaves_the_service_as_it_was(project, device, collecting):
    """Somebody's street must not be served worse for being refreshed."""
    before, pid = state_of(project, device.name), main_pid(device)
    inventory = (project / "devices.yaml").read_text()
    done = edgekit(project, "refresh", "--device", device.name, "--yes", "--json", timeout=300)
    told = json.loads(done.stdout)
    assert told["outcome"] in ("kept", "refused"), done.stderr
    assert told["why"]
    after = state_of(project, device.name)
    assert (after["release_id"], main_pid(device)) == (before["release_id"], pid)
    assert (project / "devices.yaml").read_text() == inventory
    history = answer(edgekit(project, "refresh", "--device", device.name, "--history", "--json"))
    assert told["outcome"] in json.dumps(history)
