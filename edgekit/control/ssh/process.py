"""A command on a device: an exec channel, its input fed, its output read as it comes, no wait without a limit."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import paramiko

from edgekit.control.conversation import KILLED
from edgekit.control.ssh.connection import BROKEN
from edgekit.errors import DeviceError, UnreachableError

SILENCE_LIMIT_S = 30.0
_HEARTBEAT_S = 10.0
_POLL_S = 1.0
_CHUNK_BYTES = 1 << 16
_AT_ONCE_BYTES = 1 << 15  # fits into the window that every server grants at first
_TAIL_LINES = 20


class Heartbeat(threading.Thread):
    """Asks a quiet device for a sign of life, so that the silence of a cut link can be told from that of long work."""

    def __init__(self, transport: paramiko.Transport, silent_s: Callable[[], float]) -> None:
        super().__init__(name="ssh-heartbeat", daemon=True)
        self._transport = transport
        self._silent_s = silent_s
        self._closed = threading.Event()

    def run(self) -> None:
        """Until the connection ends."""
        while self._transport.is_active() and not self._closed.wait(_HEARTBEAT_S / 4):
            if self._silent_s() >= _HEARTBEAT_S:
                with suppress(*BROKEN):
                    self._transport.global_request("keepalive@openssh.com", wait=True)

    def stop(self) -> None:
        """End soon."""
        self._closed.set()


class RemoteProcess:
    """A command that runs on a device.

    command: one line for the login shell there, quoted by the caller. stdin: what it reads; pieces are taken as fast as
    it reads them. silent_s: for how long nothing came from the device. tail: the last lines of its standard error.
    limit_s: how long it may take. Raises UnreachableError where the link turns out to be cut.
    """

    def __init__(
        self,
        transport: paramiko.Transport,
        command: str,
        stdin: bytes | Iterable[bytes],
        *,
        device: str,
        silent_s: Callable[[], float],
        limit_s: float | None = None,
    ) -> None:
        self._device = device
        self._transport = transport
        self._silent_s = silent_s
        self._limit_s = limit_s
        self._until_s = None if limit_s is None else time.monotonic() + limit_s
        self._errors = bytearray()
        self._fault: BaseException | None = None  # of the source of stdin
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        try:
            self._channel = transport.open_session(timeout=SILENCE_LIMIT_S)
            self._channel.settimeout(_POLL_S)
            self._channel.exec_command(command)
        except BROKEN:
            raise self._lost() from None
        self._feed(stdin)

    def chunks(self) -> Iterator[bytes]:
        """Its standard output as it comes, to the end."""
        ended_s: float | None = None
        while True:
            try:
                piece = self._channel.recv(_CHUNK_BYTES)
            except TimeoutError:
                self._look()
                if self._channel.exit_status_ready():
                    ended_s = ended_s or time.monotonic()
                    if time.monotonic() - ended_s > 2 * _POLL_S:
                        return  # something it started holds its output open
                continue
            self._read_errors()
            if not piece:
                return
            yield piece

    def lines(self) -> Iterator[bytes]:
        """Its standard output, line by line."""
        rest = b""
        for piece in self.chunks():
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def wait(self) -> int:
        """Its exit code, after its output was read to the end; KILLED if it ended by a signal."""
        while not self._channel.status_event.wait(_POLL_S):
            self._look()
        self._read_errors()
        code = self._channel.recv_exit_status()
        alive = self._transport.is_active()
        self._channel.close()
        if self._fault is not None:
            raise self._fault
        if code == -1 and not alive:
            raise self._lost()
        return KILLED if code == -1 else code

    def end(self) -> None:
        """Ask it to end, as Ctrl-C does where it runs, and read no more of it."""
        with suppress(*BROKEN):  # the link may be gone, and the channel with it
            if not self._channel.closed and not self._channel.exit_status_ready():
                self._signal("TERM")
            self._channel.close()

    def _signal(self, name: str) -> None:
        """Source: RFC 4254, 6.9. OpenSSH heeds it from 7.9 on; older ones end the process when it next writes."""
        message = paramiko.Message()
        message.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
        message.add_int(self._channel.remote_chanid)
        message.add_string("signal")
        message.add_boolean(False)
        message.add_string(name)
        self._transport._send_user_message(message)

    def _feed(self, stdin: bytes | Iterable[bytes]) -> None:
        if isinstance(stdin, bytes) and len(stdin) <= _AT_ONCE_BYTES:
            self._write_all([stdin] if stdin else [])
            return
        pieces = [stdin] if isinstance(stdin, bytes) else stdin
        threading.Thread(target=self._write_all, args=(pieces,), name="ssh-stdin", daemon=True).start()

    def _write_all(self, pieces: Iterable[bytes]) -> None:
        try:
            for piece in pieces:
                if not self._write(piece):
                    return
        except BaseException as error:
            self._fault = error
            with suppress(*BROKEN):
                self._channel.close()
            return
        with suppress(*BROKEN):
            self._channel.shutdown_write()

    def _write(self, piece: bytes) -> bool:
        """False if nobody reads any more; who reads the output finds out why."""
        left = memoryview(piece)
        while left:
            try:
                left = left[self._channel.send(left) :]
            except TimeoutError:
                continue
            except BROKEN:
                return False
        return True

    def _look(self) -> None:
        """After a while without output: is the link still there?"""
        self._read_errors()
        if not self._transport.is_active():
            raise self._lost()
        if self._until_s is not None and time.monotonic() > self._until_s:
            raise DeviceError(f"a command on {self._device} took longer than {self._limit_s:g} s, and was ended")
        if self._silent_s() > SILENCE_LIMIT_S:
            self._transport.close()
            raise self._lost(f"nothing was heard of it for {SILENCE_LIMIT_S:.0f} s")

    def _read_errors(self) -> None:
        while self._channel.recv_stderr_ready():
            self._errors += self._channel.recv_stderr(_CHUNK_BYTES)
        *lines, rest = bytes(self._errors).split(b"\n")
        self.tail.extend(line.decode("utf-8", "replace").rstrip() for line in lines)
        self._errors[:] = rest

    def _lost(self, why: str = "") -> UnreachableError:
        return UnreachableError(
            f"the link to {self._device} broke",
            why="\n".join(part for part in (why, "what the device had begun to do by itself goes on there") if part),
            hint=f"edgekit status {self._device}",
        )
