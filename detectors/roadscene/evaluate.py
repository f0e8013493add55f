"""Score an ONNX file on the test split: mAP over everything, for each condition and for each class.

python detectors/roadscene/evaluate.py --onnx detectors/roadscene/model.onnx --out metrics.json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from metrics import Found, Truth, average_precisions, found_in_output, mean_ap

from edgekit.scenes import CLASSES, CONDITIONS, render_scene, split_seed

_session: onnxruntime.InferenceSession


def _start(onnx_path: str) -> None:
    global _session
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    _session = onnxruntime.InferenceSession(onnx_path, options, providers=["CPUExecutionProvider"])


def _score_picture(job: tuple[str, int]) -> tuple[Found, Truth]:
    """Render a 720p picture, letterbox it as deployment does, and detect."""
    split, index = job
    scene = render_scene(split_seed(split, index), CONDITIONS[index % len(CONDITIONS)], 1280, 720)
    small = cv2.resize(scene.frame, (640, 360), interpolation=cv2.INTER_LINEAR)
    boxed = cv2.copyMakeBorder(small, 12, 12, 0, 0, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    images = np.ascontiguousarray(boxed[:, :, ::-1].transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    (output,) = _session.run(["output0"], {"images": images})
    truth = Truth(scene.truth.boxes_xyxy / 2 + np.array([0, 12, 0, 12], np.float32), scene.truth.class_ids)
    return found_in_output(output[0]), truth


def summary(found: list[Found], truth: list[Truth]) -> dict[str, object]:
    """The scores as they go into metrics.json, rounded to four digits."""

    def row(conditions: range) -> dict[str, float]:
        rows = [index for index in range(len(found)) if index % len(CONDITIONS) in conditions]
        table = average_precisions([found[i] for i in rows], [truth[i] for i in rows], len(CLASSES))
        whole, half = mean_ap(table)
        return {"map50_95": round(whole, 4), "map50": round(half, 4)}

    everything = average_precisions(found, truth, len(CLASSES))
    return {
        "images": len(found),
        "objects": int(sum(len(one.class_ids) for one in truth)),
        "overall": row(range(len(CONDITIONS))),
        "conditions": {name: row(range(place, place + 1)) for place, name in enumerate(CONDITIONS)},
        "classes": {
            name: {"map50_95": round(float(np.mean(line)), 4), "map50": round(float(line[0]), 4)}
            for name, line in zip(CLASSES, everything)
        },
    }


def main() -> None:
    """Render, detect, score, write."""
    parser = argparse.ArgumentParser(description="Score roadscene on rendered test pictures.")
    parser.add_argument("--onnx", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1100)
    parser.add_argument("--split", default="test")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(args.workers, _start, (str(args.onnx),)) as pool:
        pairs = pool.map(_score_picture, [(args.split, index) for index in range(args.images)], chunksize=8)
    metrics = summary([one for one, _ in pairs], [real for _, real in pairs])
    args.out.write_text(json.dumps(metrics, indent=1) + "\n")
    print(json.dumps(metrics, indent=1))


if __name__ == "__main__":
    main()
