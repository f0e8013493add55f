"""From an entry of the inventory to the link that reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.control.inventory import Device
    from edgekit.control.link import Link
    from edgekit.control.project import Project


def link_to(project: Project, device: Device) -> Link:
    """The way to a device of the inventory. Nothing is connected yet."""
    if device.kind == "local":
        from edgekit.control.local_link import LocalLink

        return LocalLink(device.name, project.device_root(device.name), device.python)
    from edgekit.control.ssh.host_keys import known_hosts_path
    from edgekit.control.ssh.link import SSHLink

    return SSHLink(device, known_hosts_path(project))
