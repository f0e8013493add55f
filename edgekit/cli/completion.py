"""Names for shell completion. Nothing here may fail or be slow: a wrong project simply completes nothing."""

from __future__ import annotations

from edgekit.errors import EdgekitError


def complete_devices(incomplete: str) -> list[str]:
    """Names of devices and groups that begin like this."""
    try:
        from edgekit.control.inventory import load_inventory
        from edgekit.control.project import find_project

        inventory = load_inventory(find_project())
    except (EdgekitError, OSError, ImportError):
        return []
    names = [*(device.name for device in inventory.devices), *inventory.groups]
    return [name for name in names if name.startswith(incomplete)]


def complete_detectors(incomplete: str) -> list[str]:
    """Names of detectors that begin like this."""
    try:
        from edgekit.control.project import find_project

        paths = sorted(find_project().detectors_dir.glob("*/detector.yaml"))
    except (EdgekitError, OSError, ImportError):
        return []
    return [path.parent.name for path in paths if path.parent.name.startswith(incomplete)]
