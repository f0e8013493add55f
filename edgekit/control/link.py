"""The way to a device: run device code there, move files there and back.

`LocalLink` is the device that is this machine. Others will speak the same protocol over SSH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

from edgekit.core.progress import OnProgress
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import DeviceError, UsageError, error_from_dict
from edgekit.files import replacing

if TYPE_CHECKING:
    from edgekit.control.inventory import Device
    from edgekit.control.project import Project

T = TypeVar("T")

# (exit code, last lines of standard error) -> the error they mean, None if they mean nothing special.
Explain = Callable[[int, Sequence[str]], DeviceError | None]

PACKAGE = Path(__file__).resolve().parents[1]  # the folder edgekit itself


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody wants to see."""


class Link(Protocol):
    """A connected device."""

    device: str
    root: str  # the device folder: /opt/edgekit on a Jetson

    def call(self, verb: str, request: Any, answer: type[T], on_progress: OnProgress = silent) -> T:
        """Run a verb of edgekit.runtime there. Re-raises the error that it ends with."""

    def send(self, local: Path, remote: str) -> None:
        """Copy a file to the device; it appears under its name only when whole."""

    def fetch(self, remote: str, local: Path) -> None:
        """Copy a file from the device."""

    def place(self, local: Path) -> str:
        """Make a local file or folder readable there for the next calls, and say where it is."""


class LocalLink:
    """This machine as a device: a child process for each verb, plain copies for files.

    python: the interpreter for device code, a name or path, where TensorRT belongs to another Python than this one.
    A script that sets up an environment and then becomes that Python will do.
    """

    def __init__(self, device: str, root: Path, python: str | None = None) -> None:
        self.device = device
        self.root = str(root)
        self._python = python

    def call(self, verb: str, request: Any, answer: type[T], on_progress: OnProgress = silent) -> T:
        if self._python is None:
            python, code = sys.executable, PACKAGE.parent
        else:
            python, code = _find_python(self.device, self._python), _code_alone(Path(self.root))
        command = [python, "-m", "edgekit.runtime", verb, "-"]
        return run_verb(
            command, verb, request, answer, on_progress, environment=_environment(code), explain=self._explain
        )

    def _explain(self, code: int, last_lines: Sequence[str]) -> DeviceError | None:
        """Another program than Python ends well and answers nothing."""
        if self._python is None or code != 0:
            return None
        return DeviceError(
            f"{self._python!r} did not run device code",
            why="\n".join([f"devices.yaml names it as the Python of {self.device}", *last_lines]),
            hint=_correct_python(self.device),
        )

    def send(self, local: Path, remote: str) -> None:
        with replacing(remote) as temporary:
            shutil.copyfile(local, temporary)

    def fetch(self, remote: str, local: Path) -> None:
        with replacing(local) as temporary:
            shutil.copyfile(remote, temporary)

    def place(self, local: Path) -> str:
        return str(local.resolve())


def work_folder(link: Link) -> tempfile.TemporaryDirectory[str]:
    """A folder on this machine for one conversation's files."""
    base = Path(link.root)
    base.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".work-", dir=base)


