"""How a machine is set and what else it does, read from boards that are folders and from this one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekit.core.preflight import Setting
from edgekit.core.preflight_rules import clocks_locked_of
from edgekit.runtime.gpu_users import find_gpu_users
from edgekit.runtime.preflight import read_preflight
from edgekit.runtime.processor_load import watch_load
from edgekit.runtime.tuning.programs import read_patiently
from tests.runtime.tuning.board import GPU, GPU_HZ, JOURNAL, Board

SPIN = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"


@pytest.fixture
def board(tmp_path, monkeypatch) -> Board:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # who is root may ask jetson_clocks; the files must do
    return Board(tmp_path)


def test_a_jetson_as_it_is_delivered(board) -> None:
    """Every setting with its value, and what to type, without root and without changing anything."""
    before = board.settings()
    found = read_preflight(board.root, watch_s=0.0)
    assert [(setting.name, setting.value) for setting in found.settings] == [
        ("power_mode", "25W"),
        ("governor", "schedutil"),
        ("clocks", "vary"),
        ("fan", "88 of 255"),
    ]
    assert [sentence.split()[0] for sentence in found.findings] == ["power", "governor", "clocks"]
    assert clocks_locked_of(found) is False and found.tuned == ()
    assert board.settings() == before and not (board.root / JOURNAL).exists()


def test_locked_processors_with_a_free_gpu_are_not_locked(board) -> None:
    """The GPU does the work."""
    for policy in ("policy0", "policy4"):
        board.write(f"sys/devices/system/cpu/cpufreq/{policy}/scaling_min_freq", "1497600")
    assert clocks_locked_of(read_preflight(board.root, 0.0)) is False
    board.write(f"{GPU}/min_freq", GPU_HZ[1])
    assert clocks_locked_of(read_preflight(board.root, 0.0)) is True


def test_root_asks_the_program_which_knows_the_memory_too(board, monkeypatch) -> None:
    """Its range stays open when it is held: only the program tells."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    line = "EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=3199000000 FreqOverride=1"
    board.program("usr/bin/jetson_clocks", f"echo '{line}'\n")
    assert read_preflight(board.root, 0.0).value("clocks") == "locked"


def test_thors_gpu_clocks_are_read_by_a_child(board) -> None:
    """They have other names, and were seen never to answer."""
    (board.root / GPU).rename(board.root / "sys/class/devfreq/gpu-gpc-0")
    for policy in ("policy0", "policy4"):
        board.write(f"sys/devices/system/cpu/cpufreq/{policy}/scaling_min_freq", "1497600")
    assert clocks_locked_of(read_preflight(board.root, 0.0)) is False


@pytest.mark.timed
def test_a_file_that_never_answers_does_not_hang_us(tmp_path) -> None:
    """A pipe without a writer stands for a driver that waits for ever."""
    os.mkfifo(tmp_path / "min_freq")
    started_s = time.monotonic()
    assert read_patiently([tmp_path / "min_freq"], limit_s=0.2) == ""
    assert time.monotonic() - started_s < 10


def test_a_machine_without_any_of_it_has_no_settings(tmp_path) -> None:
    """A virtual machine: nothing is made up, and nothing raised."""
    found = read_preflight(tmp_path, 0.0)
    assert found.settings == () and found.findings == () and found.busy_pct is None


def test_a_mode_that_cannot_be_read_is_there_without_a_value(board) -> None:
    """ "Not known" is told; it is not the same as a board without modes."""
    (board.root / "var/lib/nvpmodel/status").unlink()
    (board.root / "usr/sbin/nvpmodel").unlink()
    assert Setting("power_mode", None) in read_preflight(board.root, 0.0).settings


def test_another_program_at_work_is_seen_and_named() -> None:
    """A compiler in the background costs frames, and nobody thinks of it. Waits for it to run: cores are shared."""
    with subprocess.Popen([sys.executable, "-c", SPIN]) as process:
        name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        deadline_s = time.monotonic() + 60
        load = watch_load(Path("/"), 0.2)
        while name not in load.busiest and time.monotonic() < deadline_s:
            load = watch_load(Path("/"), 0.2)
        process.kill()
    assert name in load.busiest and load.busy_pct is not None and load.busy_pct > 0


def test_who_holds_the_gpu_open_is_named(tmp_path) -> None:
    """By the device files that CUDA opens; a video player that shows pictures alone opens others."""
    node = tmp_path / "dev/nvhost-gpu"
    node.parent.mkdir()
    node.touch()
    for number, name, target in ((11, "python3", node), (12, "mpv", tmp_path / "dev/dri")):
        (tmp_path / f"proc/{number}/fd").mkdir(parents=True)
        (tmp_path / f"proc/{number}/comm").write_text(f"{name}\n")
        (tmp_path / f"proc/{number}/fd/3").symlink_to(target)
    assert find_gpu_users(tmp_path) == ("python3 (process 11)",)
