"""This machine as a device: a child process for each verb, plain copies for files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any, TypeVar

from edgekit.control.blobs import chunks_of, size_of
from edgekit.control.conversation import Explain, conclude, read_events
from edgekit.control.link import PACKAGE, check_plain, oversize, silent
from edgekit.core.deployment import Blob, MissingAnswer, MissingRequest
from edgekit.core.progress import OnProgress
from edgekit.core.wire import to_wire
from edgekit.errors import DeviceError
from edgekit.files import replacing, write_bytes

T = TypeVar("T")


class LocalLink:
    """The device that is this machine. Its folder stands for /opt/edgekit.

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

    def deliver(self, files: Mapping[str, Path | bytes], on_progress: OnProgress = silent) -> None:
        blobs = tuple(Blob(sha256, size_of(content)) for sha256, content in files.items())
        missing = self.call("missing", MissingRequest(self.root, blobs), MissingAnswer)
        incoming = Path(self.root) / "incoming"
        for done, sha256 in enumerate(missing.offsets):
            on_progress("send files", done, len(missing.offsets))
            _deliver(files[sha256], sha256, incoming)

    def place(self, local: Path) -> str:
        return str(local.resolve())

    def fetch(self, remote: str, local: Path) -> None:
        if Path(remote).is_dir():
            shutil.copytree(remote, local, dirs_exist_ok=True)
            return
        with replacing(local) as temporary:
            shutil.copyfile(remote, temporary)

    def fetch_files(self, remote: str, sizes: Mapping[str, int], local: Path) -> None:
        check_plain(sizes)
        for name, most in sizes.items():
            content = _read_limited(Path(remote) / name, most)
            if content is not None:
                write_bytes(local / name, content)

    def work_folder(self) -> AbstractContextManager[str]:
        base = Path(self.root)
        base.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".work-", dir=base)

    def close(self) -> None:
        """Nothing to do."""

    def _explain(self, code: int, last_lines: Sequence[str]) -> DeviceError | None:
        """Another program than Python ends well and answers nothing."""
        if self._python is None or code != 0:
            return None
        return DeviceError(
            f"{self._python!r} did not run device code",
            why="\n".join([f"devices.yaml names it as the Python of {self.device}", *last_lines]),
            hint=_correct_python(self.device),
        )


def run_verb(
    command: Sequence[str],
    verb: str,
    request: Any,
    answer: type[T],
    on_progress: OnProgress,
    *,
    environment: Mapping[str, str],
    explain: Explain | None = None,
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


def _deliver(content: Path | bytes, sha256: str, incoming: Path) -> None:
    """Copy a file to incoming/<sha256>, by way of <sha256>.part. Raises DeviceError if its digest is another."""
    incoming.mkdir(parents=True, exist_ok=True)
    part = incoming / f"{sha256}.part"
    digest = hashlib.sha256()
    with part.open("wb") as target:
        for chunk in chunks_of(content):
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    if digest.hexdigest() != sha256:
        part.unlink()
        raise DeviceError(f"{content if isinstance(content, Path) else sha256} changed while it was sent")
    os.replace(part, incoming / sha256)


def _read_limited(path: Path, most: int) -> bytes | None:
    """A file's content, None if there is none. Raises OversizeError, DeviceError if it cannot be read."""
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DeviceError(f"{path} is no file")
            if status.st_size > most:
                raise oversize(path.name, status.st_size, most)
            return stream.read(status.st_size)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DeviceError(f"{path} cannot be read", why=str(error.strerror)) from None


def _open_at_once(path: str, flags: int) -> int:
    """Opening a pipe would wait for its writer."""
    return os.open(path, flags | os.O_NONBLOCK)


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
    explain: Explain | None,
) -> T:
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    tail: deque[str] = deque(maxlen=20)
    reader = Thread(target=_keep_tail, args=(process.stderr, tail), daemon=True)
    reader.start()
    with suppress(BrokenPipeError):  # it died at once; its exit code and last words tell why
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
    last = read_events(process.stdout, on_progress)
    code = process.wait()
    reader.join(2.0)
    process.stdout.close()
    return conclude(last, answer, verb, code, list(tail), explain)


def _keep_tail(stream: IO[bytes], tail: deque[str]) -> None:
    with stream:
        for line in stream:
            tail.append(line.decode("utf-8", "replace").rstrip())


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
