"""What TensorRT's engine inspector writes, read: the layers of an engine. The caller asks for its JSON form."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Tuple

from edgekit.core.engine import EngineLayer
from edgekit.errors import EngineError

# Words of a tensor's format -> precision. 8.x writes sentences ("Thirty-two wide channel vectorized row major Int8
# format."), 10.x also plain types ("Half"). Longer words first: "BFloat16" holds "Float".
_TYPES = (
    ("bfloat16", "bf16"),
    ("bf16", "bf16"),
    ("fp16", "fp16"),
    ("half", "fp16"),
    ("fp8", "fp8"),
    ("int8", "int8"),
    ("int4", "int4"),
    ("fp4", "fp4"),
    ("int64", "int64"),
    ("int32", "int32"),
    ("uint8", "uint8"),
    ("bool", "bool"),
    ("fp32", "fp32"),
    ("float", "fp32"),
)
_MULTIPLYING = ("conv", "gemm", "matrixmultiply", "matmul", "fullyconnected", "deconv")


def parse_inspector(text: str) -> Tuple[EngineLayer, ...]:
    """The layers in the order in which they run.

    An engine built with names only gives layers without kind, precision and tactic. Raises EngineError if the text is
    no inspector's JSON. Source: EngineInspector.get_engine_information of TensorRT 8.5 to 11; the records are described
    by example in the developer guide, "Engine Inspector".
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineError("TensorRT's engine inspector gave no JSON", why=str(error)) from None
    layers = document.get("Layers") if isinstance(document, dict) else document
    if not isinstance(layers, list):
        raise EngineError("TensorRT's engine inspector gave no list of layers")
    return tuple(_layer(record) for record in layers)


def _layer(record: Any) -> EngineLayer:
    if not isinstance(record, dict):
        return EngineLayer(str(record), "", "")
    kind = str(record.get("LayerType", ""))
    return EngineLayer(
        name=str(record.get("Name", "")),
        kind=kind,
        precision=_precision(kind, record),
        tactic=str(record.get("TacticName") or record.get("TacticValue") or ""),
        on_dla="dla" in kind.lower(),
    )


def _precision(kind: str, record: Mapping[str, Any]) -> str:
    """What a layer computes in: a multiplying one in its weights' or input's type, others in their output's."""
    weights = record.get("Weights")
    if isinstance(weights, dict) and weights.get("Type"):
        return _type(str(weights["Type"]))
    inputs, outputs = _tensors(record, "Inputs"), _tensors(record, "Outputs")
    multiplies = any(word in kind.lower() for word in _MULTIPLYING)
    found = (inputs or outputs) if multiplies else (outputs or inputs)
    return _type(_format(found[0])) if found else ""


def _tensors(record: Mapping[str, Any], name: str) -> List[Dict[str, Any]]:
    listed = record.get(name)
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _format(tensor: Mapping[str, Any]) -> str:
    return str(tensor.get("Format/Datatype") or tensor.get("Datatype") or tensor.get("DataType") or "")


def _type(words: str) -> str:
    lower = words.lower()
    return next((precision for word, precision in _TYPES if word in lower), "")
