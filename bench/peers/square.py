"""The demo detector for square pictures: the same weights at 640 x 640, for peers whose kernels know squares only.

    python bench/peers/square.py detectors/roadscene/model.onnx SQUARE.onnx

Needs the package onnx. The network is convolutional: only the places of its cells and the lengths that reshapes name
depend on the size. Python 3.8.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

SIDE = 640
STRIDES = (8, 16, 32)


def squared(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model for (1, 3, SIDE, SIDE)."""
    height, width = (size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[2:])
    places = {height * width // stride**2: SIDE**2 // stride**2 for stride in STRIDES}
    places[sum(places)] = sum(places.values())
    for tensor, values in (("centres", centres()), ("strides", strides())):
        held = next(item for item in model.graph.initializer if item.name == tensor)
        kind = numpy_helper.to_array(held).dtype
        held.CopyFrom(numpy_helper.from_array(values.astype(kind), tensor))
    for node in model.graph.node:
        if node.op_type == "Constant":
            shape = numpy_helper.to_array(node.attribute[0].t)
            if shape.dtype == np.int64 and shape.ndim == 1:
                new = np.array([places.get(size, size) for size in shape.tolist()], np.int64)
                node.attribute[0].t.CopyFrom(numpy_helper.from_array(new))
    for value, sizes in ((model.graph.input[0], (1, 3, SIDE, SIDE)), (model.graph.output[0], (1, None, max(places)))):
        for dimension, size in zip(value.type.tensor_type.shape.dim, sizes):
            if size is not None:
                dimension.dim_value = places.get(size, size)
    del model.graph.value_info[:]
    return model


def centres() -> np.ndarray:
    """(1, 2, places) x and y of the middle of every cell, px."""
    grids = [(np.mgrid[: SIDE // step, : SIDE // step][::-1].reshape(2, -1) + 0.5) * step for step in STRIDES]
    return np.concatenate(grids, axis=1)[None]


def strides() -> np.ndarray:
    """(1, 1, places)."""
    return np.concatenate([np.full((SIDE // stride) ** 2, stride) for stride in STRIDES])[None, None]


def main() -> int:
    """Read the command line."""
    source, out = map(Path, sys.argv[1:3])
    onnx.save(squared(onnx.load(str(source))), str(out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
