"""Connecting over SSH: Fabric's Connection with the host keys of the project, deadlines, and errors told apart.

Fabric alone trusts every host. Here a host whose key is not pinned is refused before any authentication, jump hosts
included; see docs/adr/0010-ssh.md.
"""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import time
from pathlib import Path
from typing import Any

import paramiko
from fabric import Config, Connection

from edgekit.control.inventory import Device
from edgekit.control.ssh.errors import CONNECT_LIMIT_S, Hop, beyond_jump, explain
from edgekit.control.ssh.host_keys import HostKey, find_keys, refuse_changed, refuse_unknown
from edgekit.errors import DeviceError, UnreachableError

_ANSWER_LIMIT_S = 20  # banner, authentication and channels each
_AT_ONCE_S = 3.0
_PAUSES_S = (0.3, 1.0)

BROKEN = (paramiko.SSHException, OSError, EOFError)  # what paramiko raises once a link is gone

# Its warnings repeat what our errors say; without a handler of its own they would go to standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class WatchedSocket:
    """A socket, or a channel that stands for one, that remembers when it was last heard of."""

    def __init__(self, under: Any) -> None:
        self._under = under
        self._heard_s = time.monotonic()

    @property
    def silent_s(self) -> float:
        """For how long nothing came."""
        return time.monotonic() - self._heard_s

    def __enter__(self) -> WatchedSocket:
        return self

    def __exit__(self, *exception: object) -> None:
        self._under.close()

    def recv(self, size: int) -> bytes:
        """As a socket's."""
        data: bytes = self._under.recv(size)
        self._heard_s = time.monotonic()
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._under, name)


def connect(device: Device, known_hosts: Path) -> tuple[Connection, WatchedSocket]:
    """An open connection, and its socket. Raises DeviceError for what refuses us, UnreachableError for no answer.

    A server that is busy with other logins drops new ones at random (sshd's MaxStartups, 10 at once by default), a jump
    host of many devices above all; so one that hangs up at once is tried again.
    """
    for pause_s in _PAUSES_S:
        started_s = time.monotonic()
        try:
            return _connect_once(device, known_hosts)
        except UnreachableError as error:
            hung_up = isinstance(error.__cause__, (paramiko.SSHException, EOFError, ConnectionResetError))
            if not hung_up or time.monotonic() - started_s > _AT_ONCE_S:
                raise
            time.sleep(pause_s * random.uniform(0.5, 1.5))
    return _connect_once(device, known_hosts)


def _connect_once(device: Device, known_hosts: Path) -> tuple[Connection, WatchedSocket]:
    connection = prepare(device)
    for each, hop in zip(chain(connection), hops(device, connection), strict=True):
        each.client = PinnedClient(hop, known_hosts)
    try:
        connection.open()
    except BaseException as error:
        disconnect(connection)
        if isinstance(error, paramiko.ChannelException):
            raise beyond_jump(hops(device, connection)[-1], connection.gateway.host) from None
        raise
    return connection, connection.client.socket


def disconnect(connection: Connection) -> None:
    """Close a connection and those it goes through."""
    for each in reversed(chain(connection)):
        with contextlib.suppress(*BROKEN):
            each.client.close()


def prepare(device: Device) -> Connection:
    """Fabric's Connection to a device, not open. What the entry leaves open is decided by ~/.ssh/config.

    Raises DeviceError for a key file that is not there.
    """
    assert device.address is not None, "the inventory sees to that"
    config = Config(lazy=True)  # of Fabric's own files none is read: nothing in them is meant for us
    config.load_ssh_config()
    options: dict[str, Any] = {"config": config, "connect_timeout": CONNECT_LIMIT_S, "forward_agent": False}
    jump = Connection(device.jump, connect_kwargs=_login(device), **options) if device.jump else None
    return Connection(
        device.address.strip("[]"),
        user=device.user,
        port=device.port if device.port != paramiko.config.SSH_PORT else None,
        gateway=jump,
        connect_kwargs=_login(device),
        **options,
    )


