"""What the comparison scripts share: their arguments, the machine they ran on, and where results go. Python 3.8."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.tensors import ShapeProfile
from edgekit.files import sha256_file, write_bytes, write_json

RESULTS = Path(__file__).resolve().parent / "results"
_PACKAGES = ("numpy", "opencv-python-headless", "opencv-python", "onnxruntime", "torch", "ultralytics")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """--model and what describes it; --json and --save."""
    parser.add_argument("--model", type=Path, required=True, help="an ONNX file with YOLOv8's output layout")
    parser.add_argument("--labels", type=Path, help="one label a line; 80 numbered classes without it")
    parser.add_argument("--height", type=int, default=384)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--confidence", type=float, default=0.25)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--save", action="store_true", help="also write bench/results/")


def detector_from(arguments: argparse.Namespace) -> DetectorSpec:
    """The detector that the arguments describe."""
    labels = arguments.labels.read_text("utf-8").split() if arguments.labels else [str(number) for number in range(80)]
    return DetectorSpec(
        name=arguments.model.stem,
        model_sha256=sha256_file(arguments.model),
        input=InputSpec("images"),
        profile=ShapeProfile.fixed(1, arguments.height, arguments.width),
        layout="yolov8",
        labels=tuple(labels),
        confidence=arguments.confidence,
    )


@contextmanager
def loaded_engine(detector: DetectorSpec, model: Path) -> Iterator[tuple[Any, Any]]:
    """An FP32 engine of this machine and its stages, built for as long as this is entered."""
    from edgekit.core.engine import BuildRequest
    from edgekit.runtime.engines import build_engine, load_engine
    from edgekit.runtime.host_stages import stages_for
    from edgekit.runtime.probe import probe_device

    profile = probe_device()
    with tempfile.TemporaryDirectory() as folder:
        request = BuildRequest(detector, "fp32", profile.engine_key, str(model), folder)
        path = Path(folder) / build_engine(request, profile, lambda *_: None).engine_id
        engine = load_engine(str(path), detector, profile)
        with closing(engine), closing(stages_for(detector, engine)) as stages:
            yield engine, stages


def machine() -> dict[str, object]:
    """What the figures depend on besides the code."""
    info = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else "unknown",
        "cpus": len(os.sched_getaffinity(0)),
        "load_1min_at_end": round(os.getloadavg()[0], 2),
        "python": sys.version.split()[0],
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "command": shlex.join(["python", *sys.argv]),
    }


def save_result(name: str, result: dict[str, object], markdown: str, arguments: argparse.Namespace) -> None:
    """Print the result; with --save also write NAME-DATE.json and .md."""
    text = markdown + "\n" + _conditions(result)
    print(json.dumps(result, indent=2) if arguments.json else text)
    if arguments.save:
        stem = f"{name}-{datetime.now(timezone.utc):%Y-%m-%d}"
        write_json(RESULTS / f"{stem}.json", result)
        write_bytes(RESULTS / f"{stem}.md", text.encode("utf-8"))


def _conditions(result: dict[str, object]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in result["packages"].items())
    return (
        f"Measured on {result['cpus']} cores of {result['cpu']}, Python {result['python']}, {packages}; "
        f"load average at the end {result['load_1min_at_end']}.\n\n    {result['command']}\n"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
