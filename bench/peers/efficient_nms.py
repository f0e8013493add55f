"""A TensorRT plan of a YOLOv8 network with the plugin EfficientNMS behind it, for peers that decode nothing else.

    python bench/peers/efficient_nms.py MODEL.onnx PLAN [--fp16]

Runs where TensorRT is; the package onnx is needed. The network's raw output (1, 4 + classes, places) becomes the
plugin's four: how many, boxes, scores, classes. Python 3.8.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import onnx
import tensorrt
from loop import CONFIDENCE, IOU, MOST
from onnx import helper

from edgekit.runtime.trt.config import tactic_sources


def with_nms(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with Transpose, Split and EfficientNMS in place of its output."""
    graph, raw = model.graph, model.graph.output[0]
    _, rows, _places = (size.dim_value for size in raw.type.tensor_type.shape.dim)
    sizes = helper.make_tensor("nms_sizes", onnx.TensorProto.INT64, [2], [4, rows - 4])
    graph.initializer.append(sizes)
    options = {
        "background_class": -1, "box_coding": 1, "iou_threshold": IOU, "max_output_boxes": MOST, "plugin_version": "1",
        "score_activation": 0, "score_threshold": CONFIDENCE,
    }  # fmt: skip
    names = ["num_dets", "det_boxes", "det_scores", "det_classes"]
    graph.node.extend(
        [
            helper.make_node("Transpose", [raw.name], ["nms_rows"], perm=[0, 2, 1]),
            helper.make_node("Split", ["nms_rows", "nms_sizes"], ["nms_boxes", "nms_scores"], axis=2),
            helper.make_node("EfficientNMS_TRT", ["nms_boxes", "nms_scores"], names, domain="", **options),
        ]
    )
    whole, real = onnx.TensorProto.INT32, onnx.TensorProto.FLOAT
    shapes = {"num_dets": (whole, [1, 1]), "det_boxes": (real, [1, MOST, 4]),
              "det_scores": (real, [1, MOST]), "det_classes": (whole, [1, MOST])}  # fmt: skip
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(name, *shapes[name]) for name in names)
    return model


def build(content: bytes, fp16: bool) -> bytes:
    """The plan. Raises SystemExit with what TensorRT said."""
    logger = tensorrt.Logger(tensorrt.Logger.WARNING)
    tensorrt.init_libnvinfer_plugins(logger, "")
    builder = tensorrt.Builder(logger)
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(content):
        raise SystemExit("\n".join(str(parser.get_error(index)) for index in range(parser.num_errors)))
    config: Any = builder.create_builder_config()
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, 1 << 30)
    config.set_tactic_sources(tactic_sources(config.get_tactic_sources(), False))
    entry, profile = network.get_input(0), builder.create_optimization_profile()
    shape = (1, *list(entry.shape)[1:])
    profile.set_shape(entry.name, shape, shape, shape)
    config.add_optimization_profile(profile)
    if fp16:
        config.set_flag(tensorrt.BuilderFlag.FP16)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise SystemExit("TensorRT made no plan")
    return bytes(plan)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--fp16", action="store_true")
    arguments = parser.parse_args()
    started_s = time.perf_counter()
    plan = build(with_nms(onnx.load(str(arguments.model))).SerializeToString(), arguments.fp16)
    arguments.plan.write_bytes(plan)
    print(f"{arguments.plan}: {len(plan)} bytes, {time.perf_counter() - started_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
