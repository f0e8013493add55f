"""List what bench/tensorrt_engines.py is to build: models x precisions x routes, as build requests in JSON.

    python bench/tensorrt_cases.py OUT_DIR --model NAME=model.onnx [...] [--prepared NAME:VARIANT=qdq.onnx [...]]
                                   [--golden NAME=DIR] [--batch NAME=N]

Runs on the host, where the package onnx is. OUT_DIR receives the models and cases.json; the measuring machine needs
neither onnx nor the network's source. A prepared model is one that `prepare` made (Q/DQ pairs put in).
"""

from __future__ import annotations

import argparse
import copy
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgekit.control.onnx_model import inspect_onnx
from edgekit.control.reference import reference_outputs
from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.tensors import ShapeProfile
from edgekit.core.wire import from_wire, to_wire
from edgekit.files import sha256_file, write_json
from edgekit.runtime.ort.graph import count_layers, head_nodes, read_model


def main() -> int:
    """Write OUT_DIR/cases.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--model", action="append", default=[], metavar="NAME=PATH", required=True)
    parser.add_argument("--prepared", action="append", default=[], metavar="NAME:VARIANT=PATH")
    parser.add_argument(
        "--batch", action="append", default=[], metavar="NAME=N", help="FP16 and Q/DQ for N at once too"
    )
    parser.add_argument("--golden", action="append", default=[], metavar="NAME=DIR", help="pictures to compare on")
    parser.add_argument("--labels", type=Path, help="of every model whose number of classes fits; else numbers")
    arguments = parser.parse_args()
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    cases = []
    for entry in arguments.model:
        name, _, path = entry.partition("=")
        source = place(Path(path), arguments.out_dir)
        detector = to_wire(detector_for(name, Path(path), arguments.labels))
        head = sorted(head_nodes(read_model(Path(path)).graph))
        cases += [plain(name, precision, detector, source) for precision in ("fp32", "fp16")]
        cases += [calibrated(name, kind, detector, source, head) for kind in ("entropy", "minmax")]
        cases[-1]["cache_of"] = f"{name}-int8-entropy"  # the same kernels: what was timed for one serves the other
        mine = [item.partition("=") for item in arguments.prepared if item.startswith(f"{name}:")]
        cases += [
            explicit(name, variant.partition(":")[2], detector, place(Path(path), arguments.out_dir))
            for variant, _, path in mine
        ]
    for entry in arguments.golden:
        name, _, folder = entry.partition("=")
        add_golden(name, Path(folder), cases, arguments.out_dir)
    for entry in arguments.batch:
        name, _, batch = entry.partition("=")
        cases += batched(name, int(batch), cases)
    write_json(arguments.out_dir / "cases.json", cases)
    print("\n".join(str(case["name"]) for case in cases))
    return 0


def batched(name: str, batch: int, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """FP16 and every Q/DQ case of a model once more, for 1 to `batch` pictures at once and tuned for `batch`."""
    chosen = [case for case in cases if case["detector"]["name"] == name and not is_batched(case)]
    chosen = [case for case in chosen if case["precision"] == "fp16" or case["route"] == "explicit"]
    more = copy.deepcopy(chosen)
    for case in more:
        case["name"] = case["name"].replace(name, f"{name}-b{batch}", 1)
        profile = case["detector"]["profile"]
        profile["optimum"]["batch"] = profile["maximum"]["batch"] = batch
    return more


def is_batched(case: dict[str, Any]) -> bool:
    """True for what `batched` made."""
    return bool(case["detector"]["profile"]["maximum"]["batch"] > 1)


def detector_for(name: str, path: Path, labels: Path | None) -> DetectorSpec:
    """A detector with YOLOv8's layout at the model's own size (384x640 where it is dynamic), batch 1."""
    facts = inspect_onnx(path)
    picture = next(spec for spec in facts.inputs if len(spec.shape) == 4)
    height, width = picture.shape[2] or 384, picture.shape[3] or 640
    classes = (facts.outputs[0].shape[1] or 84) - 4
    names = labels.read_text("utf-8").split() if labels else []
    return DetectorSpec(
        name=name,
        model_sha256=facts.sha256,
        input=InputSpec(picture.name),
        profile=ShapeProfile.fixed(1, height, width),
        layout="yolov8",
        labels=tuple(names if len(names) == classes else map(str, range(classes))),
    )


def add_golden(name: str, pictures: Path, cases: list[dict[str, Any]], out_dir: Path) -> None:
    """Give the cases of one model a few pictures with the model's own answers, for the check that ends a build."""
    mine = [case for case in cases if case["detector"]["name"] == name]
    folder, answers = out_dir / f"{name}-golden", out_dir / f"{name}-golden.npz"
    shutil.copytree(pictures, folder, dirs_exist_ok=True)
    spec = from_wire(DetectorSpec, mine[0]["detector"], "detector")
    outputs = reference_outputs(out_dir / str(mine[0]["model"]), spec, sorted(folder.iterdir()))
    np.savez(answers, **{f"{index}/{key}": array for index, each in enumerate(outputs) for key, array in each.items()})
    golden = {"images_dir": folder.name, "expected_path": answers.name, "expected_sha256": sha256_file(answers)}
    for case in mine:
        case["golden"] = golden


def place(path: Path, folder: Path) -> str:
    """Copy a model to the folder; its name there."""
    if path.resolve().parent != folder.resolve():
        shutil.copyfile(path, folder / path.name)
    return path.name


def plain(name: str, precision: str, detector: dict[str, object], model: str) -> dict[str, object]:
    """A case without INT8."""
    return {
        "name": f"{name}-{precision}", "detector": detector, "precision": precision, "model": model, "route": "plain"
    }  # fmt: skip


def calibrated(
    name: str, calibrator: str, detector: dict[str, object], model: str, head: list[str]
) -> dict[str, object]:
    """INT8 by TensorRT's calibrator."""
    return {
        "name": f"{name}-int8-{calibrator}", "detector": detector, "precision": "int8", "model": model,
        "route": "calibrator", "tensorrt": {"calibrator": calibrator}, "head_layers": head,
    }  # fmt: skip


def explicit(name: str, variant: str, detector: dict[str, object], model: str) -> dict[str, object]:
    """INT8 by Q/DQ pairs in the model."""
    path = Path(sys.argv[1]) / model
    total, quantised = count_layers(onnx.load(str(path)))
    prepared = {
        "sha256": sha256_file(path), "calibration_images": 0, "quantiser": variant, "layers_total": total,
        "layers_quantised": quantised,
    }  # fmt: skip
    return {
        "name": f"{name}-int8-qdq-{variant}", "detector": detector, "precision": "int8", "model": model,
        "route": "explicit", "prepared": prepared,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
