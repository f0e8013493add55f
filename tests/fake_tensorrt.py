"""A stand-in for the module tensorrt, for machines without a GPU: it has the names of a real release and no others.

Origin: names, read-only properties and enumerations come from tests/cases/trt_api, recorded from NVIDIA's bindings; a
name that a release lacks raises AttributeError here as it does there. What the objects do is made up, and only as much
as a build needs: an ONNX file becomes layers, flags become precisions, an engine is a JSON text. It was not compared
with TensorRT, and says nothing about speed, fusion or numbers. tests/runtime/trt/test_gpu_build.py is the real thing.
"""

from __future__ import annotations

import enum
import json
import types
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Set, Tuple

import onnx

from tests.trt_surface import Surface, load_surface

_LAYER_TYPES = {
    "Conv": "CONVOLUTION",
    "MatMul": "MATRIX_MULTIPLY",
    "Relu": "ACTIVATION",
    "Sigmoid": "ACTIVATION",
    "Softmax": "SOFTMAX",
    "Add": "ELEMENTWISE",
    "Mul": "ELEMENTWISE",
    "Sub": "ELEMENTWISE",
    "Div": "ELEMENTWISE",
    "Concat": "CONCATENATION",
    "Reshape": "SHUFFLE",
    "Transpose": "SHUFFLE",
    "Split": "SLICE",
    "Identity": "IDENTITY",
    "Shape": "SHAPE",
    "Constant": "CONSTANT",
    "QuantizeLinear": "QUANTIZE",
    "DequantizeLinear": "DEQUANTIZE",
}
_ELEMENT_TYPES = {1: "FLOAT", 10: "HALF", 6: "INT32", 7: "INT32", 9: "BOOL", 3: "INT8"}
_PLAN_MAGIC = b"ftrt"


@dataclass
class Script:
    """What a test makes the fake do, and what it noted."""

    refuses: Set[str] = field(default_factory=set)  # operators without importer
    says: List[Tuple[str, str]] = field(default_factory=list)  # (severity, text) while building
    builds: bool = True
    takes_timing_cache: bool = True
    dla_cores: int = 0
    not_on_dla: Set[str] = field(default_factory=set)  # layer types
    while_building: Callable[[], None] = lambda: None
    calibration_batches: int = 0
    flags: Set[str] = field(default_factory=set)
    kept_float: Set[str] = field(default_factory=set)
    workspace_bytes: int = 0
    profiles: List[Dict[str, Any]] = field(default_factory=list)
    tactic_sources: int = -1
    timing_cache_given: Optional[bytes] = None


def make_fake_tensorrt(version: str, script: Optional[Script] = None) -> Any:
    """A module with the names of TensorRT `version`, one of trt_surface.VERSIONS. `script` is its attribute _script."""
    surface = load_surface(version)
    module: Any = types.ModuleType("tensorrt")
    module._surface, module._script = surface, script or Script()
    module.__version__ = version
    for name, described in surface.classes.items():
        if "." not in name:
            setattr(module, name, _made_class(module, surface, name, described))
    module.ILogger.Severity = _enumeration("Severity", surface.classes["ILogger.Severity"])
    module.init_libnvinfer_plugins = lambda logger, namespace: True
    registry = _make(module, "IPluginRegistry", _creators=[])
    module.get_plugin_registry = lambda: registry
    return module


def _made_class(module: Any, surface: Surface, name: str, described: Dict[str, Any]) -> Any:
    if "members" in described:
        return _enumeration(name, described)
    behaviour = _BEHAVIOUR.get(name, _Object)
    if name in _INTERFACES:
        return type(name, (), {})
    made = type(name, (behaviour,), {"__module__": "tensorrt"})
    made._names = frozenset({*described.get("methods", {}), *described.get("properties", {})})
    made._properties = frozenset(described.get("properties", {}))
    made._settable = frozenset(described.get("settable", ()))
    made._trt = module
    return made


def _enumeration(name: str, described: Dict[str, Any]) -> Any:
    return enum.IntEnum(name, described["members"])


_INTERFACES = (
    *("ILogger", "IInt8EntropyCalibrator2", "IInt8MinMaxCalibrator", "IProgressMonitor", "IOutputAllocator"),
    *("IGpuAllocator", "IProfiler", "IErrorRecorder"),
)


