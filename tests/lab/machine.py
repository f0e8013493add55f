"""What the lab asks of the machine it runs on: commands, mounts, cgroups; and why no device can boot here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

# command: Debian's package that brings it
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "zstd": "zstd",
    "nft": "nftables",
    "ip": "iproute2",
    "tc": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "nsenter": "util-linux",
    "ssh-keygen": "openssh-client",
}
_KERNEL_FLOOR = (5, 14)  # cgroup.kill


class LabError(Exception):
    """What was asked for cannot be done; the message says why."""


def run(*command: str | Path, input: str | None = None, check: bool = True) -> str:
    """What a command printed on both streams. Raises LabError with it where the command fails and `check` is set."""
    argv = [str(part) for part in command]
    done = subprocess.run(
        argv,
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stdout.strip() or f'exit status {done.returncode}'}")
    return done.stdout


def mounts() -> list[tuple[str, str]]:
    """Every mount point of this name space with the device below it ("7:3" for a loop device), oldest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [(fields[4].replace("\\040", " "), fields[2]) for fields in map(str.split, lines)]


def is_mounted(path: Path) -> bool:
    """Whether something is mounted just there."""
    return any(where == os.path.realpath(path) for where, _ in mounts())


def unmount(path: Path) -> None:
    """Unmount, waiting up to 10 s for whoever is still letting go of it."""

    def gone() -> bool:
        run("umount", path, check=False)
        return not is_mounted(path)

    if is_mounted(path):
        wait_until(gone, 10, f"cannot unmount {path}")


def cgroup_roots() -> list[Path]:
    """Where the cgroup2 tree and, on a hybrid machine, systemd's own tree are mounted. Empty: no cgroup2."""
    rows = [line.split()[1:4] for line in Path("/proc/self/mounts").read_text().splitlines()]
    unified = [Path(where) for where, kind, _ in rows if kind == "cgroup2"]
    systemd = [Path(where) for where, kind, opts in rows if kind == "cgroup" and "name=systemd" in opts.split(",")]
    return unified[:1] + systemd[:1] if unified else []


def packages() -> list[str]:
    """The packages of Debian that bring what is needed."""
    return sorted(set(TOOLS.values()))


def lacking() -> list[str]:
    """The reasons why no device can be booted here; empty where one can."""
    if os.geteuid() != 0:
        return ["this is not root, which mounts and name spaces need"]
    return [*_lacking_tools(), *_lacking_kernel()]


def _lacking_tools() -> Iterable[str]:
    missing = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if missing:
        yield f"packages are missing: {' '.join(missing)} (make lab-packages installs them)"


def _lacking_kernel() -> Iterable[str]:
    release = os.uname().release
    if tuple(map(int, re.findall(r"\d+", release)[:2])) < _KERNEL_FLOOR:
        yield f"Linux {release} is older than 5.14"
    known = Path("/proc/filesystems").read_text().split()
    yield from (f"the kernel has no {kind}" for kind in ("overlay", "ext4", "cgroup2") if kind not in known)
    if not cgroup_roots():
        yield "no cgroup2 is mounted"
    if not Path("/dev/loop-control").exists():
        yield "there are no loop devices (a container without --privileged?)"
    if not Path("/proc/self/ns/time").exists():
        yield "the kernel has no time name spaces"


def wait_until(done: Callable[[], bool], limit_s: float, failure: str) -> None:
    """Ask `done` until it holds. Raises LabError(failure) after limit_s."""
    deadline = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline:
            raise LabError(f"{failure} ({limit_s:.0f} s)")
        time.sleep(0.02)
