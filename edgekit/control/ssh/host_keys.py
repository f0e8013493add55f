"""The host keys that a project trusts: the file known_hosts beside devices.yaml, in OpenSSH's format.

Written by `edgekit enroll`, meant to be committed with devices.yaml: a key that is not in it is refused before anything
is said to the machine that shows it. A host is named as OpenSSH names it: "name", or "[name]:port".
Source: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. Names may be hashed; patterns and lines with a marker are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit import files
from edgekit.control.project import Project
from edgekit.errors import ConfigError, DeviceError

KNOWN_HOSTS = "known_hosts"
SSH_PORT = 22


@dataclass(frozen=True)
class HostKey:
    """The public key of a machine. kind: "ssh-ed25519" and the like; blob: the key as it travels in the protocol."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """ "SHA256:..." as `ssh-keygen -lf` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.kind} {self.fingerprint}"


def known_hosts_path(project: Project) -> Path:
    """The project's file of trusted host keys."""
    return project.root / KNOWN_HOSTS


def host_name(address: str, port: int = SSH_PORT) -> str:
    """A host as known_hosts names it."""
    return address if port == SSH_PORT else f"[{address}]:{port}"


def find_keys(path: Path, name: str) -> tuple[HostKey, ...]:
    """The keys trusted for a host, in the order of the file; none if there is no file.

    Raises ConfigError with every line that cannot be understood: a key that is passed over might be the one in force.
    """
    return tuple(entry.key for entry in _entries(path) if entry.names_host(name))


def pin_key(path: Path, name: str, key: HostKey) -> None:
    """Trust this key, and no other, for a host. All other lines stay as they are."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    stale = {entry.line for entry in _entries(path) if entry.names_host(name)}
    kept = [line for number, line in enumerate(lines, start=1) if number not in stale]
    kept.append(f"{name} {key.kind} {base64.b64encode(key.blob).decode()}")
    files.write_bytes(path, ("\n".join(kept) + "\n").encode())


def refuse_unknown(device: str, host: str, key: HostKey) -> DeviceError:
    """The error for a host that was never enrolled."""
    return DeviceError(
        f"{host} is not enrolled: nobody said yet that its host key is the right one",
        why=f"it shows {key}; nothing was sent to it",
        hint=f"edgekit enroll {device}",
    )


def refuse_changed(device: str, host: str, shown: HostKey, trusted: HostKey) -> DeviceError:
    """The error for a host that shows another key than the one enrolled."""
    return DeviceError(
        f"THE HOST KEY OF {host} HAS CHANGED: this is another machine, or it was installed anew",
        why=f"it shows  {shown}\nenrolled  {trusted}\nSomeone may stand between you and it. Nothing was sent to it.",
        hint=f"compare the fingerprint on the device itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub);\n"
        f"if it is the right one: edgekit enroll {device} --replace",
    )


@dataclass(frozen=True)
class _Entry:
    line: int  # from 1
    names: tuple[str, ...]
    key: HostKey

    def names_host(self, name: str) -> bool:
        return any(_is_hash_of(item, name) if item.startswith("|") else item == name for item in self.names)


def _entries(path: Path) -> list[_Entry]:
    if not path.exists():
        return []
    problems: list[str] = []
    entries = list(_read(path, problems))
    if problems:
        raise ConfigError(f"{path} is not understood", problems=problems, hint="correct these lines, or remove them")
    return entries


def _read(path: Path, problems: list[str]) -> Iterator[_Entry]:
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            yield _parse(number, line)
        except ValueError as error:
            problems.append(f"{path.name}: line {number}: {error}")


def _parse(number: int, line: str) -> _Entry:
    parts = line.split()
    if parts[0].startswith("@"):
        raise ValueError(f"{parts[0]} is not supported")
    if len(parts) < 3:
        raise ValueError("expected a name, a type and a key")
    if set(parts[0]) & set("*?!"):
        raise ValueError("a pattern is not supported; each host has a line of its own")
    try:
        blob = base64.b64decode(parts[2], validate=True)
    except binascii.Error:
        raise ValueError("the key is not Base64") from None
    if blob[4 : 4 + len(parts[1])] != parts[1].encode():
        raise ValueError(f"this is no key of type {parts[1]}")
    return _Entry(number, tuple(parts[0].split(",")), HostKey(parts[1], blob))


def _is_hash_of(item: str, name: str) -> bool:
    """|1|salt|hash: HMAC-SHA1 of the name, as `ssh-keygen -H` writes it."""
    _, version, salt, expected = (*item.split("|"), "", "", "")[:4]
    try:
        found = hmac.digest(base64.b64decode(salt), name.encode(), "sha1")
        return version == "1" and hmac.compare_digest(found, base64.b64decode(expected))
    except binascii.Error:
        return False
