"""From a device's entry to the settings that its service is started with."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.control.inventory import Device
from edgekit.core.service import ServiceSettings
from edgekit.errors import ConfigError


def service_settings(device: Device, labels: Sequence[str]) -> ServiceSettings:
    """The settings that an entry means. labels: the detector's.

    Raises ConfigError if its zones or lines name a class or a camera that there is not.
    """
    if device.events is not None:
        problems = device.events.unknown_names(labels, [stream.name for stream in device.streams])
        if problems:
            raise ConfigError(f"events: of {device.name} do not fit its detector and cameras", problems=problems)
    return ServiceSettings(
        service=device.service,
        streams=device.streams,
        sinks=device.sinks,
        threads=device.threads,
        loop=device.loop,
        events=device.events,
        page_port=device.page_port,
    )
