"""Result files: read by every later version, so their form is held fast."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.core.results import BenchResult
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError
from tests.report.made_up import result


def test_a_result_survives_the_wire():
    """Written on one machine today, read on another next year."""
    made = result("int8")
    assert from_wire(BenchResult, json.loads(json.dumps(to_wire(made)))) == made


def test_a_result_without_what_was_not_measured_survives_too():
    """Null stays "not measured" and never becomes zero."""
    made = result(map50_95=None, git_commit=None)
    made = replace(made, measurement=replace(made.measurement, memory_peak_mib=None, power_mean_w=None))
    back = from_wire(BenchResult, json.loads(json.dumps(to_wire(made))))
    assert (back.accuracy, back.measurement.memory_peak_mib, back.measurement.power_mean_w) == (None, None, None)


def test_the_pipeline_share_is_pipeline_over_engine():
    """Upside down it would read as better than perfect."""
    measurement = result(fps=19.0).measurement
    measurement = replace(measurement, engine_rate=replace(measurement.engine_rate, fps=20.0))
    assert measurement.pipeline_share == pytest.approx(0.95)


def test_a_truncated_result_is_refused_with_every_missing_field():
    """A file cut by a full disk must not read as a result."""
    data = to_wire(result())
    for key in ("measurement", "conditions"):
        del data[key]
    with pytest.raises(ConfigError) as caught:
        from_wire(BenchResult, data, "r.json")
    assert set(caught.value.problems) == {"r.json.measurement: missing", "r.json.conditions: missing"}
