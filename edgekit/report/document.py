"""A report as JSON-ready data. Pure."""

from __future__ import annotations

from typing import Any

from edgekit.core.results import FPS_MEANS_OF
from edgekit.core.wire import to_wire
from edgekit.report.meaning.sentences import meaning_text, meanings
from edgekit.report.summary import Report


def headline_document(report: Report) -> dict[str, Any]:
    """The few figures that answer "how fast, how good, what runs there"; None: not measured.

    fps and fps_means are of the scenario that was run; pipeline_fps is None where no frame went through the pipeline.
    low and high: its 95 % interval; of several rounds, whose median it is, the lowest and the highest.
    """
    measured, scenario = report.headline.measurement, report.headline.conditions.scenario
    rate, accuracy = report.rate, report.headline.accuracy
    pipeline = rate if measured.pipeline_rate else None
    return {
        "device": report.device,
        "detector": report.detector,
        "precision": report.headline.engine.precision,
        "engine_id": report.headline.engine.engine_id,
        "deployed": report.headline_is_shipped,
        "scenario": scenario,
        "fps": rate.fps,
        "fps_means": FPS_MEANS_OF[scenario],
        "rounds": rate.rounds,
        "pipeline_fps": pipeline.fps if pipeline else None,
        "pipeline_fps_low": pipeline.low_fps if pipeline else None,
        "pipeline_fps_high": pipeline.high_fps if pipeline else None,
        "map50_95": accuracy.map50_95 if accuracy else None,
        "map50_95_kept_pct": report.map_kept_pct(),
        "joules_per_frame": report.figure("joules_per_frame")[0],
        "is_jetson": report.is_jetson,
        "disturbances": list(measured.disturbances),
    }


def report_document(report: Report) -> dict[str, Any]:
    """The whole report. schema rises when a field changes its meaning."""
    return {
        "schema": 1,
        "created_utc": report.created_utc,
        "edgekit": report.edgekit_version,
        "headline": headline_document(report),
        "meaning": [{"key": one.key, "tone": one.tone, "text": meaning_text("en", one)} for one in meanings(report)],
        "shipped": to_wire(report.shipped),
        "engines": [result.engine.engine_id for result in report.comparison.results],
        "comparison": to_wire(report.comparison.rows),
        "results": to_wire(report.comparison.results),
        "other_runs": to_wire(report.others),
        "targets": report.targets.asked,
        "calibration_coverage": to_wire(report.coverage),
        "left_out": [str(one) for one in report.left_out],
        "broken_files": list(report.broken_files),
    }
