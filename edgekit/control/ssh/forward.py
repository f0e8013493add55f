"""A port of this machine that leads to a port of a device, through its SSH connection."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import paramiko

from edgekit.errors import DeviceError

_CHUNK_BYTES = 1 << 16
_OPEN_LIMIT_S = 10.0


@contextlib.contextmanager
def forwarded(transport: paramiko.Transport, device: str, port: int, local_port: int = 0) -> Iterator[int]:
    """Lead a port of this machine's loopback to the device's, meanwhile; gives its number. 0: any free one.

    Raises DeviceError if nothing listens there, or if the port here is taken.
    """
    _open(transport, device, port).close()  # now, and not at the first request
    try:
        server = _Server(transport, device, port, local_port)
    except OSError as error:
        raise DeviceError(
            f"port {local_port} of this machine cannot be used: {error.strerror}", hint="choose another: --local-port"
        ) from None
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    server_address: tuple[str, int]

    def __init__(self, transport: paramiko.Transport, device: str, port: int, local_port: int) -> None:
        super().__init__(("127.0.0.1", local_port), _Tunnel)
        self._way = transport, device, port

    def open_channel(self) -> paramiko.Channel:
        """A new one to the port there."""
        return _open(*self._way)


class _Tunnel(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Pass bytes both ways until either side closes."""
        try:
            channel = self.server.open_channel()
        except DeviceError:
            return  # the browser sees a closed connection, as it would on the device itself
        with contextlib.closing(channel):
            pump(self.request, channel)


def pump(near: socket.socket, far: Any) -> None:
    """Pass bytes both ways between two sockets until either is closed."""
    while True:
        ready, _, _ = select.select([near, far], [], [])
        for source, target in ((near, far), (far, near)):
            if source in ready:
                data = source.recv(_CHUNK_BYTES)
                if not data:
                    return
                target.sendall(data)


def _open(transport: paramiko.Transport, device: str, port: int) -> paramiko.Channel:
    try:
        return transport.open_channel("direct-tcpip", ("127.0.0.1", port), ("127.0.0.1", 0), timeout=_OPEN_LIMIT_S)
    except paramiko.ChannelException as error:
        forbidden = error.code == paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        raise DeviceError(
            f"{device} does not let us forward ports" if forbidden else f"nothing listens on port {port} of {device}",
            why="its sshd has AllowTcpForwarding no" if forbidden else "the service there shows no page",
            hint="" if forbidden else f"edgekit status {device}",
        ) from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise DeviceError(f"the tunnel to {device} cannot be opened", why=str(error)) from None