class _Object:
    """Refuses every public name that the release does not have, and to set what is read-only there."""

    _names: FrozenSet[str] = frozenset()
    _properties: FrozenSet[str] = frozenset()
    _settable: FrozenSet[str] = frozenset()
    _trt: Any = None

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name not in type(self)._names:
            raise AttributeError(f"'tensorrt.{type(self).__name__}' object has no attribute {name!r}")
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in type(self)._settable:
            raise AttributeError(f"'tensorrt.{type(self).__name__}' object has no attribute {name!r} to set")
        object.__setattr__(self, name if name.startswith("_") else f"_{name}", value)

    def __getattr__(self, name: str) -> Any:
        if name not in type(self)._properties:
            raise AttributeError(f"{type(self).__name__} has no {name!r}, or the stand-in does not do it")
        return self.__dict__.get(f"_{name}")  # None until it is set


def _make(module: Any, class_name: str, **state: Any) -> Any:
    made = object.__new__(getattr(module, class_name))
    for name, value in state.items():
        object.__setattr__(made, name, value)
    return made


class _Registry(_Object):
    @property
    def all_creators(self) -> List[Any]:
        return self._creators

    plugin_creator_list = all_creators


class _Builder(_Object):
    def __init__(self, logger: Any) -> None:
        self._logger = logger

    @property
    def num_DLA_cores(self) -> int:
        return self._trt._script.dla_cores

    def create_network(self, flags: int = 0) -> Any:
        creation = self._trt.NetworkDefinitionCreationFlag
        explicit = getattr(creation, "EXPLICIT_BATCH", None)
        if self._trt._surface.release < (10, 0) and not flags & (1 << int(explicit)):
            raise RuntimeError("implicit batch")
        return _make(self._trt, "INetworkDefinition", _inputs=[], _outputs=[], _layers=[], _tensors={})

    def create_builder_config(self) -> Any:
        return _make(self._trt, "IBuilderConfig", _flags=set(), _profiles=[], _cache=None, _sources=0x1F)

    def create_optimization_profile(self) -> Any:
        return _make(self._trt, "IOptimizationProfile", _shapes={})

    def build_serialized_network(self, network: Any, config: Any) -> Optional[bytes]:
        script = self._trt._script
        for severity, text in script.says:
            self._logger.log(self._trt.ILogger.Severity[severity], text)
        script.while_building()
        script.flags = {flag.name for flag in config._flags}
        script.profiles = [profile._shapes for profile in config._profiles]
        monitor = getattr(config, "_progress_monitor", None)
        if monitor is not None and not _run_monitor(monitor):
            return None
        calibrator = getattr(config, "_int8_calibrator", None)
        if calibrator is not None and not self._calibrate(calibrator, network):
            return None
        return self._plan(network, script) if script.builds else None

    def _calibrate(self, calibrator: Any, network: Any) -> bool:
        if calibrator.read_calibration_cache() is not None:
            return True
        names = [tensor._name for tensor in network._inputs]
        assert calibrator.get_batch_size() >= 1
        while True:
            batch = calibrator.get_batch(names)  # as TensorRT: None ends it, whatever the reason
            if batch is None:
                break
            assert len(batch) == len(names) and all(isinstance(address, int) for address in batch)
            self._trt._script.calibration_batches += 1
        if self._trt._script.calibration_batches:
            calibrator.write_calibration_cache(memoryview(b"TRT-ranges"))
        return self._trt._script.calibration_batches > 0

    def _plan(self, network: Any, script: Script) -> bytes:
        layers = [_engine_layer(layer, script) for layer in network._layers if layer._type.name != "CONSTANT"]
        document = {
            "layers": layers,
            "tensors": [
                [tensor._name, list(tensor._shape), tensor._dtype.name, mode]
                for mode, tensors in (("INPUT", network._inputs), ("OUTPUT", network._outputs))
                for tensor in tensors
            ],
        }
        return _PLAN_MAGIC + json.dumps(document).encode()


