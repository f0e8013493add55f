"""Power cuts: what the disk held at a random moment is all that is left, and the device starts from it.

The device folder lies on ext4 on a loop device. A process deploys, rolls back and tidies up without an end. At a random
moment it is killed and the disk's image is copied: what was only in the file system's memory is not in it. The copy is
mounted, as after a boot, checked, and lived on with. A disk that says "flushed" and lies is beyond this.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from edgekit.core.deployment import ActivateRequest, RollbackRequest, ServiceRequest
from edgekit.errors import DeployError
from edgekit.runtime.activation import activate, rollback
from edgekit.runtime.journal import read_journal
from edgekit.runtime.reconcile import reconcile
from edgekit.runtime.store import Store
from tests.crash.harness import AT_ONCE, check_settled, check_whole, kept, settle_now
from tests.tiny_releases import SERVICE, content_of, deliver, manifest_of, profile_of, quiet

_DISK_MIB = 32
_RELEASES = {manifest_of(content_of(note=str(number))).release_id: number for number in range(8)}

Ack = Tuple[str, int]  # a release that was said to be committed, and its counter


def missing_means() -> str:
    """Why no disk can be mounted here, "" if one can."""
    if os.geteuid() != 0:
        return "mounting a disk image needs root"
    for tool in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return ""


class Disk:
    """An ext4 file system in a file, mounted."""

    def __init__(self, folder: Path) -> None:
        self.image, self.mounted = folder / "disk.img", folder / "mounted"
        self.mounted.mkdir()
        with self.image.open("wb") as stream:
            stream.truncate(_DISK_MIB << 20)
        run("mkfs.ext4", "-q", "-F", str(self.image))
        self.mount()

    def mount(self) -> None:
        run("mount", "-o", "loop", str(self.image), str(self.mounted))

    def unmount(self) -> None:
        run("umount", str(self.mounted))

    def cut(self) -> None:
        """Go on with what had reached the disk by now."""
        copy = self.image.with_suffix(".cut")
        run("cp", "--sparse=always", str(self.image), str(copy))
        self.unmount()
        copy.replace(self.image)
        self.mount()


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    reason = missing_means()
    if reason:
        pytest.skip(reason)
    try:
        made = Disk(tmp_path)
    except OSError as error:
        pytest.skip(f"no disk image can be mounted here: {error}")
    yield made
    with suppress(OSError):
        made.unmount()


def live(root: Path, acknowledge: int, seed: int) -> None:
    """Deploy and roll back for ever; each commit is said only when it is done."""
    chance = random.Random(seed)
    store = Store(str(root))
    counter = max(read_journal(store, SERVICE).floor, 0)
    while True:
        counter += 1
        with suppress(DeployError):  # there may be nothing to roll back to
            if chance.random() < 0.25:
                rollback(RollbackRequest(str(root), SERVICE, probation=AT_ONCE), quiet)
            else:
                content = content_of(note=str(chance.randrange(8)))
                deliver(root, content)
                activate(ActivateRequest(str(root), manifest_of(content, counter), AT_ONCE), profile_of(), quiet)
        journal = reconcile(ServiceRequest(str(root), SERVICE), quiet)
        os.write(acknowledge, f"{journal.committed} {journal.floor}\n".encode())


@contextmanager
def living(root: Path, seed: int, sync: bool) -> Iterator[List[Ack]]:
    """A process that lives; killed at the end. Its acknowledgements are known then."""
    acks: List[Ack] = []
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            if not sync:
                os.fsync = lambda descriptor: None
            live(root, write_end, seed)
        finally:
            os._exit(1)
    os.close(write_end)
    yield acks
    os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    with open(read_end, "rb") as stream:
        lines = stream.read().decode().splitlines()
    assert os.WIFSIGNALED(status), "it did not live until it was killed"
    acks += [(name, int(floor)) for name, floor in map(str.split, lines)]


def one_cut(disk: Disk, chance: random.Random, sync: bool = True) -> int:
    """Live, cut, look; the number of acknowledgements. Raises AssertionError for a broken device or a lost one."""
    root = disk.mounted / "edgekit"
    root.mkdir(exist_ok=True)
    with living(root, chance.randrange(1 << 30), sync) as acks:
        time.sleep(chance.uniform(0.02, 0.4))
    disk.cut()
    if acks:
        journal = read_journal(Store(str(root)), SERVICE)
        name, floor = acks[-1]
        assert journal.floor >= floor, f"floor {floor} was acknowledged, {journal.floor} is left"
        assert name in (*journal.good, journal.target), f"{name} was acknowledged and is forgotten"
    check_whole(root, {"", *_RELEASES})
    settle_now(root)
    check_settled(root, {"", *_RELEASES})
    return len(acks)


def test_after_a_power_cut_the_device_has_all_that_it_acknowledged(disk, soak, count):
    """Lost: a device, or the word that was given for a release."""
    chance = random.Random(17)
    cuts = 1000 if soak else 12
    with kept():
        acks = sum(one_cut(disk, chance) for _ in range(cuts))
    count("power cuts", cuts)
    count("acknowledged commits under power cuts", acks)
    assert acks, "nothing was under way"


def test_without_fsync_the_same_cuts_lose_releases(disk):
    """The check of the check: a disk that forgets must be noticed."""
    chance = random.Random(17)
    with kept():
        assert one_cut(disk, chance) >= 0
        with pytest.raises((AssertionError, DeployError)):
            for _ in range(12):
                one_cut(disk, chance, sync=False)
