"""tegrastats as a program: its lines, its silence, its end and ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekit.core.power_rails import BoardPower
from edgekit.errors import DeviceError
from edgekit.runtime.sensors.tegrastats import TegrastatsSource
from tests.machine_trees import CASES, write

LINES = [case["line"] for case in json.loads((CASES.parent / "jetson" / "tegrastats.json").read_text("utf-8"))]
LINE = next(line for line in LINES if "VDD_IN 13195mW" in line)
ROOT = Path(__file__).resolve().parents[3]
SOON_S = 20.0


def until(condition):
    deadline_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come"
        time.sleep(0.01)


def program(root, script):
    """A tegrastats that notes its arguments and process id, and then does as the script says."""
    write(root, "lines", LINE + "\n")
    write(root, "usr/bin/tegrastats", f"#!/bin/sh\necho $@ > {root}/arguments\necho $$ > {root}/pid\n{script}\n")
    (root / "usr/bin/tegrastats").chmod(0o755)
    return root


def pid_of(root):
    return int((root / "pid").read_text())


def runs(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


STEADY = "while :; do cat {root}/lines; sleep 0.05; done"


def test_its_lines_are_power_by_the_rule_of_the_board(tmp_path):
    """Where the kernel's files may not be read it is the only way to the watts."""
    source = TegrastatsSource("orin-nx-8gb", 0.25, program(tmp_path, STEADY.format(root=tmp_path)))
    try:
        power = source.read(time.monotonic())
        assert (power.watts, power.watts_of) == (pytest.approx(13.195), "module input")
        assert [rail.name for rail in power.rails] == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
        assert (tmp_path / "arguments").read_text() == "--interval 250\n"
        write(tmp_path, "lines", LINE.replace("13195mW", "9000mW") + "\n")
        until(lambda: source.read(time.monotonic()).watts == 9.0)
    finally:
        source.close()
    until(lambda: not runs(pid_of(tmp_path)))


def test_warnings_and_garbage_before_the_first_line_are_passed_over(tmp_path):
    """Some releases begin with a warning."""
    script = f"echo 'NVPM WARN: fan mode is not set!'; printf 'RAM \\0\\377x\\n'; cat {tmp_path}/lines; sleep 60"
    source = TegrastatsSource("orin-nx-8gb", 0.1, program(tmp_path, script))
    assert source.read(time.monotonic()).watts == pytest.approx(13.195)
    source.close()


@pytest.mark.parametrize("script", ["exec sleep 60", "exit 1", "echo no line; exec sleep 60", "trap '' TERM; sleep 60"])
def test_one_that_says_nothing_is_given_up_and_ended(tmp_path, script):
    """A benchmark would wait for it for ever."""
    with pytest.raises(DeviceError, match="said nothing within 0.3 s"):
        TegrastatsSource("orin-nx-8gb", 0.1, program(tmp_path, script), first_line_s=0.3)
    until(lambda: not (tmp_path / "pid").exists() or not runs(pid_of(tmp_path)))


def test_there_may_be_none(tmp_path):
    """A PC has none, and a container may not."""
    with pytest.raises(DeviceError, match="cannot be started: No such file"):
        TegrastatsSource("orin-nx-8gb", 0.1, tmp_path)


def test_a_line_that_is_old_is_no_measurement(tmp_path):
    """A tegrastats that hangs would give the same watts for hours."""
    now = [1000.0]
    script = f"cat {tmp_path}/lines; exec sleep 60"
    source = TegrastatsSource("orin-nx-8gb", 0.1, program(tmp_path, script), clock=lambda: now[0])
    assert source.read(1000.25).watts is not None
    assert source.read(1000.35) == BoardPower()
    source.close()


def test_it_ends_when_this_process_is_killed(tmp_path):
    """Each benchmark that was killed would leave one behind, and they take time from the next."""
    program(tmp_path, STEADY.format(root=tmp_path))
    code = (
        "import time; from pathlib import Path; from edgekit.runtime.sensors.tegrastats import TegrastatsSource;"
        f"TegrastatsSource('orin-nx-8gb', 0.1, Path({str(tmp_path)!r})); print('up', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout.readline() == b"up\n"
    assert runs(pid_of(tmp_path))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    until(lambda: not runs(pid_of(tmp_path)))