def _run_monitor(monitor: Any) -> bool:
    monitor.phase_start("Building Engine", None, 2)
    monitor.phase_start("Timing Runners", "Building Engine", 1)
    going = monitor.step_complete("Timing Runners", 0)
    monitor.phase_finish("Timing Runners")
    going = going and monitor.step_complete("Building Engine", 0) and monitor.step_complete("Building Engine", 1)
    monitor.phase_finish("Building Engine")
    return going


def _engine_layer(layer: Any, script: Script) -> Dict[str, Any]:
    kept = layer._name in script.kept_float
    quantised = "INT8" in script.flags and not kept and layer._type.name == "CONVOLUTION"
    precision = "Int8" if quantised else "Half" if "FP16" in script.flags else "Float"
    described = {"Name": layer._name, "LayerType": layer._type.name.title(), "TacticName": "made_up"}
    if layer._type.name == "CONVOLUTION":
        described.update(LayerType="CaskConvolution", Weights={"Type": precision, "Count": 1})
    described["Outputs"] = [{"Name": tensor._name, "Format/Datatype": precision} for tensor in layer._outputs]
    return described


class _Config(_Object):
    def set_flag(self, flag: Any) -> None:
        self._flags.add(self._trt.BuilderFlag(flag))

    def get_flag(self, flag: Any) -> bool:
        return flag in self._flags

    def set_memory_pool_limit(self, pool: Any, size: int) -> None:
        assert pool == self._trt.MemoryPoolType.WORKSPACE
        self._trt._script.workspace_bytes = size

    def get_tactic_sources(self) -> int:
        return self._sources

    def set_tactic_sources(self, sources: int) -> bool:
        self._trt._script.tactic_sources = sources
        return True

    def add_optimization_profile(self, profile: Any) -> int:
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def set_calibration_profile(self, profile: Any) -> bool:
        return profile in self._profiles

    def create_timing_cache(self, content: bytes) -> Any:
        return _make(self._trt, "ITimingCache", _content=content)

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if cache._content and not self._trt._script.takes_timing_cache:
            return False
        self._trt._script.timing_cache_given = cache._content
        self._cache = cache
        return True

    def get_timing_cache(self) -> Any:
        return self._cache

    def can_run_on_DLA(self, layer: Any) -> bool:
        return layer._type.name not in self._trt._script.not_on_dla


class _TimingCache(_Object):
    def serialize(self) -> bytes:
        return self._content + b"+timings"


class _Profile(_Object):
    def set_shape(self, name: str, minimum: Any, optimum: Any, maximum: Any) -> None:
        self._shapes[name] = (tuple(minimum), tuple(optimum), tuple(maximum))


class _Network(_Object):
    num_inputs = property(lambda self: len(self._inputs))
    num_outputs = property(lambda self: len(self._outputs))
    num_layers = property(lambda self: len(self._layers))

    def get_input(self, index: int) -> Any:
        return self._inputs[index]

    def get_layer(self, index: int) -> Any:
        return self._layers[index]


class _Layer(_Object):
    num_inputs = property(lambda self: len(self._sources))
    num_outputs = property(lambda self: len(self._outputs))

    def get_input(self, index: int) -> Any:
        return self._sources[index] if index < len(self._sources) else None

    def get_output(self, index: int) -> Any:
        return self._outputs[index]

    def set_output_type(self, index: int, kind: Any) -> None:
        # As TensorRT, which fails the build later on.
        assert self._outputs[index]._dtype.name in ("FLOAT", "HALF"), self._name
        self._trt._script.kept_float.add(self._name)


