"""A bench over SSH that is cut off: by the kernel of the device, by the end of its host, by a cable. What it leaves is
told, counts for nothing, and is set right by what people type next."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.deploying import (
    UNIT,
    answer,
    edgekit,
    environment,
    make_project,
    provisioned_image,
    wait_for,
)
from tests.lab.test_tuning import BEST, JOURNAL, KEEPS, USUAL
from tests.lab.virtual_jetson import VirtualJetson

pytestmark = pytest.mark.lab

_MEASURES = "[e]dgekit.runtime.bench"  # found in the process list, but not in the command that looks for it


@pytest.fixture(scope="module")
def device(jetson) -> VirtualJetson:
    made = jetson("xavier-nx", name="bench-1", image=provisioned_image(jetson))
    made.run(["sed", "-i", KEEPS, "/usr/bin/jetson_clocks"])
    made.run(["nvpmodel", "-m", "2"])
    return made


@pytest.fixture(scope="module")
def project(device, tmp_path_factory) -> Path:
    made = make_project(tmp_path_factory.mktemp("bench") / "project", device)
    answer(edgekit(made, "deploy", "--device", device.name, "--json"))
    return made


@pytest.fixture
def bench(project, device):
    """A bench with --tune as a process, in the middle of its measurement."""
    assert (mode(device), is_active(device), partials(project)) == (USUAL, True, [])
    process = started(project, device, "--tune")
    until(process, "measuring: [1-9]")
    assert (mode(device), is_active(device)) == (BEST, False)
    yield process
    process.kill()
    process.wait()
    process.stderr.close()
    device.heal()


def started(project, device, *options) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgekit", "--project", str(project), "bench", "--device", device.name]
    command += ["--fps", "--seconds", "30", *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment())


def until(process, pattern) -> None:
    for line in process.stderr:
        if re.match(pattern, line):
            return
    raise AssertionError(f"never said {pattern!r}")


def mode(device) -> str:
    return device.run(["nvpmodel", "-q"]).stdout.split()[3]


def is_active(device) -> bool:
    return device.run(["systemctl", "is-active", "--quiet", UNIT], check=False).returncode == 0


def measures(device) -> bool:
    return device.run(["pgrep", "-f", _MEASURES], check=False).returncode == 0


def is_tuned(device) -> bool:
    return device.run(["test", "-e", JOURNAL], check=False).returncode == 0


def partials(project) -> list:
    return [json.loads(path.read_text()) for path in (project / ".edgekit" / "results").glob("*.partial.json")]


def results(project) -> list[str]:
    found = (project / ".edgekit" / "results").glob("*.json")
    return sorted(path.name for path in found if not path.name.endswith(".partial.json"))


def measured_again(project, device) -> str:
    """What the next bench said; it must be a whole one, and leave nothing of the one before."""
    before = results(project)
    done = edgekit(project, "bench", "--device", device.name, "--fps", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert len(results(project)) == len(before) + 1 and partials(project) == []
    assert is_active(device)
    return done.stderr


def test_a_measuring_process_that_is_killed_leaves_nothing(project, device, bench):
    """The kernel ends it when memory runs out: the service must run again, and the clocks must not stay."""
    before = results(project)
    device.run(["pkill", "-KILL", "-f", _MEASURES])
    said = bench.stderr.read()
    assert bench.wait() == 9 and "`bench` was killed on the device" in said
    assert (mode(device), is_active(device), is_tuned(device)) == (USUAL, True, False)
    assert (results(project), partials(project)) == (before, [])
    assert "cut off" not in measured_again(project, device)


def test_a_host_that_is_killed_leaves_a_partial_file_and_a_journal(project, device, bench):
    """Nobody was left to start the service and to set the device back: the next bench does one, --untune the other."""
    before = results(project)
    bench.send_signal(signal.SIGKILL)
    bench.wait()
    wait_for(lambda: not measures(device))  # it ends by itself when nobody listens any more
    (partial,) = partials(project)
    assert (partial["partial"], partial["stopped_service"], partial["total"]) == (True, "tiny", 60)
    assert (mode(device), is_active(device), is_tuned(device), results(project)) == (BEST, False, True, before)
    told = measured_again(project, device)
    assert "was cut off after" in told and "counts for nothing; tiny was left stopped" in told
    assert f"{device.name} is still set for measuring (power mode, clocks), by a bench that was cut off" in told
    back = edgekit(project, "bench", "--untune", "--device", device.name)
    assert f"power mode is again {USUAL}" in back.stdout, back.stderr
    assert (mode(device), is_tuned(device)) == (USUAL, False)


def test_a_cut_cable_is_told_with_all_that_it_leaves(project, device, bench):
    """Two things wait for a person then, a stopped service and a tuned device; the error has to name both."""
    before = results(project)
    device.cut()
    said = bench.stderr.read()
    assert bench.wait() == 9
    assert f"{device.name} is still set for measuring" in said and f"tiny on {device.name} is still stopped" in said
    assert f"edgekit start --device {device.name}" in said
    assert f"edgekit bench --untune --device {device.name}" in said
    (partial,) = partials(project)
    assert (partial["stopped_service"], partial["pid"], results(project)) == ("tiny", 0, before)
    device.heal()
    told = measured_again(project, device)
    assert "tiny was left stopped" in told and "is still set for measuring" in told
    tuned_again = edgekit(project, "bench", "--device", device.name, "--fps", "--seconds", "2", "--tune", "--json")
    assert tuned_again.returncode == 0, tuned_again.stderr
    assert (mode(device), is_tuned(device)) == (USUAL, False)  # of before the first, not of the second


def test_undoing_a_provision_sets_the_device_back_first(project, device, bench):
    """Last, for nothing is left after it: what says how the device was would be gone with the rest."""
    bench.send_signal(signal.SIGKILL)
    bench.wait()
    would = answer(edgekit(project, "provision", "--device", device.name, "--undo", "--dry-run", "--json"))
    assert would["changed"][0] == f"set power mode back to {USUAL}" and mode(device) == BEST
    done = answer(edgekit(project, "provision", "--device", device.name, "--undo", "--yes", "--json"))
    assert f"set power mode back to {USUAL}" in done["changed"] and "removed /opt/edgekit" in done["changed"]
    assert (mode(device), is_tuned(device)) == (USUAL, False)
    assert device.run(["test", "-e", "/var/lib/edgekit"], check=False).returncode == 1
