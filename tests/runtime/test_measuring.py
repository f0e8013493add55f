"""A device that is measured, and what would spoil its figures: never both, and nothing outlives its process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.locks import held
from edgekit.runtime.measuring import measuring, unmeasured

ROOT = Path(__file__).resolve().parents[2]
_MEASURE = """
import sys, time
from pathlib import Path
from edgekit.runtime.measuring import measuring
with measuring(Path(sys.argv[1])):
    print("measuring", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def engine(tmp_path) -> Path:
    folder = tmp_path / "engines" / "0123456789abcdef"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def bench(engine, monkeypatch):
    """A bench in another process, asked for over SSH."""
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.7 40000 10.0.0.8 22")
    process = subprocess.Popen([sys.executable, "-c", _MEASURE, str(engine)], cwd=ROOT, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None and process.stdout.readline() == b"measuring\n"
        yield process
        process.kill()


def test_a_build_beside_a_bench_is_refused_with_the_one_who_measures(engine, bench):
    """Whoever is refused has to find the other one: it may run on another machine, or have lost its host."""
    told = []
    with pytest.raises(DeviceError, match="a build would spoil the figures") as caught:
        with unmeasured(engine.parent, "a build", 0.3, lambda what, done, total: told.append(what)):
            pytest.fail("it was built all the same")
    named = r"a bench since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, asked for from 10\.0\.0\.7 "
    assert caught.match(f"{named}\\(process {bench.pid}\\)")
    assert told and told[0].startswith("wait for a bench since ")


def test_a_killed_bench_keeps_nobody_away(engine, bench):
    """A lock that outlived it would end all deployments to a device."""
    bench.send_signal(signal.SIGKILL)
    bench.wait()
    with unmeasured(engine.parent, "an activation", 0.0):
        pass


def test_a_second_bench_waits_and_then_says_for_whom(engine, bench):
    """A cut link leaves a bench that goes on alone; the next one would measure beside it."""
    with pytest.raises(DeviceError, match="this device is busy, its figures would be spoiled: a bench since"):
        with measuring(engine, wait_s=0.2):
            pytest.fail("it was measured all the same")


def test_a_bench_does_not_begin_while_something_is_built(engine):
    """And what is built or activated does not keep other such things away."""
    with unmeasured(engine.parent, "a build", 0.0), unmeasured(engine.parent, "an activation", 0.0):
        with pytest.raises(DeviceError, match="spoiled: an activation since"), measuring(engine, wait_s=0.2):
            pytest.fail("it was measured all the same")
    with measuring(engine):
        pass


def test_an_engine_in_no_device_folder_is_measured_without_a_lock(tmp_path):
    """Nothing is written beside files that are somebody's own."""
    folder = tmp_path / "engine"
    folder.mkdir()
    with measuring(folder):
        assert [path.name for path in tmp_path.iterdir()] == ["engine"]


def test_those_who_share_a_lock_keep_out_who_wants_it_alone(tmp_path):
    path = tmp_path / "lock"
    with held(path, "a", shared=True), held(path, "b", shared=True):
        with pytest.raises(Exception, match=r"b \(process"), held(path, "c"):
            pytest.fail("it was taken all the same")
