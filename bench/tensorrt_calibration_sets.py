"""The table of bench/calibration_sets.py with TensorRT's INT8, on a machine that has only device code's Python (3.8).

Where edgekit runs, after `calib select` has made sets named METHOD-SIZE-SEED from the sets archive and archive-day:

    python bench/tensorrt_calibration_sets.py choices PROJECT CHOICES.json
    python bench/tensorrt_calibration_sets.py table OUT_DIR BASELINE.jsonl PROJECT [--save]

and in between on the GPU machine, one process a GPU:

    python bench/tensorrt_calibration_sets.py draw CHOICES.json SETS_DIR
    python bench/tensorrt_calibration_sets.py build CHOICES.json SETS_DIR OUT_DIR [--part 0/4] [--route explicit]

`build` makes the engines of its part one after the other in one process, with one timing cache, and leaves what each
finds on the frozen pictures as OUT_DIR/<route>/<set>.jsonl; what is there is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

_PICTURE = re.compile(r"(?:[\w-]+/)?([a-z-]+)-(\d{5})\.jpg")
_SET = re.compile(r"(day-only|random|long-tail)-(\d+)-(\d+)")
FROZEN = 220


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def choices(arguments: argparse.Namespace) -> None:
    """Set -> its pictures as "condition-index", and what device code needs of the detector."""
    from edgekit.control.detectors import load_detector
    from edgekit.control.project import Project
    from edgekit.core.wire import to_wire

    sets: dict[str, list[str]] = {}
    for folder in sorted(arguments.project.glob("calib_sets/*-*-*")):
        if _SET.fullmatch(folder.name):
            found = _PICTURE.findall((folder / "pictures.sha256").read_text())
            sets[folder.name] = sorted(f"{condition}-{number}" for condition, number in found)
    detector = load_detector(Project(arguments.project.resolve()), "roadscene")
    document = {"detector": to_wire(detector.spec), "sets": sets}
    arguments.out.write_text(json.dumps(document))
    print({name: len(pictures) for name, pictures in sets.items()})


def draw(arguments: argparse.Namespace) -> None:
    """Every picture that a set needs, and the frozen ones."""
    wanted = sorted({picture for pictures in _read(arguments)["sets"].values() for picture in pictures})
    conditions = _conditions()
    jobs = [("calib", name, arguments.sets_dir / "archive") for name in wanted]
    jobs += [
        ("frozen", f"{conditions[index % len(conditions)]}-{index:05d}", arguments.sets_dir / "frozen")
        for index in range(FROZEN)
    ]
    for folder in ("archive", "frozen"):
        (arguments.sets_dir / folder).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(_draw_one, jobs))


def _conditions() -> Sequence[str]:
    from edgekit.scenes import CONDITIONS

    return tuple(CONDITIONS)


def _draw_one(job: Any) -> None:
    import cv2

    from edgekit.scenes import render_scene, split_seed

    split, name, folder = job
    condition, _, number = name.rpartition("-")
    cv2.setNumThreads(1)
    scene = render_scene(split_seed(split, int(number)), condition, 1280, 720)
    cv2.imwrite(str(folder / f"{name}.jpg"), scene.frame, [cv2.IMWRITE_JPEG_QUALITY, 95])


def build(arguments: argparse.Namespace) -> None:
    """The engines of one part."""
    import cv2

    from edgekit.runtime.cuda.owner import OwnerThread

    cv2.setNumThreads(2)
    document = _read(arguments)
    part, parts = map(int, arguments.part.split("/"))
    # What holds the GPU's context keeps the kernels that one build has loaded for the next one.
    keeper = OwnerThread()
    out_dir = arguments.out_dir / arguments.route
    out_dir.mkdir(parents=True, exist_ok=True)
    # Of each size and method one seed first, so that a run that is cut off says something too.
    names = sorted(document["sets"], key=lambda name: list(map(int, name.rsplit("-", 2)[:0:-1])))
    for name in names[part::parts]:
        out = out_dir / f"{name}.jsonl"
        if not out.exists():
            started_s = time.monotonic()
            _build_one(document, name, out, arguments)
            print(f"{name}: {time.monotonic() - started_s:.0f} s", flush=True)
    keeper.close()


def _build_one(document: dict[str, Any], name: str, out: Path, arguments: argparse.Namespace) -> None:
    from edgekit.core.detector import DetectorSpec
    from edgekit.core.engine import BuildRequest
    from edgekit.core.requests import PredictRequest, PrepareRequest
    from edgekit.core.wire import from_wire, to_wire
    from edgekit.runtime.engines import build_engine
    from edgekit.runtime.predict import run_predict
    from edgekit.runtime.prepare import run_prepare
    from edgekit.runtime.probe import probe_device

    detector = from_wire(DetectorSpec, document["detector"], "detector")
    work = arguments.sets_dir / f"work-{arguments.route}-{arguments.part.replace('/', '-')}"
    pictures = work / name
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    for picture in document["sets"][name]:
        os.link(arguments.sets_dir / "archive" / f"{picture}.jpg", pictures / f"{picture}.jpg")
    model, made = str(Path("detectors/roadscene/model.onnx").resolve()), work / f"{name}.onnx"
    preparing = PrepareRequest(detector, model, str(made), "int8", arguments.route, False, str(pictures))
    prepared = run_prepare(preparing, quiet)
    profile = probe_device()
    request = BuildRequest(
        detector=detector,
        precision="int8",
        engine_key=profile.engine_key,
        model_path=str(made) if prepared.prepared else model,
        engines_dir=str(work / "engines"),
        calibration_dir=str(pictures),
        calibration_sha256=name.encode().hex().ljust(64, "0"),
        route=arguments.route,
        prepared=prepared.prepared,
        head_layers=prepared.head_layers,
        cache_dir=str(work / "cache"),
    )
    manifest = build_engine(request, profile, quiet)
    part = out.with_suffix(".part")
    engine_dir = str(work / "engines" / manifest.engine_id)
    asked = PredictRequest(engine_dir, detector, str(arguments.sets_dir / "frozen"), str(part))
    answer = run_predict(asked, profile, quiet)
    out.with_suffix(".json").write_text(json.dumps({"manifest": to_wire(manifest), "predict": to_wire(answer)}))
    part.rename(out)


def table(arguments: argparse.Namespace) -> None:
    """The figures of bench/calibration_sets.py, from what the engines found."""
    import numpy as np
    from calibration_sets import comparison_row, comparison_table
    from common import machine, save_result

    from edgekit.control.detectors import load_detector
    from edgekit.control.evaluation.accuracy import load_predictions
    from edgekit.control.evaluation.bootstrap_interval import match, mean_ap
    from edgekit.control.project import Project
    from edgekit.control.sets.calibration_sets import load_set, materialise

    project = Project(arguments.project.resolve())
    labels = load_detector(project, "roadscene").spec.labels
    truth = materialise(project, load_set(project, "roadscene-frozen"), quiet, labels=labels).truth
    assert truth is not None
    base = match(truth, load_predictions(arguments.baseline), len(labels))
    rows = []
    for path in sorted(arguments.out_dir.glob("*.jsonl")):
        method, size, seed = _SET.fullmatch(path.stem).groups()  # type: ignore[union-attr]
        found = match(truth, load_predictions(path), len(labels))
        rows.append(comparison_row(truth, method, int(size), int(seed), base, found, arguments.resamples))
    first = json.loads(next(arguments.out_dir.glob("*-*.json")).read_text())["manifest"]
    result = {
        "backend": f"TensorRT {first['tool_versions'].get('tensorrt', '')}, route {first['route']}",
        "engine_key": first["engine_key"],
        "archive": {"pictures": 1000, "day_share": 0.8},
        "frozen": len(truth.pictures),
        "resamples": arguments.resamples,
        "base_map50_95": round(mean_ap(base, np.ones(len(truth.pictures))), 6),
        "rows": rows,
        **machine(),
    }
    save_result(f"calibration_sets_tensorrt_{first['route']}", result, comparison_table(result), arguments)


def _read(arguments: argparse.Namespace) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(arguments.choices.read_text())
    return document


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    choosing, drawing, building, telling = (verbs.add_parser(verb) for verb in ("choices", "draw", "build", "table"))
    choosing.add_argument("project", type=Path)
    choosing.add_argument("out", type=Path)
    for one in (drawing, building):
        one.add_argument("choices", type=Path)
        one.add_argument("sets_dir", type=Path)
    building.add_argument("out_dir", type=Path)
    building.add_argument("--part", default="0/1")
    building.add_argument("--route", choices=("explicit", "calibrator"), default="explicit")
    telling.add_argument("out_dir", type=Path)
    telling.add_argument("baseline", type=Path)
    telling.add_argument("project", type=Path)
    telling.add_argument("--resamples", type=int, default=400)
    telling.add_argument("--save", action="store_true")
    telling.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    {"choices": choices, "draw": draw, "build": build, "table": table}[arguments.verb](arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
