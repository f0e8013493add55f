"""One virtual Jetson: a booted systemd with sshd on a disk and a network of its own, and what can befall it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.lab.base import PASSWORD, USER
from tests.lab.container import Container
from tests.lab.disk import Disk
from tests.lab.machine import LabError, run, wait_until
from tests.lab.network import Cable
from tests.lab.place import Place

_RECORD = "device.json"
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")  # a device takes about seven of them
_INOTIFY_ENOUGH = 1024


@dataclass
class Record:
    """What is kept of a device in its folder. layers: topmost first; host_key: "ssh-ed25519 AAAA..."."""

    board: str
    address: str
    layers: list[str]
    host_key: str = ""
    is_cut: bool = False
    rate_mbit: float | None = None
    loss_pct: float = 0.0


@dataclass
class VirtualJetson:
    """A device of a lab. Methods raise LabError where they fail; all of them return when the thing has happened."""

    place: Place
    name: str
    record: Record
    user: str = field(default=USER, init=False)
    password: str = field(default=PASSWORD, init=False)
    port: int = field(default=22, init=False)

    @classmethod
    def load(cls, place: Place, name: str) -> VirtualJetson:
        """The device of that name. Raises LabError if the lab has none."""
        path = place.folder / name / _RECORD
        if not path.exists():
            raise LabError(f"there is no device {name!r} in the lab {place.lab!r}")
        return cls(place, name, Record(**json.loads(path.read_text())))

    def save(self) -> None:
        """Keep the record."""
        path = self.folder / _RECORD
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self.record), indent=1) + "\n")
        os.replace(new, path)

    @property
    def folder(self) -> Path:
        """Its things on this machine."""
        return self.place.folder / self.name

    @property
    def address(self) -> str:
        """Its IP address, to be reached from the operator's side."""
        return self.record.address

    @property
    def key_path(self) -> Path:
        """The private key that lets `user` in."""
        return self.place.key_path

    @property
    def host_key(self) -> str:
        """Its public host key, as in a known_hosts file."""
        return self.record.host_key

    @property
    def host_key_fingerprint(self) -> str:
        """As ssh-keygen -l prints it: "SHA256:..."."""
        digest = hashlib.sha256(base64.b64decode(self.host_key.split()[1])).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def disk(self) -> Disk:
        """Its disk."""
        return Disk(self.folder / "disk.img", self.folder / "disk", self.folder / "root")

    @property
    def cable(self) -> Cable:
        """Its cable."""
        return Cable(self.place.lab, self.name, self.address)

    @property
    def container(self) -> Container:
        """Its processes."""
        return Container(self.place.lab, self.name, self.disk.root, self.cable.namespace)

    # Power

    @property
    def is_on(self) -> bool:
        """Whether any process of it lives."""
        return self.container.is_on

    def power_on(self) -> None:
        """Boot, until systemd says that all is up (0.4 s). Cut or slow links stay so."""
        if self.is_on:
            raise LabError(f"{self.name} is on already")
        self.container.tidy()
        self.disk.mount([Path(layer) for layer in self.record.layers])
        self.cable.lay()
        self._set_cable()
        if int(_INOTIFY.read_text()) < _INOTIFY_ENOUGH:
            _INOTIFY.write_text(str(_INOTIFY_ENOUGH))
        self.container.start(self._console)
        self._wait_until_up(before=None)

    def power_loss(self) -> None:
        """Every process dies at once, nobody says goodbye, and what the disk had not been given is lost."""
        self._kill()
        kept = self.folder / "disk.kept"
        self.disk.copy_to(kept)
        self.disk.unmount()
        os.replace(kept, self.disk.image)

    def power_off(self) -> None:
        """Shut down in order."""
        self.run(["systemctl", "poweroff"], check=False)
        wait_until(lambda: not self.is_on, 30, f"{self.name} is still on")
        self.cable.take_away()
        self.disk.unmount()

    def reboot(self) -> None:
        """Restart in order, until all is up again."""
        before = self.container.first_pid()
        self.run(["systemctl", "reboot"], check=False)
        self._wait_until_up(before)

    def discard(self) -> None:
        """Throw it away with its disk."""
        self._kill()
        self.disk.unmount()
        self.container.tidy()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _kill(self) -> None:
        """All its processes. The cable first, or the kernel would close its connections in order."""
        self.cable.pull()
        self.container.kill()
        self.cable.take_away()

    @property
    def _console(self) -> Path:
        return self.folder / "console.log"

    def _wait_until_up(self, before: int | None) -> None:
        """Until another PID 1 than `before` says so."""
        started = time.monotonic()

        def is_up() -> bool:
            if self.container.first_pid() in (None, before):
                if time.monotonic() - started > 10 and not self.is_on:
                    raise LabError(f"{self.name} did not boot; see {self._console}")
                return False
            said = self.run(["systemctl", "is-system-running"], check=False).stdout.strip()
            return said in ("running", "degraded")

        wait_until(is_up, 60, f"{self.name} does not come up; see {self._console}")

    # Network

    def cut(self) -> None:
        """Pull the network cable."""
        self.record.is_cut = True
        self._save_cable()

    def slow(self, rate_mbit: float | None = None, loss_pct: float = 0.0) -> None:
        """Limit the link to rate_mbit (Mbit/s) and lose loss_pct of its packets, each way."""
        self.record.rate_mbit, self.record.loss_pct = rate_mbit, loss_pct
        self._save_cable()

    def heal(self) -> None:
        """Undo cut and slow."""
        self.record.is_cut, self.record.rate_mbit, self.record.loss_pct = False, None, 0.0
        self._save_cable()

    def _save_cable(self) -> None:
        self.save()
        if self.is_on:
            self._set_cable()

    def _set_cable(self) -> None:
        self.cable.shape(self.record.rate_mbit, self.record.loss_pct)
        if self.record.is_cut:
            self.cable.pull()
        else:
            self.cable.plug_in()

    # Disk

    def fill_disk(self, leave_mib: float = 0.0) -> None:
        """Leave so much room on its disk."""
        self.disk.fill(leave_mib)

    def free_disk(self) -> None:
        """Take away what fill_disk put there."""
        self.disk.free()

    def image_copy(self, path: Path) -> None:
        """Save what its disk would hold if the power failed now. A device that is on stands still meanwhile."""
        if not self.is_on:
            self.disk.copy_to(path)
            return
        self.container.freeze()
        try:
            self.disk.copy_to(path)
        finally:
            self.container.thaw()

    def insert_image(self, path: Path) -> None:
        """Put a copy of a saved disk in its place. The device must be off."""
        if self.is_on:
            raise LabError(f"{self.name} is on: a disk is changed while it is off")
        run("cp", "--sparse=auto", path, self.disk.image)

    # Inside

    def run(
        self, command: list[str], input: str | None = None, check: bool = True, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root, past the network. `check`: raises LabError with its output where it fails."""
        done = subprocess.run(
            self.inside(command),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
        if check and done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise LabError(f"{self.name}: {' '.join(command)}: {said or f'exit status {done.returncode}'}")
        return done

    def inside(self, command: list[str], terminal: str = "dumb") -> list[str]:
        """The command of this machine that runs `command` in it as root."""
        pid = self.container.first_pid()
        if pid is None:
            raise LabError(f"{self.name} is off")
        return self.container.inside(pid, command, terminal)

    def write(self, path: str, text: str) -> None:
        """Write a file in it as root, folders included, and see it on the disk."""
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && { sync "$1" 2> /dev/null || :; }'
        self.run(["sh", "-c", script, "sh", path], input=text)

    def read(self, path: str) -> str:
        """The text of a file in it."""
        return self.run(["cat", path]).stdout