class _Parser(_Object):
    def __init__(self, network: Any, logger: Any) -> None:
        self._network, self._errors = network, []

    num_errors = property(lambda self: len(self._errors))

    def get_error(self, index: int) -> Any:
        return self._errors[index]

    def supports_operator(self, operator: str) -> bool:
        return operator in _LAYER_TYPES and operator not in self._trt._script.refuses

    def parse(self, content: bytes, path: Optional[str] = None) -> bool:
        graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(content)).graph
        known = {item.name: item for item in (*graph.value_info, *graph.output, *graph.input)}
        constants = {item.name for item in graph.initializer}
        network = self._network
        network._inputs += [self._tensor(item.name, known) for item in graph.input if item.name not in constants]
        for index, node in enumerate(graph.node):
            if not self.supports_operator(node.op_type):
                self._errors.append(self._error(index, node))
                if self._trt._surface.release < (10, 0):
                    return False  # the importers of TensorRT 8 stop at the first
                continue
            self._layer(node, known, constants)
        network._outputs += [self._tensor(item.name, known) for item in graph.output]
        return not self._errors

    def _error(self, index: int, node: Any) -> Any:
        text = f"In node {index} ({node.name}): UNSUPPORTED_NODE: No importer registered for op: {node.op_type}"
        return _make(self._trt, "ParserError", _index=index, _text=text, _node=node)

    def _layer(self, node: Any, known: Dict[str, Any], constants: Set[str]) -> None:
        sources = [
            self._tensor(name, known, is_shape=name in constants) for name in node.input if name not in constants
        ]
        outputs = [self._tensor(name, known) for name in node.output]
        kind = self._trt.LayerType[_LAYER_TYPES[node.op_type]]
        layer = _make(self._trt, "ILayer", _name=node.name, _type=kind, _sources=sources, _outputs=outputs)
        self._network._layers.append(layer)

    def _tensor(self, name: str, known: Dict[str, Any], is_shape: bool = False) -> Any:
        item = known.get(name)
        kind, shape = "FLOAT", ()
        if item is not None:
            kind = _ELEMENT_TYPES.get(item.type.tensor_type.elem_type, "FLOAT")
            shape = tuple(dim.dim_value or -1 for dim in item.type.tensor_type.shape.dim)
        state = {"_name": name, "_dtype": self._trt.DataType[kind], "_shape": shape, "_is_shape_tensor": is_shape}
        return _make(self._trt, "ITensor", _is_network_output=name.startswith("output"), **state)


class _ParserError(_Object):
    def node(self) -> int:
        return self._index

    def desc(self) -> str:
        return self._text

    def node_name(self) -> str:
        return self._node.name

    def node_operator(self) -> str:
        return self._node.op_type


class _Runtime(_Object):
    def __init__(self, logger: Any) -> None:
        self._DLA_core = -1

    def deserialize_cuda_engine(self, content: bytes) -> Any:
        if not content.startswith(_PLAN_MAGIC):
            return None
        return _make(self._trt, "ICudaEngine", _document=json.loads(content[4:]))


class _Engine(_Object):
    num_io_tensors = property(lambda self: len(self._document["tensors"]))
    device_memory_size = property(lambda self: 3 << 20)
    device_memory_size_v2 = property(lambda self: 3 << 20)

    def get_tensor_name(self, index: int) -> str:
        return self._document["tensors"][index][0]

    def _found(self, name: str) -> List[Any]:
        return next(item for item in self._document["tensors"] if item[0] == name)

    def get_tensor_shape(self, name: str) -> Tuple[int, ...]:
        return tuple(self._found(name)[1])

    def get_tensor_dtype(self, name: str) -> Any:
        return self._trt.DataType[self._found(name)[2]]

    def get_tensor_mode(self, name: str) -> Any:
        return self._trt.TensorIOMode[self._found(name)[3]]

    def get_tensor_location(self, name: str) -> Any:
        return self._trt.TensorLocation.DEVICE

    def get_tensor_format(self, name: str) -> Any:
        return self._trt.TensorFormat.LINEAR

    def get_tensor_profile_shape(self, name: str, index: int) -> List[Tuple[int, ...]]:
        return [self.get_tensor_shape(name)] * 3

    def create_engine_inspector(self) -> Any:
        return _make(self._trt, "EngineInspector", _document=self._document)


class _Inspector(_Object):
    def get_engine_information(self, form: Any) -> str:
        assert form == self._trt.LayerInformationFormat.JSON
        return json.dumps({"Layers": self._document["layers"]})


_BEHAVIOUR: Dict[str, Any] = {
    "Builder": _Builder,
    "IBuilderConfig": _Config,
    "INetworkDefinition": _Network,
    "ILayer": _Layer,
    "ITimingCache": _TimingCache,
    "IOptimizationProfile": _Profile,
    "IPluginRegistry": _Registry,
    "OnnxParser": _Parser,
    "ParserError": _ParserError,
    "Runtime": _Runtime,
    "ICudaEngine": _Engine,
    "EngineInspector": _Inspector,
}
