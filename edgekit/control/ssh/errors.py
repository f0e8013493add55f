"""What a failure to connect over SSH means, in words for people: who did not answer, why, and what to type next."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

import paramiko

from edgekit.control.ssh.host_keys import host_name
from edgekit.errors import DeviceError, UnreachableError

CONNECT_LIMIT_S = 10


@dataclass(frozen=True)
class Hop:
    """One machine on the way to a device, the device itself last. what: how messages call it."""

    device: str
    what: str
    host: str
    port: int
    user: str

    @property
    def name(self) -> str:
        """As known_hosts has it."""
        return host_name(self.host, self.port)

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.host}:{self.port}"


def explain(error: Exception, hop: Hop, keys: list[str] | tuple[str, ...]) -> DeviceError:
    """What a failure to connect means, in words for people."""
    if isinstance(error, paramiko.AuthenticationException) or "No authentication methods" in str(error):
        return _refused_login(error, hop, keys)
    if isinstance(error, socket.gaierror):
        return UnreachableError(
            f"{hop.what}: no address is known for the name {hop.host!r}",
            why=error.strerror or "",
            hint=f"correct address: of {hop.device} in devices.yaml, or give its IP address there",
        )
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(
            f"{hop.what} is there, and nothing listens at {hop.where}",
            why="its SSH server does not run, or has another port",
            hint="on the device: sudo systemctl enable --now ssh",
        )
    if isinstance(error, TimeoutError):
        return UnreachableError(
            f"{hop.what} does not answer: {hop.where}, {CONNECT_LIMIT_S} s", hint="is it on, and on this network?"
        )
    if isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return UnreachableError(
            f"there is no way to {hop.what} at {hop.where}",
            why=error.strerror or "",
            hint="is it on, and on this network?",
        )
    return _no_ssh(error, hop)


def _no_ssh(error: Exception, hop: Hop) -> DeviceError:
    text = str(error) or type(error).__name__
    if isinstance(error, paramiko.IncompatiblePeer):
        return DeviceError(f"{hop.what} and this machine have no way of encryption in common", why=text)
    return UnreachableError(f"{hop.what} at {hop.where} broke off before the login", why=text)


def _refused_login(error: Exception, hop: Hop, keys: list[str] | tuple[str, ...]) -> DeviceError:
    locked = next((key for key in keys if _wants_passphrase(key)), None)
    if locked:
        return DeviceError(
            f"the key {locked} has a passphrase, and no SSH agent holds it",
            hint=f'eval "$(ssh-agent)" && ssh-add {locked}',
        )
    tried = f"tried {', '.join(keys)} and the keys of the SSH agent" if keys else "tried the keys of this user"
    identity = f"-i {keys[0]} " if keys else ""
    port = f"-p {hop.port} " if hop.port != paramiko.config.SSH_PORT else ""
    return DeviceError(
        f"{hop.what} does not let {hop.user} in with a key",
        why=tried,
        hint=f"ssh-copy-id {identity}{port}{hop.user}@{hop.host}    (it asks for the password once)",
    )


def _wants_passphrase(path: str) -> bool:
    try:
        paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError):
        return True
    except (paramiko.SSHException, OSError, ValueError):
        return False
    return False


def beyond_jump(hop: Hop, gateway: str) -> UnreachableError:
    """The jump host answers, and what is behind it does not."""
    return UnreachableError(
        f"{hop.what} cannot be reached from its jump host {gateway}",
        why=f"nothing answers it at {hop.where}",
        hint="is the device on, and on the jump host's network?",
    )
