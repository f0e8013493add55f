"""A real SSH server in this process, without root: it runs commands in /bin/sh and counts who tries to log in."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import List, Set

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgekit.control.ssh.host_keys import HostKey, pin_key


def make_key(path: Path, passphrase: str = "") -> paramiko.PKey:
    """A new private key in a file of OpenSSH's form."""
    key = Ed25519PrivateKey.generate()
    locked = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, locked))
    path.chmod(0o600)
    return paramiko.Ed25519Key.from_private_key_file(str(path), password=passphrase or None)


class SSHServer:
    """Serves until it is closed. authorized: the one key that is let in. preamble: what its shell prints first."""

    def __init__(self, host_key: paramiko.PKey, authorized: paramiko.PKey, shell: str = "/bin/sh") -> None:
        self.host_key, self.authorized, self.shell = host_key, authorized, shell
        self.preamble = b""
        self.auth_attempts = 0
        self.commands: List[str] = []
        self.bytes_in = 0
        self.hang_up = 0  # on so many connections, at once
        self.processes: Set[subprocess.Popen] = set()
        self._transports: Set[paramiko.Transport] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def pin(self, known_hosts: Path) -> None:
        """Enroll it."""
        pin_key(known_hosts, f"[127.0.0.1]:{self.port}", HostKey(self.host_key.get_name(), self.host_key.asbytes()))

    def drop(self) -> None:
        """Break every connection, as a power cut does."""
        for transport in list(self._transports):
            transport.close()

    def close(self) -> None:
        """Stop."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for process in list(self.processes):
            process.kill()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.hang_up > 0:
                self.hang_up -= 1
                connection.close()
                continue
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.host_key)
            self._transports.add(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=_Session(self))


class _Session(paramiko.ServerInterface):
    def __init__(self, server: SSHServer) -> None:
        self._server = server

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_none(self, username):
        self._server.auth_attempts += 1
        return paramiko.AUTH_FAILED

    def check_auth_publickey(self, username, key):
        self._server.auth_attempts += 1
        right = key.asbytes() == self._server.authorized.asbytes()
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, channel_id):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_UNKNOWN_CHANNEL_TYPE

    def check_channel_direct_tcpip_request(self, channel_id, origin, destination):
        try:
            far = socket.create_connection(destination, 5)
        except OSError:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        threading.Thread(target=self._join, args=(channel_id, far), daemon=True).start()
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self._server.commands.append(command.decode())
        threading.Thread(target=_execute, args=(self._server, channel, command), daemon=True).start()
        return True

    def _join(self, channel_id, far):
        from edgekit.control.ssh.forward import pump

        channel = next(
            channel
            for transport in self._server._transports
            if transport.is_active() and (channel := transport.accept(5)) is not None
        )
        with far, contextlib.suppress(OSError):
            pump(far, channel)
        channel.close()


def _execute(server: SSHServer, channel: paramiko.Channel, command: bytes) -> None:
    with contextlib.suppress(OSError, EOFError):
        channel.sendall(server.preamble)
    pipe = subprocess.PIPE
    process = subprocess.Popen([server.shell, "-c", command], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
    server.processes.add(process)
    writers = [
        threading.Thread(target=_copy, args=(process.stdout, channel.sendall)),
        threading.Thread(target=_copy, args=(process.stderr, channel.sendall_stderr)),
        threading.Thread(target=_feed, args=(server, channel, process)),
    ]
    for thread in writers:
        thread.daemon = True
        thread.start()
    process.wait()
    for thread in writers[:2]:
        thread.join()
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        if process.returncode >= 0:  # a server tells of a signal in another way, which paramiko does not know
            channel.send_exit_status(process.returncode)
        channel.close()
    server.processes.discard(process)


def _copy(stream, write) -> None:
    with stream, contextlib.suppress(OSError, EOFError):
        for piece in iter(lambda: os.read(stream.fileno(), 1 << 16), b""):
            write(piece)


def _feed(server: SSHServer, channel: paramiko.Channel, process: subprocess.Popen) -> None:
    with contextlib.suppress(OSError, EOFError, ValueError):
        for piece in iter(lambda: channel.recv(1 << 16), b""):
            server.bytes_in += len(piece)
            process.stdin.write(piece)
    with contextlib.suppress(OSError, ValueError):
        process.stdin.close()


class Cable:
    """A TCP connection to a server that can be cut so that nobody is told: packets vanish."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._cut = threading.Event()
        self._sockets: List[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on nothing passes, and no connection ends."""
        self._cut.set()

    def heal(self) -> None:
        """New connections pass again."""
        self._cut.clear()

    def close(self) -> None:
        """Take it away."""
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if not self._cut.is_set():
                    target.sendall(data)
            if not self._cut.is_set():
                target.shutdown(socket.SHUT_WR)
