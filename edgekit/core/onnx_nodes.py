"""The nodes and opsets of an ONNX file, read without the package onnx, which a device does not have.

Source: onnx.proto of ONNX (field numbers of ModelProto, GraphProto, NodeProto, OperatorSetIdProto) and the protocol
buffers encoding guide. Everything else in the file is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, Tuple, Union

from edgekit.errors import ModelError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH, _MODEL_OPSET = 7, 8
_GRAPH_NODE = 1
_NODE_NAME, _NODE_OPERATOR, _NODE_DOMAIN = 3, 4, 7
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_STANDARD = ("", "ai.onnx")

_Field = Union[int, memoryview]


@dataclass(frozen=True)
class OnnxNode:
    """One node of the graph. domain "" is ONNX's own."""

    name: str
    operator: str
    domain: str = ""

    @property
    def custom(self) -> bool:
        """True if the operator is not one of ONNX's own."""
        return self.domain not in _STANDARD


@dataclass(frozen=True)
class OnnxNodes:
    """The nodes of the main graph in file order, and the opset of each domain."""

    nodes: Tuple[OnnxNode, ...]
    opsets: Dict[str, int]

    @property
    def opset(self) -> int:
        """Of ONNX's own operators; 0 if the file does not say."""
        return max((version for domain, version in self.opsets.items() if domain in _STANDARD), default=0)


def read_onnx_nodes(content: bytes) -> OnnxNodes:
    """Read a model file's nodes and opsets. Raises ModelError if the bytes are no protocol buffer."""
    nodes, opsets = [], {}
    try:
        for number, value in _fields(memoryview(content)):
            if number == _MODEL_GRAPH:
                nodes += [_node(item) for field, item in _fields(value) if field == _GRAPH_NODE]
            elif number == _MODEL_OPSET:
                opset = dict(_fields(value))
                opsets[_text(opset.get(_OPSET_DOMAIN))] = int(opset.get(_OPSET_VERSION, 0))
    except (IndexError, TypeError, ValueError) as error:
        raise ModelError("the model file is no ONNX model", why=str(error)) from None
    return OnnxNodes(tuple(nodes), opsets)


def _node(message: _Field) -> OnnxNode:
    found = dict(_fields(message))
    return OnnxNode(_text(found.get(_NODE_NAME)), _text(found.get(_NODE_OPERATOR)), _text(found.get(_NODE_DOMAIN)))


def _text(value: object) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview) else ""


def _fields(message: _Field) -> Iterator[Tuple[int, _Field]]:
    """(field number, value) of a message: an int, or the bytes of a string or a message inside."""
    if not isinstance(message, memoryview):
        raise ValueError("a number where a message should be")
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if at + length > len(message):
            raise ValueError(f"the file ends within a field at byte {at}")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> Tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError(f"a number without end at byte {at}")