def chain(connection: Connection) -> list[Connection]:
    """The connections on the way, this one last."""
    gateway = connection.gateway
    return [*(chain(gateway) if isinstance(gateway, Connection) else []), connection]


def hops(device: Device, connection: Connection) -> list[Hop]:
    """The machines on the way, in the order in which they are reached."""
    way = chain(connection)
    names = [f"the jump host {each.host} of {device.name}" for each in way[:-1]] + [device.name]
    return [Hop(device.name, what, each.host, each.port, each.user) for what, each in zip(names, way, strict=True)]


def open_socket(hop: Hop, connection: Connection) -> WatchedSocket:
    """A way to a hop's SSH port, through the connection before it if there is one. Raises UnreachableError."""
    try:
        return WatchedSocket(connection.open_gateway() if connection.gateway else _dial(hop))
    except paramiko.ChannelException:
        raise beyond_jump(hop, connection.gateway.host) from None


def fetch_key(hop: Hop, connection: Connection) -> HostKey:
    """The key that a machine shows, without logging in. connection: to it, not open. Raises UnreachableError."""
    with open_socket(hop, connection) as way:
        transport = paramiko.Transport(way)
        try:
            transport.start_client(timeout=CONNECT_LIMIT_S)
            key = transport.get_remote_server_key()
            return HostKey(key.get_name(), key.asbytes())
        except BROKEN as error:
            raise explain(error, hop, ()) from None
        finally:
            transport.close()


class PinnedClient(paramiko.SSHClient):  # type: ignore[misc]
    """An SSHClient that knows the keys of one host, and no other."""

    def __init__(self, hop: Hop, known_hosts: Path) -> None:
        super().__init__()
        self.socket: WatchedSocket
        self._hop = hop
        self._trusted = find_keys(known_hosts, hop.name)
        for key in self._trusted:
            self.get_host_keys().add(hop.name, key.kind, paramiko.PKey.from_type_string(key.kind, key.blob))
        self.set_missing_host_key_policy(_Refuse(hop))

    def connect(self, hostname: str, sock: Any = None, key_filename: Any = (), **options: Any) -> None:
        """Connect, check the host key, log in, in this order."""
        self.socket = WatchedSocket(sock or _dial(self._hop))
        keys = [str(Path(name).expanduser()) for name in key_filename]
        try:
            super().connect(
                hostname, sock=self.socket, key_filename=[key for key in keys if Path(key).exists()], **options
            )
        except paramiko.BadHostKeyException as error:
            shown = HostKey(error.key.get_name(), error.key.asbytes())
            raise refuse_changed(self._hop.device, self._hop.where, shown, self._trusted[0]) from None
        except BROKEN as error:
            raise explain(error, self._hop, keys) from error


class _Refuse(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    def __init__(self, hop: Hop) -> None:
        self._hop = hop

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise refuse_unknown(self._hop.device, self._hop.where, HostKey(key.get_name(), key.asbytes()))


def _login(device: Device) -> dict[str, Any]:
    """How to prove who we are: the entry's key, then keys of the agent, and without an entry those in ~/.ssh."""
    options: dict[str, Any] = {
        "banner_timeout": _ANSWER_LIMIT_S,
        "auth_timeout": _ANSWER_LIMIT_S,
        "channel_timeout": _ANSWER_LIMIT_S,
        "look_for_keys": device.key is None,
    }
    if device.key is None:
        return options
    path = Path(device.key).expanduser()
    if not path.is_file():
        raise DeviceError(
            f"the key of {device.name}, {device.key}, is not a file",
            hint=f"correct key: of {device.name} in devices.yaml, or make one: ssh-keygen -t ed25519 -f {device.key}",
        )
    return {**options, "key_filename": [str(path)]}


def _dial(hop: Hop) -> socket.socket:
    try:
        found = socket.create_connection((hop.host, hop.port), CONNECT_LIMIT_S)
    except OSError as error:
        raise explain(error, hop, ()) from None
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each command waits 40 ms for a delayed ACK
    return found
