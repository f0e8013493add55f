"""Kill a process that keeps frames, again and again, and count what it lost: `python bench/field_kills.py`.

python bench/field_kills.py --kills 60                a minute or two
python bench/field_kills.py --kills 500 --save        for the record: bench/results/field_kills-DATE, about 10 minutes

A tenth as many come on top on a disk that is full, and as power cuts; that takes root, for disks of its own. What the
process does is in tests/runtime/field/killing.py.
"""

from __future__ import annotations

import argparse
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import machine, save_result

from tests.crash.test_power_cuts import Disk, missing_means
from tests.runtime.field.killing import LATEST_KILL_S, SETTINGS, STARTED, Counts, Folder, leave_free, small_disk

MORE_SHARE = 0.1  # kills of each other kind for each on a disk with room
DISK_MIB = 12
MOST_FREE_BYTES = 1 << 20
COLUMNS = ("disk with room", "full disk", "power cuts")
ROWS = (
    ("kills", "kills (SIGKILL)"),
    ("leftovers", "of these, such that cut a frame off half-way"),
    ("acknowledged", "frames acknowledged"),
    ("removed", "frames removed for room, said before"),
    ("checked", "frames whose digest was checked after a kill, all together"),
    ("problems", "times that the process said that it could not keep frames"),
    ("lost", "acknowledged frames lost"),
    ("torn", "frames torn"),
    ("untidy", "left untidy by the next start"),
)
TEXT = """# Kills while frames are kept

Linux {kernel}, {minutes:.1f} minutes. {outcome}

| | {columns} |
|---|{lines}
{rows}

A real process keeps frames of three streams as fast as it can: blurs, encodes, writes, makes room within {quota} MiB.
It is killed at a random moment, at the latest {latest_s} s after it began, and begins again in the same folder. Each
time every frame that it had acknowledged, then or before, must be there whole by its SHA-256, unless it said that it
removes it; no frame may be there in part; and a start must clear away what the kill cut off, and nothing else.

Full disk: another file leaves less than 1 MiB of {disk} MiB of memory, of which frames may take the last byte, so that
writes end in the middle of a file. Power cuts: ext4 on a loop device, of which only what had reached the image is left
after the kill. A disk that reports data as written and loses it is beyond this, and so is a real board's storage.

That every single call may fail or be the last one, and that without forcing files to the disk power cuts do lose
frames, is in tests/runtime/field/test_field_kills.py.
"""


def main() -> int:
    """Everything once; the exit code."""
    arguments, started_s = parsed(), time.monotonic()
    chance, more = random.Random(arguments.seed), max(1, round(arguments.kills * MORE_SHARE))
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name) / "field")
        found = {COLUMNS[0]: series(COLUMNS[0], arguments.kills, lambda: folder.kill_once(chance))}
        found[COLUMNS[1]] = on_full_disk(Path(name) / "full", more, chance)
        found[COLUMNS[2]] = under_power_cuts(Path(name), more, chance)
    faults = [fault for counts in found.values() if counts for fault in counts.faults]
    if faults:
        print("\n".join(["it failed, and nothing is written:", *faults]), file=sys.stderr)
        return 1
    seconds = time.monotonic() - started_s
    result = {**machine(), "kernel": platform.release(), "seconds": round(seconds, 1), "seed": arguments.seed}
    result.update({name: asdict(counts) if counts else None for name, counts in found.items()})
    save_result("field_kills", result, text_of(found, seconds), arguments)
    return 0


def series(name: str, kills: int, kill: Callable[[], Counts]) -> Counts:
    """So many kills."""
    total = Counts()
    for number in range(1, kills + 1):
        total.add(kill())
        if number % 20 == 0 or number == kills:
            print(f"{name}: {number} of {kills} kills, {len(total.faults)} faults", file=sys.stderr)
    return total


def on_full_disk(disk: Path, kills: int, chance: random.Random) -> Counts | None:
    """None where this user may not mount a disk."""

    def kill() -> Counts:
        leave_free(disk, chance.randrange(MOST_FREE_BYTES))
        return folder.kill_once(chance, "--fill", after=chance.choice([STARTED, "problem "]))

    try:
        with small_disk(disk, DISK_MIB):
            folder = Folder(disk / "field")
            return series(COLUMNS[1], kills, kill)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return None


def under_power_cuts(place: Path, cuts: int, chance: random.Random) -> Counts | None:
    """None where this user may not mount a disk image."""
    reason = missing_means()
    if reason:
        print(reason, file=sys.stderr)
        return None
    disk = Disk(place)
    try:
        folder = Folder(disk.mounted / "field")
        return series(COLUMNS[2], cuts, lambda: folder.kill_once(chance, "--fill", after="kept ", then=disk.cut))
    finally:
        disk.unmount()


def text_of(found: dict[str, Counts | None], seconds: float) -> str:
    """The record for people."""

    def shown(counts: Counts | None, name: str) -> str:
        value: Any = getattr(counts, name, None)
        return "not run" if value is None else f"{len(value) if isinstance(value, list) else value:,}"

    return TEXT.format(
        kernel=platform.release(),
        minutes=seconds / 60,
        outcome="All held.",
        columns=" | ".join(found),
        lines="---|" * len(found),
        rows="\n".join(
            f"| {words} | {' | '.join(shown(counts, name) for counts in found.values())} |" for name, words in ROWS
        ),
        quota=SETTINGS.quota_mib,
        latest_s=LATEST_KILL_S,
        disk=DISK_MIB,
    )


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
