"""A device that is reached over SSH. One connection for everything, opened at the first call."""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgekit import bootstrap
from edgekit.control.blobs import size_of
from edgekit.control.conversation import broken_off, conclude, read_events
from edgekit.control.device_code import this_code
from edgekit.control.inventory import Device
from edgekit.control.link import DEVICE_ROOT, check_plain, silent
from edgekit.control.ssh.files import (
    bytes_to_come,
    code_frames,
    listed_files,
    object_frames,
    unpack,
)
from edgekit.control.ssh.remote_command import MARK, NO_CODE, NO_PYTHON, explain_exit, script_command, verb_command
from edgekit.control.ssh.sudo import SUDO_CHECK, explain_sudo, sudo_words
from edgekit.core.deployment import Blob, MissingAnswer, MissingRequest, PlaceAnswer, PlaceRequest
from edgekit.core.progress import OnProgress
from edgekit.core.release import ReleaseFile
from edgekit.core.wire import to_wire
from edgekit.errors import DeviceError
from edgekit.files import sha256_file

if TYPE_CHECKING:
    from paramiko import Transport

    from edgekit.control.ssh.process import Heartbeat, RemoteProcess

T = TypeVar("T")

_SCRIPT_LIMIT_S = 600.0
_VERB_LIMIT_S = 300.0
_LONG_VERBS = ("bench", "build", "detect", "golden", "inspect", "predict", "settle")  # they tell of their progress
_DELIVERIES = 3  # a file that arrives damaged is sent again; the third time, the fault is another
_MAKE_FOLDER = (
    "import json,os,sys,tempfile;root=json.loads(sys.argv[1]);"
    f"os.path.isdir(root) or sys.exit({NO_PYTHON});"  # no such folder: nothing was ever provisioned there
    "print(tempfile.mkdtemp(prefix='.work-',dir=root))"
)
_REMOVE_FOLDER = "import json,shutil,sys;shutil.rmtree(json.loads(sys.argv[1]),ignore_errors=True)"


@dataclass(frozen=True)
class _Received:
    damaged: tuple[str, ...]


