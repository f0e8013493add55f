"""A bench has a device to itself, and deployments share it: on this machine, by whichever process."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest

from edgekit.control.device_use import alone_on, unmeasured
from edgekit.control.inventory import Device
from edgekit.control.project import Project
from edgekit.errors import DeviceError

NX = Device("nx", "jetson", "tiny", "tiny", "/v.mp4")
HERE, BACK_ROOM = (Device(name, "local", "tiny", name, "/v.mp4") for name in ("local", "back-room"))
_MEASURE = """
import sys, time
from pathlib import Path
from edgekit.control.device_use import alone_on
from edgekit.control.inventory import Device
from edgekit.control.project import Project
with alone_on(Project(Path(sys.argv[1])), Device("nx", "jetson", "tiny", "tiny", "/v.mp4"), lambda *told: None):
    print("measuring", flush=True)
    time.sleep(60)
"""


def quiet(what: str, done: int, total: int) -> None:
    """Nobody is told."""


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def bench(project):
    """A bench of nx by another process."""
    process = subprocess.Popen([sys.executable, "-c", _MEASURE, str(project.root)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None and process.stdout.readline() == b"measuring\n"
        yield process
        process.kill()


def test_a_deployment_beside_a_bench_waits_and_then_says_for_whom(project, bench):
    """It would start the service in the middle of a measurement, whose figures would be kept as if they were good."""
    told = []
    with pytest.raises(DeviceError, match="nx is being measured, and a deployment would spoil the figures") as caught:
        with unmeasured(project, NX, "a deployment", lambda what, done, total: told.append(what), wait_s=0.3):
            pytest.fail("it was deployed all the same")
    assert caught.match(rf"a bench since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(process {bench.pid}\)")
    assert told[0].startswith("nx is being measured: wait for a bench since ")


def test_a_killed_bench_keeps_nobody_away(project, bench):
    """Nobody should have to look for a file to delete."""
    bench.send_signal(signal.SIGKILL)
    bench.wait()
    with unmeasured(project, NX, "a deployment", quiet, wait_s=0.0):
        pass


def test_a_bench_waits_for_a_deployment_to_end(project):
    """It would be measured beside a build. And it looks again afterwards at what is there to measure."""
    told = []
    with ExitStack() as deployment:
        deployment.enter_context(unmeasured(project, NX, "a deployment", quiet))

        def progress(what: str, done: int, total: int) -> None:
            told.append(what)
            deployment.close()

        with alone_on(project, NX, progress) as waited:
            assert waited and told[0].startswith("wait for a deployment since ")
    with alone_on(project, NX, quiet) as waited:
        assert not waited


def test_deployments_do_not_wait_for_each_other(project):
    """Two services of one machine are deployed at once; what must not be is kept apart on the device."""
    with unmeasured(project, HERE, "a deployment", quiet, wait_s=0.0):
        with unmeasured(project, BACK_ROOM, "a refresh", quiet, wait_s=0.0):
            pass


def test_this_machine_is_one_device_by_whichever_name(project):
    """Its entries share the processors; another device is no matter to it."""
    with alone_on(project, HERE, quiet), unmeasured(project, NX, "a deployment", quiet, wait_s=0.0):
        with pytest.raises(DeviceError), unmeasured(project, BACK_ROOM, "a deployment", quiet, wait_s=0.0):
            pytest.fail("it was deployed all the same")
