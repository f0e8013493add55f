"""The way to a device: run device code there, move files there and back.

`LocalLink` (local_link.py) is the device that is this machine, `SSHLink` (ssh.py) one that is reached over SSH.
connect.py chooses.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edgekit.core.progress import OnProgress

T = TypeVar("T")

PACKAGE = Path(__file__).resolve().parents[1]  # the folder edgekit itself
DEVICE_ROOT = "/opt/edgekit"  # the device folder of a Jetson


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody wants to see."""


class Link(Protocol):
    """A device that can be asked. It is connected at the first call; `close` ends that."""

    device: str
    root: str  # the device folder: /opt/edgekit on a Jetson

    def call(self, verb: str, request: Any, answer: type[T], on_progress: OnProgress = silent) -> T:
        """Run a verb of edgekit.runtime there. Re-raises the error that it ends with.

        Raises UnreachableError if the device cannot be reached, or not any more.
        """

    def deliver(self, files: Mapping[str, Path | bytes], on_progress: OnProgress = silent) -> None:
        """Bring files, SHA-256 -> content, into incoming/ there; of one that is partly there, the rest."""

    def place(self, local: Path) -> str:
        """Make a file, or a folder of files, readable there for the next calls, and say where it is."""

    def fetch(self, remote: str, local: Path) -> None:
        """Copy a file or a folder of files from the device. A file appears under its name only when whole."""

    def work_folder(self) -> AbstractContextManager[str]:
        """A fresh folder there for one conversation's files, removed at its end."""

    def close(self) -> None:
        """Disconnect. What the device does by itself goes on."""


def engines_dir(link: Link) -> str:
    """The folder of engines on a device."""
    return f"{link.root}/engines"


def engine_dir(link: Link, engine_id: str) -> str:
    """Where an engine lies on a device."""
    return f"{engines_dir(link)}/{engine_id}"


def gathered(pictures: Sequence[Path]) -> AbstractContextManager[str]:
    """A temporary folder of this machine with these pictures in it, under their own names."""
    folder = tempfile.TemporaryDirectory(prefix="edgekit-pictures-")
    for path in pictures:
        shutil.copyfile(path, Path(folder.name) / path.name)
    return folder