def run_verb(
    command: Sequence[str],
    verb: str,
    request: Any,
    answer: type[T],
    on_progress: OnProgress,
    *,
    environment: Mapping[str, str],
    explain: Explain = lambda code, last_lines: None,
) -> T:
    """Run device code as a child process, hand it a request and read its answer.

    explain: what an exit code without an answer means, if it is not the verb's own. Raises the error that the verb
    ends with, DeviceError if it ends without an answer.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    try:
        return _converse(process, verb, to_wire(request), answer, on_progress, explain)
    except BaseException:
        _end(process)
        raise


def _find_python(device: str, python: str) -> str:
    found = shutil.which(Path(python).expanduser())
    if found is None:
        there = Path(python).expanduser().exists()
        raise DeviceError(
            f"{python!r} is no program that can be run" if there else f"there is no program {python!r} on this machine",
            why=f"devices.yaml names it as the Python of {device}",
            hint=_correct_python(device),
        )
    return str(found)


def _correct_python(device: str) -> str:
    return f"correct python: of {device} in devices.yaml"


def _code_alone(root: Path) -> Path:
    """A folder with nothing but edgekit in it: where it is installed, packages for this Python alone lie beside it."""
    link = root / "code" / PACKAGE.name
    if not (link.is_symlink() and link.resolve() == PACKAGE):
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".{link.name}-{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(PACKAGE)
        os.replace(temporary, link)
    return link.parent


def _environment(code: Path) -> dict[str, str]:
    """The child finds this very edgekit, also where it is a checkout that is not installed."""
    path = os.pathsep.join(part for part in (str(code), os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _converse(
    process: subprocess.Popen[bytes],
    verb: str,
    request: Any,
    answer: type[T],
    on_progress: OnProgress,
    explain: Explain,
) -> T:
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    tail: deque[str] = deque(maxlen=20)
    reader = Thread(target=_keep_tail, args=(process.stderr, tail), daemon=True)
    reader.start()
    with suppress(BrokenPipeError):  # it died at once; its exit code and last words tell why
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
    last = _read_events(process.stdout, on_progress)
    code = process.wait()
    reader.join(2.0)
    process.stdout.close()
    if last.get("event") == "result":
        return from_wire(answer, last["result"], f"the answer of {verb}")
    if last.get("event") == "error":
        raise error_from_dict(last["error"])
    raise explain(code, list(tail)[-6:]) or _broken_off(verb, code, list(tail))


def _read_events(stream: IO[bytes], on_progress: OnProgress) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for line in stream:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a library printed to standard output; events are whole JSON lines
        if isinstance(event, dict) and event.get("event") == "progress":
            on_progress(str(event["what"]), int(event["done"]), int(event["total"]))
        elif isinstance(event, dict) and "event" in event:
            last = event
    return last


def _keep_tail(stream: IO[bytes], tail: deque[str]) -> None:
    with stream:
        for line in stream:
            tail.append(line.decode("utf-8", "replace").rstrip())


def _broken_off(verb: str, code: int, tail: list[str]) -> DeviceError:
    if code in (-9, 137):
        return DeviceError(
            f"`{verb}` was killed on the device",
            why="most often the device ran out of memory",
            hint="close other programs there, or add swap, then run the same command again",
        )
    return DeviceError(f"`{verb}` ended with code {code} and no answer", why="\n".join(tail[-6:]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the child to clean up, then insist."""
    for end in (process.terminate, process.kill):
        if process.poll() is not None:
            break
        end()
        try:
            process.wait(8.0)
        except subprocess.TimeoutExpired:
            continue
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def engines_dir(link: Link) -> str:
    """The folder of engines on a device."""
    return f"{link.root}/engines"


def engine_dir(link: Link, engine_id: str) -> str:
    """Where an engine lies on a device."""
    return f"{engines_dir(link)}/{engine_id}"


def place_pictures(link: Link, pictures: Sequence[Path], folder: Path) -> str:
    """Gather pictures in a new folder, make it readable on the device, and say where it is there."""
    folder.mkdir()
    for path in pictures:
        shutil.copyfile(path, folder / path.name)
    return link.place(folder)


def link_to(project: Project, device: Device) -> Link:
    """The way to a device of the inventory. Raises UsageError for kinds this version cannot reach."""
    return connect(device.name, device.kind, project.device_root(device.name), device.python)


def connect(device: str, kind: str, root: Path, python: str | None = None) -> Link:
    """The way to a device of that kind whose folder is `root`. Raises UsageError as `link_to` does.

    python: the entry's own `python`, for device code of a device that is this machine.
    """
    if kind == "local":
        return LocalLink(device, root, python)
    raise UsageError(
        f"{device} is a {kind}, and this version of edgekit works with the local device only",
        why="deploying over SSH is not part of it yet",
        hint="use --device local",
    )
