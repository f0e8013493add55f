"""An engine opened to see what is in it. Whoever calls has made sure that the file is whole and fits this device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.engine import EngineManifest
from edgekit.core.inspector import parse_inspector
from edgekit.core.requests import OpenedEngine
from edgekit.runtime.trt.library import load_library
from edgekit.runtime.trt.plan import activation_bytes, open_plan, tensor_specs

if TYPE_CHECKING:
    import tensorrt as trt

_MIB = 1 << 20


def inspect_plan(path: Path, manifest: EngineManifest) -> OpenedEngine:
    """Layers, inputs, outputs and memory of a plan file. Raises EngineError with TensorRT's first complaint."""
    opened = open_plan(path, manifest)
    try:
        return describe_engine(opened.engine)
    finally:
        opened.close()


def describe_engine(engine: trt.ICudaEngine) -> OpenedEngine:
    """What a deserialised engine tells of itself, in every release from 8.5 on."""
    module = load_library()
    inspector = engine.create_engine_inspector()
    layers = parse_inspector(inspector.get_engine_information(module.LayerInformationFormat.JSON))
    inputs, outputs = tensor_specs(engine)
    return OpenedEngine(module.__version__, layers, inputs, outputs, activation_bytes(engine) / _MIB)
