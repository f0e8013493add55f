"""A process that keeps frames as fast as it can, how it is killed, and what must be true of its folder afterwards.

The process tells of each frame on standard output: `kept DIGEST` once it is acknowledged, `removing DIGEST` before it
goes for room. Run by bench/field_kills.py and, a few times, by the tests.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Callable, Iterator, List, Sequence, Set

import cv2
import numpy as np

from edgekit.core.collecting import CollectSettings
from edgekit.core.detections import Detections
from edgekit.core.field import KeptFrame
from edgekit.core.scene_descriptor import describe
from edgekit.files import sha256_file
from edgekit.runtime.field import keeper as keeper_module
from edgekit.runtime.field import store as store_module
from edgekit.runtime.field.keeper import Draft, Keeper
from edgekit.runtime.field.kept import look
from edgekit.runtime.field.store import FieldStore

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = CollectSettings(quota_mib=8, blur=("person",))
LABELS = ("person", "car")
STREAMS = ("gate", "yard", "road")
STRATA = ("light:day", "light:dusk", "light:night", "weather:fog", "class:car")
STARTED = "started"
LATEST_KILL_S = 0.25  # after it started
MOST_LINES = 200  # that are waited for: a folder that only changes frames for others never runs out of room


class TellingStore(FieldStore):
    """Says what it has done, after the fact; and that a frame goes, before."""

    def add(self, jpeg: bytes, frame: KeptFrame) -> bool:
        new = super().add(jpeg, frame)
        if new:
            tell(f"kept {frame.sha256}")
        return new

    def remove(self, digests: Sequence[str]) -> None:
        for sha256 in digests:
            tell(f"removing {sha256}")
        super().remove(digests)


def tell(line: str) -> None:
    """At once, whole, and with nothing left in a buffer: what is read after a kill was said before it."""
    os.write(1, line.encode() + b"\n")


def keep_for_ever(folder: Path, seed: int, frames: int = 0) -> None:
    """Be the process. frames: end after so many; 0: never."""
    keeper_module.FieldStore = TellingStore
    cv2.setNumThreads(1)
    chance = np.random.default_rng(seed)
    noise = chance.integers(0, 255, (240, 320, 3), dtype=np.uint8)
    described = describe(noise[:90, :160])
    tell(STARTED)
    said = ""
    with Keeper(folder, SETTINGS, LABELS, service="street", engine_id="e") as keeper:
        while not frames or keeper.added < frames:
            pixels = np.roll(noise, int(chance.integers(1, noise.size)))
            strata = tuple(chance.permutation(STRATA)[:2])
            draft = Draft(str(chance.choice(STREAMS)), ("random",), strata, described, None, time.time())
            while not keeper.offer(pixels, one_person(chance), draft):
                time.sleep(0.001)
            told, said = said, " ".join(keeper.problems)
            if said and said != told:
                tell(f"problem {said}")


def one_person(chance: np.random.Generator) -> Detections:
    """Somewhere in the picture."""
    left, top = chance.integers(0, 200), chance.integers(0, 100)
    box = np.array([[left, top, left + 60, top + 120]], np.float32)
    return Detections(box, np.array([0.9], np.float32), np.array([0], np.int32))


@dataclass
class Counts:
    """What came of it. leftovers: kills that cut something off, as files show that belonged to no kept frame."""

    kills: int = 0
    leftovers: int = 0
    acknowledged: int = 0
    removed: int = 0
    checked: int = 0
    problems: int = 0
    lost: List[str] = field(default_factory=list)
    torn: List[str] = field(default_factory=list)
    untidy: List[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Sum up."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def faults(self) -> List[str]:
        """Everything that must not be."""
        return [*self.lost, *self.torn, *self.untidy]


class Folder:
    """A folder of kept frames and what must be in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expected: Set[str] = set()

    def kill_once(
        self,
        chance: random.Random,
        *options: str,
        after: str = STARTED,
        then: Callable[[], None] = lambda: None,
    ) -> Counts:
        """Let a process keep frames, kill it at a random moment, and check the folder; then as the next start would.

        after: what the process says before the moment may come. then: what happens to the disk after the kill.
        """
        said = run_and_kill(self.folder, chance, *options, after=after)
        then()
        acknowledged = {line.split()[1] for line in said if line.startswith("kept ")}
        gone = {line.split()[1] for line in said if line.startswith("removing ")}
        counts = Counts(kills=1, acknowledged=len(acknowledged), removed=len(gone))
        counts.problems = sum(line.startswith("problem ") for line in said)
        counts.leftovers = bool(self.strays())
        self._check(acknowledged, gone, counts)
        self._check_start(counts)
        return counts

    def strays(self) -> List[str]:
        """Files that belong to no kept frame."""
        ours = {f"{entry.sha256}.{suffix}" for entry in look(self.folder) for suffix in ("jpg", "json")}
        names = {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()
        return sorted(names - ours - {".lock"})

    def _check(self, acknowledged: Set[str], gone: Set[str], counts: Counts) -> None:
        """No frame that was acknowledged, now or before, is missing, and none is there in part."""
        entries = look(self.folder)
        here = {entry.sha256 for entry in entries}
        counts.lost += [f"lost: {sha256}" for sha256 in sorted((self.expected | acknowledged) - gone - here)]
        for entry in entries:
            counts.checked += 1
            if entry.frame is None:
                counts.torn.append(f"torn: {entry.sha256}: {entry.problem}")
            elif sha256_file(self.folder / f"{entry.sha256}.jpg") != entry.sha256:
                counts.torn.append(f"torn: {entry.sha256}: its JPEG is another")
        self.expected = here

    def _check_start(self, counts: Counts) -> None:
        """The next start leaves kept frames alone and clears the rest away."""
        with FieldStore(self.folder, SETTINGS) as store:
            counts.untidy += [f"left by the start: {name}" for name in self.strays()]
            missing = self.expected - {entry.sha256 for entry in look(self.folder)}
            counts.lost += [f"removed by the start: {sha256}" for sha256 in sorted(missing)]
            if store.kept != len(self.expected):
                counts.untidy.append(f"the start counted {store.kept} of {len(self.expected)} frames")


def run_and_kill(folder: Path, chance: random.Random, *options: str, after: str = STARTED) -> List[str]:
    """The lines that a process told before it was killed; see Folder.kill_once."""
    command = command_of(folder, chance.randrange(1 << 30), *options)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, universal_newlines=True) as child:
        assert child.stdout is not None
        said: List[str] = []
        while not said or not (said[-1].startswith(after) or len(said) > MOST_LINES):
            said.append(child.stdout.readline())
            assert said[-1], f"it ended by itself, with {child.wait()}"
        time.sleep(chance.uniform(0.0, LATEST_KILL_S))
        assert child.poll() is None, f"it ended by itself, with {child.returncode}"
        child.send_signal(signal.SIGKILL)
        said += child.stdout
    return [line.strip() for line in said]


def command_of(folder: Path, seed: int, *options: str) -> List[str]:
    """The process as a command line."""
    return [sys.executable, "-m", "tests.runtime.field.killing", str(folder), str(seed), *options]


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[Path]:
    """A file system of its own in memory. Raises RuntimeError where this user may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"a small disk cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def leave_free(disk: Path, free_bytes: int) -> None:
    """Let another file take the rest of a disk."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    ballast.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - free_bytes)))


def main(arguments: Sequence[str]) -> None:
    """FOLDER SEED [--fill] [--no-sync] [--frames N].

    --fill: to the last byte of the disk, which edgekit would leave alone. --no-sync: nothing is forced to the disk.
    """
    folder, seed, *options = arguments
    if "--fill" in options:
        store_module.check_room = lambda *_: None
    if "--no-sync" in options:
        os.fsync = lambda descriptor: None
    frames = int(options[options.index("--frames") + 1]) if "--frames" in options else 0
    keep_for_ever(Path(folder), int(seed), frames)


if __name__ == "__main__":
    main(sys.argv[1:])
