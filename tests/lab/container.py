"""A device's processes: a systemd-nspawn container in cgroups of its own, from its PID 1 to the last of them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.machine import cgroup_roots, run, wait_until

_START = Path(__file__).parent / "start.sh"
_ENVIRONMENT = (
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",  # cgroup2 alone, also where this machine has both
    "SYSTEMD_NSPAWN_TMPFS_TMP=0",  # /tmp is on the disk, as on a Jetson
    "SYSTEMD_LOG_LEVEL=notice",
)
_OPTIONS = (
    "--quiet",
    "--boot",
    "--register=no",  # there need not be a systemd on this machine
    "--keep-unit",
    "--console=pipe",
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--kill-signal=SIGRTMIN+3",
    # With these systemd can enforce DeviceAllow= and IPAddressDeny= of units.
    "--capability=CAP_NET_ADMIN,CAP_BPF,CAP_PERFMON",
    "--system-call-filter=bpf",
)
# Into a cgroup of the device first, so that it stands still and dies with it; nsenter -C is about the view alone.
_JOIN = ("sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"')
# Every name space of the device, its root and its working directory; no variable of this process.
_ENTER = ("-m", "-u", "-i", "-n", "-p", "-C", "-T", "-r", "-w", "env", "-i")
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LEFT_BY_NSPAWN = Path("/run/systemd/nspawn/propagate")


def lab_cgroups(lab: str) -> list[Path]:
    """The cgroups that hold all devices of a lab: cgroup2's first."""
    return [root / "edgekit-lab" / lab for root in cgroup_roots()]


@dataclass(frozen=True)
class Container:
    """The container of one device."""

    lab: str
    device: str
    root: Path
    network: str

    @property
    def machine(self) -> str:
        """Its name for nspawn."""
        return f"{self.lab}.{self.device}"

    @property
    def cgroups(self) -> list[Path]:
        """The cgroups that hold all its processes: cgroup2's first."""
        return [top / self.device for top in lab_cgroups(self.lab)]

    @property
    def is_on(self) -> bool:
        """Whether any process of it lives."""
        return "populated 1" in self._events()

    def _events(self) -> str:
        try:
            return (self.cgroups[0] / "cgroup.events").read_text()
        except OSError:
            return ""

    def start(self, log_path: Path) -> None:
        """Start it, and return at once. What its console says is appended to the log."""
        command = ["systemd-nspawn", *_OPTIONS, f"--directory={self.root}"]
        command += [f"--machine={self.machine}", f"--hostname={self.device}"]
        groups = " ".join(map(str, self.cgroups))
        start = ["setsid", "--fork", "env", *_ENVIRONMENT, "sh", str(_START), groups, f"/run/netns/{self.network}"]
        with open(log_path, "ab") as log:
            subprocess.run([*start, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=True)

    def first_pid(self) -> int | None:
        """Its PID 1, by this machine's number; None while it is off."""
        for path in (self.cgroups[0] / "payload" / name for name in ("init.scope/cgroup.procs", "cgroup.procs")):
            for pid in _words(path):
                if re.search(r"^NSpid:.*\t1$", "\n".join(_lines(Path("/proc", pid, "status"))), re.MULTILINE):
                    return int(pid)
        return None

    def inside(self, pid: int, command: list[str], terminal: str = "dumb") -> list[str]:
        """The command of this machine that runs `command` in it as root. pid: its PID 1."""
        group = self.cgroups[0] / "entered"
        group.mkdir(exist_ok=True)
        settings = ["HOME=/root", "USER=root", "LANG=C.UTF-8", f"TERM={terminal}", _PATH]
        return [*_JOIN, str(group), "nsenter", "-t", str(pid), *_ENTER, *settings, *command]

    def kill(self) -> None:
        """All its processes at once, with nothing told and nothing flushed."""
        kill_cgroup(self.cgroups[0])

    def freeze(self) -> None:
        """Stop all its processes where they are."""
        (self.cgroups[0] / "cgroup.freeze").write_text("1")
        wait_until(lambda: "frozen 1" in self._events(), 10, f"{self.machine} does not stand still")

    def thaw(self) -> None:
        """Let them go on."""
        (self.cgroups[0] / "cgroup.freeze").write_text("0")

    def tidy(self) -> None:
        """Remove what it leaves behind on this machine. It must be off."""
        for top in self.cgroups:
            remove_cgroup(top)
        forget(self.machine)


def kill_cgroup(path: Path) -> None:
    """Kill every process in it and below; fine where there is none."""
    if (path / "cgroup.kill").exists():
        (path / "cgroup.kill").write_text("1")
        events = path / "cgroup.events"
        wait_until(lambda: "populated 0" in events.read_text(), 20, f"the processes in {path} do not die")


def remove_cgroup(path: Path) -> None:
    """Remove an empty cgroup and those below; fine where there is none."""
    for folder, _, _ in os.walk(path, topdown=False):
        Path(folder).rmdir()


def forget(machine: str) -> None:
    """Remove nspawn's folder for this machine, a pattern; it stays when nspawn is killed."""
    for left in _LEFT_BY_NSPAWN.glob(machine):
        run("rmdir", left)


def _words(path: Path) -> list[str]:
    return [word for line in _lines(path) for word in line.split()]


def _lines(path: Path) -> list[str]:
    """The lines of a file that may vanish any moment; none if it has."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
