"""The figures as Prometheus reads them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from edgekit.core.collecting import FieldHealth
from edgekit.core.events import Counts, LineCount, ZoneCount
from edgekit.core.machine import MachineReadings, Rail
from edgekit.core.metrics import metrics_text
from edgekit.core.service import Health, StreamHealth

prometheus_parser = pytest.importorskip("prometheus_client.parser")

YARD = StreamHealth("yard", "rtsp://10.0.0.4/1", "ok", 12.5, "", 700, 900, 14.9, 41.5, 66.0, 3)
GATE = replace(YARD, name="gate", condition="reconnecting", condition_s=4.0, fps=0.0, frame_age_ms=None, p99_ms=None)
HEALTH = Health(
    service="street",
    release="0123456789abcdef",
    pid=1,
    frames=1400,
    detections=1800,
    fps=14.9,
    frame_age_ms=41.5,
    dropped=6,
    engine_id="e" * 16,
    precision="int8",
    started_unix_s=1795108280.5,
    updated_unix_s=1795108300.5,
    streams=(YARD, GATE),
)
MACHINE = MachineReadings(
    temperature_c=61.5,
    hottest_zone="soc-thermal",
    limit_c=97.0,
    throttling=("oc3",),
    watts=8.43,
    rails=(Rail("VDD_IN", 8430.0),),
    memory_total_mib=7620,
    memory_available_mib=3312,
    gpu_load_pct=43.0,
    power_mode="15W",
)
COUNTS = Counts((ZoneCount("crossing", "yard", "car", 12, 10, 1, 2),), (LineCount("kerb", "yard", "car", "in", 55),))


def families(text):
    return {family.name: family for family in prometheus_parser.text_string_to_metric_families(text)}


def values(text):
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families(text).values()
        for sample in family.samples
    }


def value(text, name, **labels):
    return values(text).get((f"edgekit_{name}", frozenset(labels.items())))


def test_a_client_of_prometheus_reads_every_figure():
    """A line that it cannot read makes it refuse the whole page."""
    text = metrics_text(HEALTH, MACHINE, COUNTS)
    assert value(text, "service_info", service="street", release=HEALTH.release, engine="e" * 16, precision="int8") == 1
    assert value(text, "service_start_time_seconds") == 1795108280.5
    assert value(text, "frames_total", stream="yard") == 700
    assert value(text, "frames_dropped_total", stream="gate") == 3
    assert value(text, "frame_age_seconds", stream="yard") == 0.0415
    assert value(text, "stream_condition", stream="gate", condition="reconnecting") == 1
    assert value(text, "stream_condition", stream="gate", condition="ok") == 0
    zone = {"zone": "crossing", "stream": "yard"}
    assert value(text, "zone_entered_total", **zone, **{"class": "car"}) == 12
    assert value(text, "zone_objects", **zone, **{"class": "car"}) == 2
    line = {"line": "kerb", "stream": "yard", "direction": "in"}
    assert value(text, "line_crossed_total", **line, **{"class": "car"}) == 55
    assert value(text, "temperature_celsius", sensor="soc-thermal") == 61.5
    assert value(text, "power_watts") == 8.43 and value(text, "rail_power_watts", rail="VDD_IN") == 8.43
    assert value(text, "memory_available_bytes") == 3312 * 1024 * 1024
    assert value(text, "gpu_load_ratio") == 0.43
    assert value(text, "throttling", alert="oc3") == 1


def test_every_metric_has_its_kind_its_text_and_a_name_by_the_conventions():
    """Prometheus's own tools and every dashboard go by them."""
    for name, family in families(metrics_text(HEALTH, MACHINE, COUNTS)).items():
        assert name.startswith("edgekit_") and family.documentation and family.type in ("counter", "gauge")
        assert all(sample.name.endswith("_total") == (family.type == "counter") for sample in family.samples)
        assert not name.endswith(("_ms", "_mib", "_pct", "_c"))


def test_what_was_not_measured_is_left_out():
    """0 degrees would be drawn into a graph, and an alert would sleep."""
    text = metrics_text(replace(HEALTH, streams=(GATE,)), MachineReadings(), Counts())
    for word in ("temperature", "power", "memory", "gpu", "frame_age", "zone", "line", "throttling"):
        assert f"edgekit_{word}" not in text
    assert value(text, "frame_rate", stream="gate") == 0.0


def test_a_service_that_does_not_tell_its_streams_apart_has_its_own_figures():
    """Its health file may be of a release from before there were several cameras."""
    text = metrics_text(replace(HEALTH, streams=()), MachineReadings(), Counts())
    assert value(text, "frames_total", stream="") == 1400 and value(text, "frames_dropped_total", stream="") == 6
    assert "stream_condition" not in text


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "höf", "}{", 'x="1",y="2"', "\\n", "# HELP"])
def test_labels_with_any_text_come_back_as_they_were(name):
    """A camera's name with a quote in it must not add a label of its own."""
    odd = replace(HEALTH, service=name, streams=(replace(YARD, name=name),))
    text = metrics_text(odd, replace(MACHINE, power_mode=name), Counts())
    assert value(text, "frames_total", stream=name) == 700
    assert value(text, "power_mode_info", mode=name) == 1


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_own_tool_has_nothing_to_complain_of():
    """It knows conventions that the parser does not ask for."""
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=metrics_text(HEALTH, MACHINE, COUNTS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_drift_and_kept_frames_are_told_where_frames_are_collected():
    """An alarm on drift is how a fleet learns that it is time for a refresh."""
    field = FieldHealth(
        kept=312,
        kept_mib=96.5,
        added=20,
        removed=3,
        drift=0.41,
        unseen=("light:night",),
        looked_at=600,
        reasons={"far": 15, "random": 6},
    )
    told = values(metrics_text(replace(HEALTH, field=field), MACHINE, COUNTS))
    assert told["edgekit_field_frames", frozenset()] == 312
    assert told["edgekit_field_bytes", frozenset()] == 96.5 * 2**20
    assert told["edgekit_field_frames_added_total", frozenset()] == 20
    assert told["edgekit_field_frames_removed_total", frozenset()] == 3
    assert told["edgekit_field_reasons_total", frozenset({("reason", "far")})] == 15
    assert told["edgekit_scene_drift_ratio", frozenset()] == 0.41
    assert told["edgekit_scene_unseen", frozenset({("stratum", "light:night")})] == 1


def test_drift_that_is_not_known_is_left_out():
    """0 would say that all is well."""
    none_yet = FieldHealth(kept=0, kept_mib=0.0, added=0, removed=0)
    told = metrics_text(replace(HEALTH, field=none_yet), MACHINE, COUNTS)
    assert "scene_drift_ratio" not in told and "edgekit_field_frames 0" in told
    without = metrics_text(HEALTH, MACHINE, COUNTS)
    assert "field" not in without and "scene" not in without
