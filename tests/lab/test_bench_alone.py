"""A device that is measured and deployed to at the same time: one of them waits, or is told why not."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.deploying import (
    SOURCE,
    answer,
    edgekit,
    environment,
    main_pid,
    make_project,
    provisioned_image,
    state_of,
    write_inventory,
)
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def device(jetson) -> VirtualJetson:
    return jetson("xavier-nx", name="alone-1", image=provisioned_image(jetson))


@pytest.fixture(scope="module")
def project(device, tmp_path_factory) -> Path:
    made = make_project(tmp_path_factory.mktemp("alone") / "project", device)
    answer(edgekit(made, "deploy", "--device", device.name, "--json"))
    return made


def change(project, device, seed, **settings) -> None:
    """Another release, as good as the one before."""
    write_inventory(project, device, source=SOURCE.replace("seed=3", f"seed={seed}"), **settings)


def started(project, device, *words) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgekit", "--project", str(project), *words, "--device", device.name]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment())


def until(process, pattern) -> None:
    for line in process.stderr:
        if re.match(pattern, line):
            return
    raise AssertionError(f"never said {pattern!r}")


def ended(process) -> tuple[int, str]:
    said = process.stderr.read()
    process.stderr.close()
    return process.wait(), said


def test_a_deployment_waits_for_a_bench_of_this_project(project, device):
    """It would start the service in the middle of a measurement, and both would be worth nothing."""
    bench = started(project, device, "bench", "--fps", "--seconds", "5")
    until(bench, "measuring: [1-9]")
    change(project, device, seed=31)
    done = edgekit(project, "deploy", "--device", device.name)
    assert done.returncode == 0, done.stderr
    assert f"{device.name} is being measured: wait for a bench since " in done.stderr
    assert ended(bench)[0] == 0


def test_a_bench_waits_for_a_deployment_of_this_project(project, device):
    """And then measures the release that came of it."""
    change(project, device, seed=32, probation={"frames": 5, "seconds": 3})
    deploy = started(project, device, "deploy")
    until(deploy, "on probation")
    done = edgekit(project, "bench", "--device", device.name, "--fps", "--seconds", "2")
    assert done.returncode == 0, done.stderr
    assert f"on {device.name}" in done.stderr and "wait for a deployment since " in done.stderr
    assert ended(deploy)[0] == 0


def test_what_comes_from_elsewhere_is_refused_while_a_device_is_measured(project, device, tmp_path):
    """Another person's project knows nothing of this bench: the device does. What ran before runs again after it."""
    elsewhere = make_project(tmp_path / "project", device)
    before = state_of(project, device.name)["release_id"]
    bench = started(project, device, "bench", "--fps", "--seconds", "30")
    until(bench, "measuring: [1-9]")
    change(elsewhere, device, seed=33)
    for verb, called in (("deploy", "a deployment"), ("rollback", "a rollback")):
        done = edgekit(elsewhere, verb, "--device", device.name)
        assert done.returncode == 9, done.stderr
        assert f"this device is being measured, and {called} would spoil the figures" in done.stderr
        assert ", asked for from " in done.stderr and main_pid(device) == "0"
    tuned = edgekit(elsewhere, "bench", "--device", device.name, "--fps", "--tune")
    assert tuned.returncode == 9 and "being measured by another bench" in tuned.stderr, tuned.stderr
    bench.send_signal(signal.SIGINT)
    assert ended(bench)[0] == 130
    assert state_of(project, device.name)["release_id"] == before and main_pid(device) != "0"
    assert edgekit(elsewhere, "deploy", "--device", device.name).returncode == 0
