"""`edgekit detectors`: what can be built and run, and everything known about one detector."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from edgekit.cli.completion import complete_detectors
from edgekit.cli.console import facts, remedy_lines, table
from edgekit.cli.session import App
from edgekit.control.detectors import Detector, DetectorState, list_detectors, load_detector
from edgekit.core.detector import InputSpec
from edgekit.core.tensors import ShapeProfile
from edgekit.core.wire import to_wire
from edgekit.errors import error_to_dict


def command(
    app: App,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Show this one in full.", autocompletion=complete_detectors),
    ] = None,
) -> None:
    """List the detectors of this project and whether they are ready, or show all facts of one.

    Examples:

        edgekit detectors
        edgekit detectors roadscene
        edgekit detectors yolov8n --json
    """
    if name is not None:
        detector = load_detector(app.project, name)
        app.console.result(detector_to_json(detector), facts(_facts(detector)))
        return
    states = list_detectors(app.project)
    if not states:
        app.console.note(f"{app.project.detectors_dir} holds no detector")
    columns = ("detector", "state", "layout", "input", "classes")
    listing = table(columns, [_row(state) for state in states], right=("classes",))
    app.console.result({"detectors": [state_to_json(state) for state in states]}, listing, *_reasons(states))


def _row(state: DetectorState) -> tuple[Any, ...]:
    detector = state.detector
    if detector is None:
        return state.name, state.state, None, None, None
    spec = detector.spec
    return state.name, state.state, spec.layout, render_profile(spec.profile), len(spec.labels)


def _reasons(states: tuple[DetectorState, ...]) -> list[str]:
    """Under the table: why a detector is not ready, and what to type."""
    lines = []
    for error in (state.error for state in states if state.error):
        lines += ["", error.what, *(f"  {line}" for line in error.why.splitlines())]
        lines += remedy_lines(error.hint)
    return lines


def _facts(detector: Detector) -> list[tuple[str, Any]]:
    spec, model = detector.spec, detector.facts
    return [
        ("detector", detector.name),
        ("model", detector.model_path),
        ("sha256", model.sha256),
        ("size", f"{model.file_bytes / (1 << 20):.1f} MiB"),
        ("network", f"{model.nodes} nodes, {model.parameters / 1e6:.2f} M parameters"),
        ("made by", f"{model.producer or 'unknown'}, opset {model.opset}"),
        ("already quantised", "yes" if model.has_qdq else "no"),
        ("inputs", "\n".join(str(tensor) for tensor in model.inputs)),
        ("outputs", "\n".join(str(tensor) for tensor in model.outputs)),
        ("layout", spec.layout),
        ("engine sizes", render_profile(spec.profile)),
        ("preprocessing", render_input(spec.input)),
        ("labels", f"{len(spec.labels)}: {', '.join(spec.labels)}"),
        ("confidence, IoU", f"{spec.confidence:g}, {spec.iou:g}; at most {spec.max_detections} detections"),
        ("calibration set", detector.calibration),
        ("frozen set", detector.frozen),
        *([("kept in float", ", ".join(detector.keep_float))] if detector.keep_float else []),
        *(("warning", text) for text in detector.warnings),
    ]


def render_profile(profile: ShapeProfile) -> str:
    """Sizes in words: "1x3x640x640", or with "to" and the size it is tuned for."""
    low, best, high = (f"{s.batch}x3x{s.height}x{s.width}" for s in (profile.minimum, profile.optimum, profile.maximum))
    return low if low == high else f"{low} to {high}" + (f", tuned for {best}" if best != low else "")


def render_input(given: InputSpec) -> str:
    """How a frame becomes the input, in words."""
    scale = "1/255" if abs(given.scale - 1 / 255) < 1e-12 else f"{given.scale:g}"
    text = f"{given.geometry}, {given.colour.upper()}, pixels x {scale}"
    if given.mean != (0.0, 0.0, 0.0) or given.std != (1.0, 1.0, 1.0):
        text += f", minus {list(given.mean)}, divided by {list(given.std)}"
    return text + (f", border {given.border}" if given.geometry != "stretch" else "")


def detector_to_json(detector: Detector) -> dict[str, Any]:
    """What `detectors NAME --json` prints."""
    return {
        "name": detector.name,
        "state": "ready",
        "model_path": str(detector.model_path),
        "spec": to_wire(detector.spec),
        "model": to_wire(detector.facts),
        "calibration": detector.calibration,
        "frozen": detector.frozen,
        "keep_float": detector.keep_float,
        "warnings": list(detector.warnings),
    }


def state_to_json(state: DetectorState) -> dict[str, Any]:
    """One entry of what `detectors --json` prints."""
    detector = state.detector
    return {
        "name": state.name,
        "state": state.state,
        "layout": detector.spec.layout if detector else None,
        "profile": to_wire(detector.spec.profile) if detector else None,
        "classes": len(detector.spec.labels) if detector else None,
        "error": error_to_dict(state.error) if state.error else None,
    }
