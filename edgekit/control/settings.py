"""From a device's entry to the settings that its service is started with."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.control.inventory import Device
from edgekit.control.yaml_files import known_names
from edgekit.core.service import ServiceSettings
from edgekit.errors import ConfigError


def service_settings(device: Device, labels: Sequence[str]) -> ServiceSettings:
    """The settings that an entry means. labels: the detector's.

    Raises ConfigError if its zones or lines name a class or a camera that there is not, or if a class is to be blurred
    that the detector does not find.
    """
    if device.events is not None:
        problems = device.events.unknown_names(labels, [stream.name for stream in device.streams])
        if problems:
            raise ConfigError(f"events: of {device.name} do not fit its detector and cameras", problems=problems)
    if device.collect is not None:
        _check_blur(device, labels)
    return ServiceSettings(
        service=device.service,
        streams=device.streams,
        sinks=device.sinks,
        threads=device.threads,
        loop=device.loop,
        events=device.events,
        page_port=device.page_port,
        collect=device.collect,
    )


def _check_blur(device: Device, labels: Sequence[str]) -> None:
    unknown = [name for name in device.collect.blur if name not in labels] if device.collect else []
    if unknown:
        raise ConfigError(
            f"collect.blur: of {device.name} does not fit its detector {device.detector}",
            problems=[f"collect.blur: no class {name!r}; {known_names(name, labels)}" for name in unknown],
        )
