"""Write the trained net as ONNX and check that ONNX Runtime gives PyTorch's answers.

python detectors/roadscene/export.py --weights runs/roadscene/best.pt --out detectors/roadscene/model.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from network import INPUT_HEIGHT, INPUT_WIDTH, STRIDES, DeployedNet, RoadNet, fuse_norms

OPSET = 13  # the newest that TensorRT 8.4 and 8.5 read without gaps
MOST_BYTES = 8 * 1024 * 1024


def load_deployed(weights: Path) -> tuple[DeployedNet, list[str]]:
    """The averaged net with its norms folded, and its class names."""
    state = torch.load(weights, map_location="cpu", weights_only=True)
    net = RoadNet(len(state["classes"])).eval()
    net.load_state_dict(state["weights"])
    return DeployedNet(fuse_norms(net)).eval(), state["classes"]  # type: ignore[arg-type]


def export_onnx(deployed: DeployedNet, names: list[str], path: Path) -> None:
    """Write `images` (N, 3, 384, 640) -> `output0` (N, 4 + classes, 5040); only N is dynamic."""
    images = torch.zeros(1, 3, INPUT_HEIGHT, INPUT_WIDTH)
    torch.onnx.export(
        deployed,
        (images,),
        str(path),
        opset_version=OPSET,
        input_names=["images"],
        output_names=["output0"],
        dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}},
        dynamo=False,
    )
    model = onnx.load(str(path))
    properties = {
        "names": str(dict(enumerate(names))),
        "stride": str(max(STRIDES)),
        "imgsz": str([INPUT_HEIGHT, INPUT_WIDTH]),
        "task": "detect",
    }
    onnx.helper.set_model_props(model, properties)
    # The exporter names the output's sizes after nodes; readers choose the layout by numbers.
    rows, anchors = 4 + len(names), deployed.anchors
    for dim, size in zip(model.graph.output[0].type.tensor_type.shape.dim[1:], (rows, anchors)):
        dim.dim_value = size
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def largest_difference(deployed: DeployedNet, path: Path) -> tuple[float, float]:
    """The largest difference between ONNX Runtime and PyTorch on three noisy pictures: boxes [px], class odds."""
    images = np.random.default_rng(0).random((3, 3, INPUT_HEIGHT, INPUT_WIDTH), dtype=np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (output,) = session.run(["output0"], {"images": images})
    with torch.no_grad():
        difference = np.abs(deployed(torch.from_numpy(images)).numpy() - output)
    return float(difference[:, :4].max()), float(difference[:, 4:].max())


def main() -> None:
    """Export, compare, and refuse a file that is wrong or too large."""
    parser = argparse.ArgumentParser(description="Export roadscene to ONNX.")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    deployed, names = load_deployed(args.weights)
    export_onnx(deployed, names, args.out)
    boxes_px, odds = largest_difference(deployed, args.out)
    size = args.out.stat().st_size
    print(f"{args.out}: {size} bytes; ONNX Runtime against PyTorch: {boxes_px:.2g} px, {odds:.2g} in odds")
    if boxes_px > 0.05 or odds > 1e-3 or size > MOST_BYTES:
        raise SystemExit("the exported file differs from the net, or is too large")


if __name__ == "__main__":
    main()
