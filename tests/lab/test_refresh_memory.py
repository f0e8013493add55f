"""A refresh whose build runs out of memory on the device, beside the service: the kernel kills the build alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.deploying import (
    answer,
    edgekit,
    environment,
    main_pid,
    make_project,
    provisioned_image,
    state_of,
    wait_for,
    write_inventory,
)
from tests.lab.memory import little_memory
from tests.lab.test_field import COLLECT, NIGHT_AND_FOG
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

# Enough for the process that watches the build, too little for the one that builds.
LIMIT_MIB = 64
PYTHON = "/opt/edgekit/venv/bin/python"
# A build waits until it is confined: it would be over before anybody could look for it.
HOLD = f"""\
#!/bin/sh
case "$*" in
*"edgekit.runtime build"*)
    echo $$ > /tmp/builds.new && mv /tmp/builds.new /tmp/builds
    while [ ! -e /tmp/confined ]; do sleep 0.05; done ;;
esac
exec {PYTHON}.real "$@"
"""


@pytest.fixture(scope="module")
def device(jetson) -> VirtualJetson:
    return jetson("xavier-nx", name="short-1", image=provisioned_image(jetson))


@pytest.fixture(scope="module")
def project(device, tmp_path_factory) -> Path:
    """A project whose device has kept enough to calibrate with."""
    made = make_project(tmp_path_factory.mktemp("short") / "project", device)
    write_inventory(made, device, collect=COLLECT, source=NIGHT_AND_FOG, precision="auto")
    answer(edgekit(made, "deploy", "--device", device.name, "--json"))
    wait_for(lambda: kept(made, device) >= 60, limit_s=120)
    return made


@pytest.fixture
def held(device):
    """Builds on the device wait until they are confined."""
    device.run(["mv", PYTHON, f"{PYTHON}.real"])
    device.write(PYTHON, HOLD)
    device.run(["chmod", "755", PYTHON])
    yield
    device.run(["mv", f"{PYTHON}.real", PYTHON])
    device.run(["rm", "-f", "/tmp/confined", "/tmp/builds"])


def kept(project, device) -> int:
    return ((state_of(project, device.name)["health"] or {}).get("field") or {}).get("kept", 0)


def frames(project, device) -> int:
    return int(state_of(project, device.name)["health"]["frames"])


def engines(device) -> list[str]:
    return sorted(device.run(["ls", "-A", "/opt/edgekit/engines"]).stdout.split())


def test_a_build_that_the_kernel_kills_stops_neither_the_service_nor_says_nothing(project, device, held):
    """On a Jetson GPU and service share the memory: a refresh at night must never be what ends a camera."""
    before, pid, seen = state_of(project, device.name), main_pid(device), frames(project, device)
    inventory, there = (project / "devices.yaml").read_text(), engines(device)
    command = [sys.executable, "-m", "edgekit", "--project", str(project), "refresh", "--device", device.name, "--yes"]
    with little_memory(device, LIMIT_MIB) as memory:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment()
        )
        wait_for(lambda: device.run(["test", "-e", "/tmp/builds"], check=False).returncode == 0, limit_s=120)
        memory.confine(device, int(device.read("/tmp/builds")))
        device.run(["touch", "/tmp/confined"])
        said = process.communicate(timeout=120)[1]
        assert memory.kills >= 1, said
    assert process.returncode == 5, said
    assert "the build was ended for want of memory: the system killed it" in said
    assert "close other programs there" in said  # what to do about it
    after = state_of(project, device.name)
    assert (after["release_id"], main_pid(device), after["restarts"]) == (before["release_id"], pid, before["restarts"])
    wait_for(lambda: frames(project, device) > seen)
    assert (project / "devices.yaml").read_text() == inventory
    assert engines(device) == there  # the old one serves, and no half of a new one is left
    newest = answer(edgekit(project, "refresh", "--device", device.name, "--history", "--json"))["refreshes"][0]
    assert newest["outcome"] == "failed" and "for want of memory" in newest["why"]
    assert "close other programs there" in newest["hint"]


def test_a_refresh_after_it_goes_on_with_what_is_there(project, device):
    """Frames and sets are found again; memory was short for one build only."""
    pid = main_pid(device)
    done = edgekit(project, "refresh", "--device", device.name, "--yes", "--json", timeout=300)
    told = json.loads(done.stdout)
    assert told["outcome"] == "kept" and told["candidate_engine_id"], done.stderr
    assert main_pid(device) == pid
