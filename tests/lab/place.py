"""Where a lab keeps its things: one folder for all labs of this user, one folder and one name space for each lab."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.machine import LabError, run

_NAME = re.compile(r"[a-z][a-z0-9-]{0,11}")


def checked_name(name: str) -> str:
    """The name of a lab or device, if it is one: it becomes part of a network interface's, which has 15 letters."""
    if not _NAME.fullmatch(name):
        raise LabError(f"{name!r} is no name here: a letter, then a-z, 0-9 and -, at most 12 in all")
    return name


@dataclass(frozen=True)
class Place:
    """One lab. Several can be up at once, with the same device names and addresses, and do not see each other."""

    lab: str
    home: Path

    @classmethod
    def from_environment(cls) -> Place:
        """The lab called EDGEKIT_LAB ("lab" by default), below EDGEKIT_LAB_HOME (~/.cache/edgekit-lab by default)."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        home = Path(os.environ.get("EDGEKIT_LAB_HOME") or cache / "edgekit-lab").resolve()
        if not re.fullmatch(r"[\w/.+-]+", str(home)):
            raise LabError(f"mount options cannot hold the path {home}: set EDGEKIT_LAB_HOME to a plainer one")
        return cls(checked_name(os.environ.get("EDGEKIT_LAB", "lab")), home)

    @property
    def folder(self) -> Path:
        """One folder for each device, and the address book."""
        return self.home / "labs" / self.lab

    @property
    def layers(self) -> Path:
        """Read-only parts of root file systems, shared by all labs, each named by a digest of what it is made of."""
        return self.home / "layers"

    @property
    def key_path(self) -> Path:
        """The operator's private key, which every device knows."""
        return self.home / "id_ed25519"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time, over all labs: for whoever changes what they share."""
        self.home.mkdir(parents=True, exist_ok=True)
        with open(self.home / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def session(self) -> Iterator[None]:
        """The lab for one process alone. Raises LabError while another has it."""
        self.home.mkdir(parents=True, exist_ok=True)
        with open(self.home / f"{self.lab}.session", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(
                    f"another session runs in the lab {self.lab!r}; EDGEKIT_LAB=NAME is another lab"
                ) from None
            yield


def make_key(path: Path, comment: str) -> None:
    """A new pair of SSH keys: path and path.pub."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path)


def digest_of(*parts: str | bytes) -> str:
    """Eight letters that change with any part."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.encode() if isinstance(part, str) else part)
        whole.update(b"\0")
    return whole.hexdigest()[:8]
