"""A service's settings and its sign of life."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.core.events import EventSettings
from edgekit.core.service import Health, ServiceSettings, StreamSettings, is_alive
from edgekit.core.wire import from_wire, to_wire
from edgekit.core.zones import Zone
from edgekit.errors import ConfigError

HEALTH = Health("street", "r" * 16, 4321, 100, 7, 14.9, 31.5, 2, "e" * 16, "int8", 1000.0, 1010.0)


@pytest.mark.parametrize(
    ("health", "updated_s", "alive"),
    [
        pytest.param(HEALTH, 0.5, True, id="fresh"),
        pytest.param(HEALTH, 4.9, True, id="just-in-time"),
        pytest.param(HEALTH, 5.0, False, id="stale"),
        pytest.param(replace(HEALTH, frames=0), 0.5, False, id="fresh-but-no-frame-yet"),
        pytest.param(replace(HEALTH, last_error="NaN"), 0.5, False, id="fresh-but-its-frames-are-no-good"),
    ],
)
def test_a_service_is_alive_while_frames_advance(health, updated_s, alive):
    """A process that exists and decodes nothing must not count as healthy."""
    assert is_alive(health, updated_s) == alive


def test_health_and_settings_survive_the_wire():
    """They are files between processes."""
    assert from_wire(Health, json.loads(json.dumps(to_wire(replace(HEALTH, frame_age_ms=None))))).frame_age_ms is None
    yard = Zone("yard", ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)), stay_s=30.0)
    streams = (StreamSettings("scenes://?fps=15", "north"), StreamSettings("csi://0", "south"))
    settings = ServiceSettings(
        "street", streams, ("jsonl:out.jsonl",), threads=2, loop=True, events=EventSettings((yard,)), page_port=0
    )
    assert from_wire(ServiceSettings, json.loads(json.dumps(to_wire(settings)))) == settings


def test_one_sink_written_without_its_list_is_refused():
    """Text is a sequence of letters: "jsonl:x" must not become seven sinks."""
    with pytest.raises(ConfigError, match=r"settings\.sinks: expected a list"):
        from_wire(ServiceSettings, {"service": "a", "streams": [{"uri": "b"}], "sinks": "jsonl:x"}, "settings")
