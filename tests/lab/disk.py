"""A device's disk: an ext4 image behind a loop device, holding what the device wrote over its read-only layers."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab.machine import LabError, is_mounted, mounts, run, unmount

_BALLAST = "ballast"


@dataclass(frozen=True)
class Disk:
    """`image` is the disk itself; `upper` shows its file system while the device is on; `root` the device's root."""

    image: Path
    upper: Path
    root: Path

    def make(self, size_mib: int) -> None:
        """An empty disk. Its file is sparse: it takes what is written to it."""
        with open(self.image, "wb") as file:
            file.truncate(size_mib << 20)
        lazy = "lazy_itable_init=1,lazy_journal_init=1"
        run("mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-E", lazy, self.image)

    def mount(self, layers: list[Path]) -> None:
        """Check it as every boot does, and mount the root: the disk over `layers`, topmost first."""
        self.upper.mkdir(exist_ok=True)
        self.root.mkdir(exist_ok=True)
        if not is_mounted(self.upper):
            run("e2fsck", "-p", self.image, check=False)
            run("mount", "-o", "loop,discard,errors=remount-ro", self.image, self.upper)
        for name in ("up", "work"):
            (self.upper / name).mkdir(exist_ok=True)
        if not is_mounted(self.root):
            options = f"lowerdir={':'.join(map(str, layers))},upperdir={self.upper}/up,workdir={self.upper}/work"
            run("mount", "-t", "overlay", "lab", "-o", options, self.root)

    def unmount(self) -> None:
        """Off, with everything written to the image."""
        unmount(self.root)
        unmount(self.upper)

    def sync(self) -> None:
        """Write this disk, and no other."""
        run("sync", "-f", self.upper)

    def copy_to(self, path: Path) -> None:
        """What the disk had been given at one moment, as a power cut leaves it. No process may be writing.

        The kernel may be, late: then the copy would mix two moments, and is made again.
        """
        new = path.with_name(f"{path.name}.new")
        for _ in range(20):
            before = self._written()
            run("cp", "--sparse=auto", self.image, new)
            if self._written() == before:
                os.replace(new, path)
                return
        raise LabError(f"{self.image} is being written to without end")

    def _written(self) -> str:
        """The kernel's counts of writes, once none is under way."""
        statistics = self._statistics()
        if statistics is None:
            return "not mounted"
        while True:
            counts = statistics.read_text().split()
            if counts[8] == "0":
                return " ".join((counts[4], counts[6], counts[11]))  # writes, sectors, discards
            time.sleep(0.001)

    def _statistics(self) -> Path | None:
        device = next((number for where, number in mounts() if where == str(self.upper)), None)
        return Path("/sys/dev/block") / device / "stat" if device else None

    def fill(self, leave_mib: float) -> None:
        """Leave only so much room. A file beside the device's own takes the rest. The device must be on."""
        if not is_mounted(self.upper):
            raise LabError(f"{self.image} is not mounted: only the disk of a device that is on can be filled")
        with open(self.upper / _BALLAST, "ab") as file:
            wanted = _free_bytes(self.upper) - int(leave_mib * 2**20)
            step = wanted
            # The tables of a large file take room as well, so the last steps are small.
            while wanted >= 4096 and step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, min(step, wanted))
                    wanted = _free_bytes(self.upper) - int(leave_mib * 2**20)
                except OSError:
                    step //= 2

    def free(self) -> None:
        """Take away what `fill` put there."""
        (self.upper / _BALLAST).unlink(missing_ok=True)


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
