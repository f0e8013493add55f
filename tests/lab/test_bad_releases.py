"""Releases that are bad, each in its way: the device goes back to the good one by itself, and says why."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from contextlib import closing

import pytest

from edgekit.control.connect import link_to
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import load_inventory
from edgekit.control.link import silent
from edgekit.control.project import open_project
from edgekit.control.release import make_release
from edgekit.control.selftest import load_selftest
from edgekit.control.services import ask_state, find_service, put_in_service
from edgekit.control.survey import survey
from edgekit.core.activation import Probation
from edgekit.core.service import ServiceSettings, StreamSettings
from edgekit.errors import DeployError, UnhealthyError
from tests.lab.deploying import (
    SERVICE,
    SOURCE,
    answer,
    edgekit,
    make_project,
    provisioned_image,
    state_of,
    wait_for,
    write_inventory,
)

pytestmark = pytest.mark.lab

RULE = Probation(frames=5, seconds=1.0, deadline_s=4.0)
MAIN = "code/edgekit/runtime/__main__.py"
SELFTEST = "selftest/selftest.json"


@pytest.fixture(scope="module")
def device(jetson):
    return jetson("xavier-nx", name="bad-1", image=provisioned_image(jetson))


@pytest.fixture(scope="module")
def project(device, tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("bad") / "project", device)


@pytest.fixture
def good(project, device):
    """The release that must be in service in the end."""
    write_inventory(project, device)
    return answer(edgekit(project, "deploy", "--device", device.name, "--json"))["release_id"]


@pytest.fixture
def facts(project, device):
    opened = open_project(project)
    entry = load_inventory(opened).device(device.name)
    with closing(link_to(opened, entry)) as link:
        yield survey(Groundwork(opened), entry, link, silent)


def release(facts, source=SOURCE, **altered):
    """The device's release with another source, or with other bytes in some files (path with __ for /)."""
    (engine,) = [engine for engine in facts.engines if engine.precision == "fp32"]
    settings = ServiceSettings(SERVICE, (StreamSettings(source),))
    floor = facts.service.journal.floor
    selftest = load_selftest(facts.record(engine))
    made = make_release(SERVICE, facts.profile, facts.detector.spec, settings, engine, floor + 1, selftest)
    return with_files(made, altered)


def with_files(made, altered):
    """The release with other bytes in some files, as a faulty build would put them there: every digest is right."""
    content, files = dict(made.content), []
    for file in made.manifest.files:
        if file.path in altered:
            data = altered[file.path]
            file = dataclasses.replace(file, size=len(data), sha256=hashlib.sha256(data).hexdigest())
            content[file.sha256] = data
        files.append(file)
    return dataclasses.replace(made, manifest=dataclasses.replace(made.manifest, files=tuple(files)), content=content)


def blind_selftest(facts):
    """A self-test that expects an object nobody sees: what a release with other weights looks like to its device."""
    (engine,) = [engine for engine in facts.engines if engine.precision == "fp32"]
    plan = json.loads((load_selftest(facts.record(engine)).folder / "selftest.json").read_text())
    for picture in plan["pictures"]:
        picture["objects"] = [{**item, "label": "person"} for item in picture["objects"]]
    return json.dumps(plan).encode()


def refused(facts, made, rule=RULE):
    """Try a bad release: the error, and the seconds until the good one was healthy again."""
    started_s = time.monotonic()
    with pytest.raises(UnhealthyError) as failure:
        put_in_service(facts.link, made, rule, silent)
    wait_for(lambda: find_service(ask_state(facts.link), SERVICE).is_healthy)
    return failure.value, time.monotonic() - started_s


CASES = {
    "it crashes at its start": lambda facts: release(facts, **{MAIN: b"raise SystemExit(3)\n"}),
    "it hangs at its start": lambda facts: release(facts, **{MAIN: b"import time\ntime.sleep(3600)\n"}),
    "its source is not there": lambda facts: release(facts, source="/nowhere/street.mp4"),
    "its settings are of another edgekit": lambda facts: release(facts, **{"settings.json": b'{"schema": 99}\n'}),
    "its engine answers otherwise": lambda facts: release(facts, **{SELFTEST: blind_selftest(facts)}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_release_gives_way_to_the_good_one_by_itself(facts, good, device, project, case):
    """Lost: a camera, and somebody's night."""
    error, seconds = refused(facts, CASES[case](facts))
    print(f"\n{case}: back after {seconds:.1f} s: {error.what}")
    assert f"release {good} runs again" in error.what
    assert seconds < 60
    service = state_of(project, device.name)
    assert service["release_id"] == good and service["journal"]["bad"][0]["reason"]


def test_a_release_that_is_too_slow_gives_way(facts, good, project, device):
    """A release may be right and still useless: the target is part of the promise."""
    made = release(facts, source=SOURCE.replace("seed=3", "seed=4"))
    error, seconds = refused(facts, made, dataclasses.replace(RULE, min_fps=1000.0))
    print(f"\ntoo slow: back after {seconds:.1f} s: {error.what}")
    assert "FPS" in error.what and f"release {good} runs again" in error.what
    with pytest.raises(DeployError, match="failed on this device before"):
        put_in_service(facts.link, made, RULE, silent)
    assert put_in_service(facts.link, made, RULE, silent, retry=True).committed == made.manifest.release_id


def test_a_first_release_that_is_bad_leaves_the_service_down(jetson, tmp_path_factory):
    """There is nothing to go back to; restarting it for ever would only hide that."""
    device = jetson("xavier-nx", name="bad-2", image=provisioned_image(jetson))
    project = make_project(tmp_path_factory.mktemp("first") / "project", device)
    write_inventory(project, device, source="/nowhere/street.mp4", service="other")
    done = edgekit(project, "deploy", "--device", device.name)
    assert done.returncode == 8 and "it was stopped" in done.stderr
    device.power_off()
