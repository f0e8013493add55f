"""Kept frames survive whatever ends the process: at random moments, and at every call that changes the disk.

bench/field_kills.py does the first some hundred times for the record.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.core.collecting import CollectSettings
from edgekit.files import sha256_file
from edgekit.runtime.field.kept import look
from edgekit.runtime.field.store import FieldStore
from tests.crash.harness import KILLED, missing_tool, points_of, run_child
from tests.crash.test_power_cuts import Disk, missing_means
from tests.runtime.field.frames_kept import frame_of
from tests.runtime.field.killing import ROOT, STARTED, Counts, Folder, command_of, leave_free, small_disk

SETTINGS = CollectSettings(quota_mib=8, stratum_share=1.0)
BEFORE = [frame_of(number, size_kib=1500) for number in range(5)]
NEW = frame_of(99, size_kib=1500)  # for which the oldest has to go


@pytest.fixture(scope="module")
def strace():
    """Skips where calls cannot be interrupted."""
    reason = missing_tool()
    if reason:
        pytest.skip(reason)


def test_kills_at_random_moments_lose_no_acknowledged_frame(tmp_path):
    """A frame that was reported as kept and is gone, or half there, makes the whole collection untrustworthy."""
    folder, chance, total = Folder(tmp_path / "field"), random.Random(6), Counts()
    for number in range(10):
        total.add(folder.kill_once(chance, after="kept " if number % 3 == 0 else STARTED))
    assert total.faults == []
    assert total.checked > 10


def test_kills_on_a_full_disk_lose_no_acknowledged_frame(tmp_path):
    """Writes end in the middle there, and the clearing up is interrupted too."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    chance, total = random.Random(7), Counts()
    try:
        with small_disk(tmp_path / "disk", 12) as disk:
            folder = Folder(disk / "field")
            for _ in range(3):
                leave_free(disk, chance.randrange(1 << 18, 1 << 19))
                total.add(folder.kill_once(chance, "--fill", after="problem "))
    except RuntimeError as error:
        pytest.skip(str(error))
    assert total.faults == []
    assert total.acknowledged > 0


def cuts(tmp_path: Path, times: int, *options: str) -> Counts:
    """Power cuts: after each kill the disk holds only what had reached it."""
    reason = missing_means()
    if reason:
        pytest.skip(reason)
    try:
        disk = Disk(tmp_path)
    except OSError as error:
        pytest.skip(f"no disk image can be mounted here: {error}")
    folder, chance, total = Folder(disk.mounted / "field"), random.Random(8), Counts()
    try:
        for _ in range(times):
            total.add(folder.kill_once(chance, "--fill", *options, after="kept ", then=disk.cut))
            if total.faults:
                break
    finally:
        disk.unmount()
    return total


def test_power_cuts_lose_no_acknowledged_frame(tmp_path):
    """A device at a pole is switched off by whoever switches off the lamp."""
    total = cuts(tmp_path, 4)
    assert total.faults == []
    assert total.acknowledged >= 4


def test_without_forcing_files_to_the_disk_power_cuts_do_lose_frames(tmp_path):
    """Otherwise the test above shows nothing."""
    assert cuts(tmp_path, 8, "--no-sync").faults != []


def with_frames(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    with FieldStore(folder, SETTINGS) as store:
        for jpeg, frame in BEFORE:
            store.add(jpeg, frame)
    return folder


def keep_new(folder: Path) -> None:
    with FieldStore(folder, SETTINGS) as store:
        store.add(*NEW)


def check(folder: Path, done: bool) -> None:
    """Every frame but the oldest is whole; the new one is whole or not there at all."""
    entries = {entry.sha256: entry for entry in look(folder)}
    for sha256, entry in entries.items():
        assert entry.problem == "" and sha256_file(folder / f"{sha256}.jpg") == sha256
    before = {frame.sha256 for _, frame in BEFORE}
    assert before - set(entries) <= {BEFORE[0][1].sha256}
    assert not done or NEW[1].sha256 in entries
    with FieldStore(folder, SETTINGS) as store:
        assert store.kept == len(entries)
    assert {path.name[:64] for path in folder.iterdir()} - {".lock"} == set(entries)


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("what", ["signal=KILL", "error=EIO", "error=ENOSPC"])
def test_every_call_may_be_the_last_or_fail(tmp_path, what):
    """The one moment that is not survived is the one that comes."""
    folder = with_frames(tmp_path / "field")
    points, interrupted = points_of(lambda: keep_new(folder), tmp_path / "calls"), 0
    for point in points:
        with_frames(folder)
        result = run_child(lambda: keep_new(folder), inject=point.inject(what))
        interrupted += result.code != 0
        assert result.code in (0, KILLED, 99), result.words
        assert result.code != 99 or "OSError" in result.words, result.words
        check(folder, done=result.code == 0)
    assert len(points) > 15
    assert interrupted > len(points) // 2


CALL = re.compile(r"\b(fsync|rename|write)\((.*)\) += \d")


@pytest.mark.usefixtures("strace")
def test_a_frame_is_acknowledged_only_after_everything_was_forced_to_the_disk(tmp_path):
    """After a power cut the name may be there and the picture not, or the other way round."""
    folder, log = tmp_path / "field", tmp_path / "calls"
    trace = ["strace", "-f", "-y", "-s", "100", "-o", str(log), "-e", "trace=fsync,rename,write"]
    subprocess.run([*trace, *command_of(folder, 1, "--frames", "1")], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    calls = [found.groups() for found in map(CALL.search, log.read_text().splitlines()) if found]
    told = next(number for number, (name, what) in enumerate(calls) if name == "write" and '"kept ' in what)
    sha256 = re.search(r"kept ([0-9a-f]{64})", calls[told][1])[1]
    steps = []
    for name, what in calls[:told]:
        if name != "write" and (sha256 in what or what.endswith(f"<{folder}>")):
            suffix = "folder" if sha256 not in what else "jpg" if ".jpg" in what else "json"
            steps.append(f"{name} {suffix}")
    one = ["fsync {}", "rename {}", "fsync folder"]
    assert steps == [step.format(suffix) for suffix in ("jpg", "json") for step in one]
