"""A model made ready for the quantiser: constants folded, batch norms merged, shapes and types of all tensors known."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import onnx
import onnx.version_converter
import onnxruntime

from edgekit.core.tensors import TensorSpec
from edgekit.errors import BuildError, ModelError
from edgekit.runtime.ort.engine import first_line, open_session, tensor_specs
from edgekit.runtime.ort.graph import name_nodes, opset


def fold(model: onnx.ModelProto, path: Path, minimum_opset: int) -> Tuple[TensorSpec, ...]:
    """Write the model's standard ONNX form to `path`, at `minimum_opset` or newer, every node named; its inputs.

    Raises ModelError if ONNX Runtime cannot run it, BuildError if it cannot be brought to that opset.
    """
    basic = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        session = open_session(model.SerializeToString(), optimise=basic, save_to=path)
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise ModelError("ONNX Runtime cannot run this model", why=first_line(error)) from error
    folded = at_opset(onnx.load(str(path)), minimum_opset)
    _keep_used_domains(folded)
    name_nodes(folded)
    onnx.save(onnx.shape_inference.infer_shapes(folded), str(path))
    return tensor_specs(session.get_inputs())


def at_opset(model: onnx.ModelProto, minimum: int) -> onnx.ModelProto:
    """The model at an opset of `minimum` or newer. Raises BuildError if ONNX cannot convert it."""
    if opset(model) >= minimum:
        return model
    try:
        return onnx.version_converter.convert_version(model, minimum)
    except Exception as error:  # the converter is C++ and raises what it likes
        raise BuildError(
            f"the model has opset {opset(model)}; this precision needs {minimum}",
            why=first_line(error),
            hint=f"export the model with opset {minimum} or newer",
        ) from error


def _keep_used_domains(model: onnx.ModelProto) -> None:
    """Drop the operator sets that ONNX Runtime lists in every model it saves, and the file version they came with."""
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    model.ir_version = onnx.helper.find_min_ir_version_for(kept, ignore_unknown=True)
