"""What a device was when something was measured can be read as long as the result is kept."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.core.device import DeviceProfile
from edgekit.core.wire import from_wire

RESULTS = Path(__file__).parents[2] / "bench/results/tensorrt-2026-11-20.json"


def test_profile_that_an_earlier_version_recorded_is_still_understood() -> None:
    """A field that is dropped would make every earlier result an unknown format."""
    profile = from_wire(DeviceProfile, json.loads(RESULTS.read_text("utf-8"))["machine"]["profile"])
    assert profile.engine_key == "nvidia-h200-sm90-trt8.5.2.2"