class SSHLink:
    """A Jetson of the inventory, or a virtual one.

    known_hosts: the host keys that are trusted, see host_keys.py. For one thread at a time. After a lost connection the
    next call opens a new one.
    """

    def __init__(self, device: Device, known_hosts: Path, root: str = DEVICE_ROOT) -> None:
        self.device = device.name
        self.root = root
        self._entry = device
        self._known_hosts = known_hosts
        self._connection: Any = None
        self._socket: Any = None
        self._heartbeat: Heartbeat | None = None
        self._sudo_is_free: bool | None = None

    @property
    def python(self) -> str:
        """The interpreter of device code there."""
        return f"{self.root}/venv/bin/python"

    @property
    def code(self) -> str:
        """The folder there that holds this edgekit's device code, once it was sent."""
        return f"{self.root}/code/{this_code().digest}"

    def call(self, verb: str, request: Any, answer: type[T], on_progress: OnProgress = silent) -> T:
        backend = self._entry.backend
        environment = [] if backend == "auto" else [f"EDGEKIT_BACKEND={backend}"]
        command = verb_command(self.code, self.python, verb, environment)
        stdin = json.dumps(to_wire(request)).encode()
        limit_s = None if verb in _LONG_VERBS else _VERB_LIMIT_S
        last, code, tail = self._converse(command, stdin, on_progress, limit_s)
        if code == NO_CODE and not last:
            self.send_code(on_progress)
            last, code, tail = self._converse(command, stdin, on_progress, limit_s)
        return conclude(last, answer, verb, code, tail, self._explain)

    def send_code(self, on_progress: OnProgress = silent) -> str:
        """Bring this edgekit's device code to the device, as a call does when it is missing; where it is there."""
        code = this_code()
        self._receive(code.digest, code.total_bytes, code_frames(code), on_progress)
        return self.code

    def deliver(self, files: Mapping[str, Path | bytes], on_progress: OnProgress = silent) -> None:
        blobs = tuple(Blob(sha256, size_of(content)) for sha256, content in files.items())
        damaged: list[str] = []
        for _ in range(_DELIVERIES):
            missing = self.call("missing", MissingRequest(self.root, blobs), MissingAnswer).offsets
            if not missing:
                return
            damaged = self._receive("", bytes_to_come(files, missing), object_frames(files, missing), on_progress)
            if not damaged:
                return
        raise DeviceError(
            f"{len(damaged)} files arrived damaged at {self.device}, {_DELIVERIES} times",
            why=f"such as the one with SHA-256 {damaged[0]}",
            hint="did a file change meanwhile? Else the device's disk or network is at fault",
        )

    def place(self, local: Path) -> str:
        found = listed_files(local.resolve())
        listed = [ReleaseFile(name, path.stat().st_size, sha256_file(path)) for name, path in found.items()]
        self.deliver({file.sha256: found[file.path] for file in listed})
        folder = self.call("place", PlaceRequest(self.root, tuple(listed)), PlaceAnswer).folder
        return posixpath.join(folder, listed[0].path) if local.is_file() else folder

    def fetch(self, remote: str, local: Path) -> None:
        self._send({"path": remote}, local, None)

    def fetch_files(self, remote: str, sizes: Mapping[str, int], local: Path) -> None:
        check_plain(sizes)
        self._send({"path": remote, "names": list(sizes)}, local, sizes)

    @contextlib.contextmanager
    def work_folder(self) -> Iterator[str]:
        folder = self.run_script(_MAKE_FOLDER, self.root).strip()
        try:
            yield folder
        finally:
            with contextlib.suppress(DeviceError):  # gc removes it later
                self.run_script(_REMOVE_FOLDER, folder)

    def run_script(
        self,
        source: str,
        argument: object = None,
        *,
        python: str = "python3",
        stdin: bytes | Iterable[bytes] = b"",
        as_root: bool = False,
        sudo_password: str | None = None,
        limit_s: float = _SCRIPT_LIMIT_S,
    ) -> str:
        """Run a self-contained script and give what it writes to standard output.

        It finds `argument` as JSON in sys.argv[1], which everyone on the device can see while it runs. as_root: through
        sudo, whose password goes to its standard input. Raises DeviceError if the script fails, if it takes longer than
        limit_s, or if sudo does not let us.
        """
        sudo, password = self._sudo(sudo_password) if as_root else ((), b"")
        command = script_command("script.py", source, argument, python=python, sudo=sudo)
        process = self._start(command, _joined(password, stdin), limit_s)
        output: bytes = self._ending(process, lambda: b"".join(process.chunks()))
        code, tail = process.wait(), list(process.tail)
        _, mark, text = output.partition(MARK)
        if as_root and not mark:
            raise explain_sudo(self.device, self._entry.user, code, tail)
        if code != 0 or not mark:
            raise self._explain(code, tail) or broken_off("a script", code, tail)
        return text.decode("utf-8", "replace")

    def forward(self, port: int, local_port: int = 0) -> AbstractContextManager[int]:
        """A port of this machine that leads to that port of the device's loopback, meanwhile; its number."""
        from edgekit.control.ssh.forward import forwarded

        return forwarded(self._transport(), self.device, port, local_port)

    def close(self) -> None:
        if self._heartbeat:
            self._heartbeat.stop()
        if self._connection is not None:
            from edgekit.control.ssh.connection import disconnect

            disconnect(self._connection)
        self._connection = self._heartbeat = None

    def _transport(self) -> Transport:
        """The connection, opened if there is none or if it was lost."""
        from edgekit.control.ssh.connection import connect
        from edgekit.control.ssh.process import Heartbeat

        if self._connection is None or not self._connection.is_connected:
            self.close()
            self._connection, self._socket = connect(self._entry, self._known_hosts)
            self._heartbeat = Heartbeat(self._connection.transport, lambda: self._socket.silent_s)
            self._heartbeat.start()
        transport: Transport = self._connection.transport
        return transport

    def _start(self, command: str, stdin: bytes | Iterable[bytes], limit_s: float | None = None) -> RemoteProcess:
        from edgekit.control.ssh.process import RemoteProcess

        transport = self._transport()
        return RemoteProcess(
            transport, command, stdin, device=self.device, silent_s=lambda: self._socket.silent_s, limit_s=limit_s
        )

    def _script(self, name: str, argument: object, stdin: bytes | Iterable[bytes] = b"") -> RemoteProcess:
        return self._start(script_command(f"{name}.py", bootstrap.source(name), argument, python="python3"), stdin)

    def _converse(
        self, command: str, stdin: bytes, on_progress: OnProgress, limit_s: float | None
    ) -> tuple[dict[str, Any], int, list[str]]:
        process = self._start(command, stdin, limit_s)
        last = self._ending(process, lambda: read_events(process.lines(), on_progress))
        return last, process.wait(), list(process.tail)

    def _send(self, argument: Mapping[str, Any], local: Path, sizes: Mapping[str, int] | None) -> None:
        """Let the device send files."""
        process = self._script("send", argument)
        whole = self._ending(process, lambda: unpack(process.chunks(), local, sizes))
        if process.wait() != 0 or not whole:
            raise DeviceError(f"{argument['path']} of {self.device} cannot be read", why="\n".join(process.tail))

    def _receive(self, code: str, total: int, frames: Iterable[bytes], on_progress: OnProgress) -> list[str]:
        """Send files; those that must be sent again."""
        process = self._script("receive", {"root": self.root, "code": code, "total": total}, frames)
        last = self._ending(process, lambda: read_events(process.lines(), on_progress))
        exit_code = process.wait()
        return list(conclude(last, _Received, "receive", exit_code, list(process.tail), self._explain).damaged)

    def _ending(self, process: RemoteProcess, read: Any) -> Any:
        """Read a process to its end; whatever interrupts that ends the process too."""
        try:
            return read()
        except BaseException:
            process.end()
            raise

    def _explain(self, code: int, tail: Any) -> DeviceError | None:
        return explain_exit(self.device, code, tail, self.python)

    def _sudo(self, password: str | None) -> tuple[tuple[str, ...], bytes]:
        """The words in front of a command for root, and what to write first. Asked once whether it takes a password."""
        if self._sudo_is_free is None:
            process = self._start(SUDO_CHECK, b"")
            self._ending(process, lambda: list(process.chunks()))
            self._sudo_is_free = process.wait() == 0
        return sudo_words(self.device, self._sudo_is_free, password)


def _joined(first: bytes, rest: bytes | Iterable[bytes]) -> bytes | Iterable[bytes]:
    if isinstance(rest, bytes):
        return first + rest
    return (piece for part in ([first], rest) for piece in part)
