"""Trusting a device's host key: fetched without logging in, shown to a person, pinned in the project's known_hosts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.inventory import Device
from edgekit.control.ssh.connection import PinnedClient, chain, disconnect, fetch_key, hops, prepare
from edgekit.control.ssh.errors import Hop
from edgekit.control.ssh.host_keys import HostKey, find_keys, pin_key, refuse_changed
from edgekit.control.ssh.link import SSHLink
from edgekit.errors import DeviceError

_IS_PROVISIONED = "import json,os,sys;print(os.access(json.loads(sys.argv[1]),os.X_OK))"


@dataclass(frozen=True)
class Enrolment:
    """A machine on the way to a device, or the device itself, and the key it shows. trusted: those pinned so far."""

    what: str
    address: str  # host:port
    key: HostKey
    trusted: tuple[HostKey, ...]
    is_device: bool

    @property
    def state(self) -> str:
        """What the key is to the project: "new", "unchanged" or "changed"."""
        if self.key in self.trusted:
            return "unchanged"
        return "changed" if self.trusted else "new"


@dataclass(frozen=True)
class Login:
    """Whether a login works. error: why not; provisioned: whether device code can run there."""

    works: bool
    provisioned: bool = False
    error: DeviceError | None = None


def enroll(
    device: Device, known_hosts: Path, accept: Callable[[Enrolment], bool], *, replace: bool = False
) -> tuple[Enrolment, ...]:
    """Pin the key of a device and of its jump hosts, in the order in which they are reached.

    accept: whether a key that is not pinned is the right one. Before that, nothing is said to a machine but what it
    takes to see its key. Raises DeviceError for a key that is not accepted, or has
    changed and is not to be replaced.
    """
    connection = prepare(device)
    way, found = chain(connection), []
    try:
        for each, hop in zip(way, hops(device, connection), strict=True):
            key = fetch_key(hop, each)
            trusted = find_keys(known_hosts, hop.name)
            enrolment = Enrolment(hop.what, hop.where, key, trusted, is_device=each is connection)
            _pin(enrolment, hop, known_hosts, accept, replace)
            found.append(enrolment)
            each.client = PinnedClient(hop, known_hosts)  # the next one is reached through it
    finally:
        disconnect(connection)
    return tuple(found)


def try_login(device: Device, known_hosts: Path) -> Login:
    """Log in once, to say whether it works before anything depends on it."""
    link = SSHLink(device, known_hosts)
    try:
        return Login(works=True, provisioned=json.loads(link.run_script(_IS_PROVISIONED, link.python).lower()))
    except DeviceError as error:
        return Login(works=False, error=error)
    finally:
        link.close()


def _pin(enrolment: Enrolment, hop: Hop, known_hosts: Path, accept: Callable[[Enrolment], bool], replace: bool) -> None:
    if enrolment.state == "unchanged":
        return
    if enrolment.state == "changed" and not replace:
        raise refuse_changed(hop.device, hop.where, enrolment.key, enrolment.trusted[0])
    if not accept(enrolment):
        raise DeviceError(
            f"{hop.what} is not enrolled: its key was not confirmed",
            why="nothing was sent to it, and nothing was written",
            hint=f"edgekit enroll {hop.device}",
        )
    pin_key(known_hosts, hop.name, enrolment.key)
