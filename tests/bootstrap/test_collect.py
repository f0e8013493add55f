"""collect.py tells what a machine is on whatever Python a board has, in time, and whatever is missing there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekit.bootstrap import collect, source
from edgekit.core.facts import DeviceFacts, parse_collected, read_facts

# pyenv's python3.6 on the PATH is a stand-in that may lead nowhere.
PYTHON_3_6 = next((str(path) for path in sorted(Path.home().glob(".pyenv/versions/3.6.*/bin/python3"))), None)


def run(python: str, argument: str = "{}", **environment: str) -> DeviceFacts:
    """As a device is asked: the text of the script and a JSON argument, in an almost empty environment."""
    done = subprocess.run(
        [python, "-c", source("collect"), argument],
        env={"PATH": "/usr/bin:/bin", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == ""
    return read_facts(parse_collected(done.stdout))


@pytest.mark.timed
def test_this_machine_is_told_as_it_is() -> None:
    """The same figures as the probe's, from a script that has nothing of edgekit."""
    began_s = time.monotonic()
    facts = run(sys.executable)
    assert time.monotonic() - began_s < 3.0
    assert facts.python == sys.version_info[:3]
    assert facts.machine == os.uname().machine
    assert facts.memory_total_mib == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    assert facts.disk is not None and facts.disk.total_mib > 0
    assert (facts.account.uid, facts.clock_unix_s > 1.7e9) == (os.getuid(), True)
    assert facts.l4t is None


def test_opencv_is_asked_how_it_was_built_only_on_request() -> None:
    """It takes a second on a board, and a deployment does not need it."""
    quick, whole = run(sys.executable), run(sys.executable, '{"opencv": true}')
    assert quick.opencv is not None and quick.opencv.gstreamer is None
    assert whole.opencv is not None and whole.opencv.gstreamer is False and whole.opencv.error == ""


@pytest.mark.skipif(PYTHON_3_6 is None, reason="there is no Python 3.6 here")
def test_jetpack_4_is_understood() -> None:
    """Its Python must be able to say that it is too old, instead of ending with a syntax error."""
    assert PYTHON_3_6 is not None
    assert run(PYTHON_3_6).python[:2] == (3, 6)


def test_machine_without_any_of_its_programs_still_answers(tmp_path) -> None:
    """No dpkg, no systemd, no df, no sudo: each is a reason, none is the end."""
    facts = run(sys.executable, PATH=str(tmp_path))
    assert {"packages", "systemd", "disks"} <= set(facts.reasons)
    assert facts.memory_total_mib > 0


def test_every_item_has_a_text_or_a_reason() -> None:
    """One that is neither would look like an empty answer."""
    told = collect.collect({})
    assert set(told["texts"]).isdisjoint(told["reasons"])
    assert set(collect.READERS) <= {*told["texts"], *told["reasons"]}
    json.dumps(told)


def test_program_that_hangs_is_left_behind() -> None:
    """nvpmodel and sudo have been seen to wait for ever."""
    child = collect.Child("sleep", "60")
    with pytest.raises(collect.NoTextError, match="did not answer"):
        child.text(limit_s=0.1)
    assert child.process.returncode is not None


def test_program_that_fails_says_why() -> None:
    """The last line it printed is the reason; what it printed before failing is kept where that will do."""
    with pytest.raises(collect.NoTextError, match="code 3: no such mode"):
        collect.Child("sh", "-c", "echo; echo no such mode; exit 3").text(needs_success=True)
    assert collect.Child("sh", "-c", "echo half; exit 1").text() == "half\n"


def test_dla_nodes_are_found_where_either_kernel_has_them(tmp_path, monkeypatch) -> None:
    """JetPack 5 has them under host1x, JetPack 6 one level deeper under bus@0; disabled ones do not count."""
    for name, status in (
        ("host1x@13e00000/nvdla0@15880000", "okay"),
        ("bus@0/host1x@13e00000/nvdla1@158c0000", "disabled"),
    ):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "status").write_bytes(status.encode() + b"\0")
    monkeypatch.setattr(collect, "DEVICE_TREES", (str(tmp_path),))
    assert collect.dla_cores().splitlines() == ["nvdla0@15880000\tokay", "nvdla1@158c0000\tdisabled"]


def test_nothing_is_written(tmp_path) -> None:
    """It is asked of devices that nobody agreed to change yet."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    log = tmp_path / "log"
    calls = "creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,chmod,fchmod"
    command = [
        "strace",
        "-f",
        "-qq",
        "-e",
        f"trace={calls}",
        "-o",
        str(log),
        sys.executable,
        "-B",
        "-c",
        source("collect"),
    ]
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=30, check=True)
    assert [line for line in log.read_text().splitlines() if "= 0" in line] == []
