"""The way to a device: run device code there, move files there and back.

`LocalLink` (local_link.py) is the device that is this machine, `SSHLink` (ssh/link.py) one that is reached over SSH.
connect.py chooses.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError, OversizeError

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

    def fetch_files(self, remote: str, sizes: Mapping[str, int], local: Path) -> None:
        """Copy those of the named files of the folder `remote` that are there into the folder `local`, at one go.

        sizes: name -> bytes at most; some hundred names. A file that is not there is passed over; each of the others
        appears under its name only when whole. Raises OversizeError for a larger file before any of it is written, and
        DeviceError for a name that is not plain, or was not asked for, and for a file that cannot be read; files that
        came before it stay. Raises UnreachableError as `call` does, OSError where `local` cannot be written.
        """

    def work_folder(self) -> AbstractContextManager[str]:
        """A fresh folder there for one conversation's files, removed at its end."""

    def close(self) -> None:
        """Disconnect. What the device does by itself goes on."""


def check_plain(names: Iterable[str]) -> None:
    """Names of files in a folder, and nothing that leads elsewhere. Raises DeviceError, for a device may tell them."""
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise DeviceError(f"{name[:80]!a} is no plain name of a file")


def oversize(name: str, size: int, most: int) -> OversizeError:
    """The error for a file of `size` bytes where at most `most` were expected."""
    return OversizeError(f"{name} has {size} bytes, expected at most {most}")


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
