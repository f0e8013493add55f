"""From an entry of devices.yaml to what its service is started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.control.inventory import inventory_from_yaml
from edgekit.control.settings import service_settings
from edgekit.control.yaml_files import parse_yaml
from edgekit.core.collecting import CollectSettings
from edgekit.errors import ConfigError

LABELS = ("car", "person")


def device(keys: str):
    text = f"devices:\n  gate: {{kind: local, {keys}}}\n"
    return inventory_from_yaml(parse_yaml(text, "devices.yaml"), Path("devices.yaml")).device("gate")


def test_collecting_goes_into_the_settings_and_is_off_without_a_word():
    """Nobody's pictures lie on a disk because of a default."""
    assert service_settings(device("service: s"), LABELS).collect is None
    assert service_settings(device("collect: {}"), LABELS).collect == CollectSettings()
    asked = service_settings(device("collect: {per_hour: 5, blur: [person]}"), LABELS).collect
    assert asked == CollectSettings(per_hour=5, blur=("person",))


def test_a_class_to_blur_that_the_detector_does_not_find_is_refused():
    """Whoever misspells "person" would keep faces."""
    with pytest.raises(ConfigError) as caught:
        service_settings(device("collect: {blur: [persons, car]}"), LABELS)
    assert list(caught.value.problems) == [
        "collect.blur: no class 'persons'; known: car, person; did you mean 'person'?"
    ], caught.value.problems
