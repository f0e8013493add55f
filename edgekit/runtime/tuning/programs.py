"""Programs and files of the system, with a limit to how long they may take."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from edgekit.errors import DeviceError

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_LIMIT_S = 30.0
_KILLED_S = 0.2
_SHOWN = 300


@dataclass(frozen=True)
class Ended:
    """How a program ended, and all that it said."""

    code: int
    said: str

    @property
    def last_words(self) -> str:
        """The end of what it said, for a message."""
        return self.said.strip()[-_SHOWN:]


def run(program: Path, *words: str, limit_s: float = _LIMIT_S) -> Ended:
    """Run a program to its end, with nothing to read: a question gets no answer, which is a no.

    It gets a session of its own, so that Ctrl-C in a terminal does not end it half way. Raises DeviceError if it
    cannot be started or takes too long.
    """
    command = [str(program), *words]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": _PATH, "LC_ALL": "C", "HOME": "/root"},
            start_new_session=True,
        )
    except OSError as error:
        raise DeviceError(f"{program} cannot be started: {error.strerror}") from None
    with process:
        try:
            said, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise DeviceError(f"{' '.join(command)} took longer than {limit_s:g} s and was ended") from None
    return Ended(process.returncode, said.decode("utf-8", "replace"))


def read_patiently(paths: Sequence[Path], limit_s: float = 1.0) -> str:
    """The texts of files whose driver may never answer, one after the other; "" if they do not come in time.

    A child reads them. One that hangs in the kernel cannot be ended: it is left there, for waiting would hang us too.
    """
    try:
        process = subprocess.Popen(
            ["/bin/cat", *map(str, paths)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return ""
    try:
        return process.communicate(timeout=limit_s)[0].decode("ascii", "replace")
    except subprocess.TimeoutExpired:
        process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_KILLED_S)
    return ""


def write_value(path: Path, value: str) -> None:
    """Write to a file of the kernel. Raises DeviceError."""
    try:
        with path.open("w", encoding="ascii") as stream:
            stream.write(value)
    except OSError as error:
        raise DeviceError(f"{path} does not take {value!r}: {error.strerror}") from None
