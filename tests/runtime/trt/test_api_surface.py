"""Every name of TensorRT that edgekit uses exists in each release it must run on, checked without TensorRT."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trt_surface import VERSIONS
from tests.trt_usage import check_sources, read_sources

PACKAGE = Path(__file__).resolve().parents[3] / "edgekit" / "runtime" / "trt"
SOURCES = read_sources(PACKAGE)

# Without these being recognised, a clean result would mean nothing.
EVERYWHERE = (
    "Builder",
    "Builder.create_network",
    "Builder.create_builder_config",
    "Builder.create_optimization_profile",
    "Builder.build_serialized_network",
    "Builder.num_DLA_cores",
    "OnnxParser",
    "OnnxParser.parse",
    "OnnxParser.num_errors",
    "OnnxParser.get_error",
    "OnnxParser.supports_operator",
    "ParserError.desc",
    "INetworkDefinition.num_layers",
    "INetworkDefinition.get_layer",
    "INetworkDefinition.get_input",
    "ITensor.dtype",
    "ITensor.is_shape_tensor",
    "ILayer.type",
    "ILayer.get_output",
    "IOptimizationProfile.set_shape",
    "IBuilderConfig.add_optimization_profile",
    "IBuilderConfig.set_memory_pool_limit",
    "IBuilderConfig.profiling_verbosity",
    "IBuilderConfig.set_tactic_sources",
    "IBuilderConfig.create_timing_cache",
    "IBuilderConfig.set_timing_cache",
    "IBuilderConfig.get_timing_cache",
    "IBuilderConfig.default_device_type",
    "IBuilderConfig.DLA_core",
    "IBuilderConfig.can_run_on_DLA",
    "ITimingCache.serialize",
    "BuilderFlag.GPU_FALLBACK",
    "MemoryPoolType.WORKSPACE",
    "ProfilingVerbosity.DETAILED",
    "Runtime.deserialize_cuda_engine",
    "ICudaEngine.create_engine_inspector",
    "EngineInspector.get_engine_information",
    "ICudaEngine.num_io_tensors",
    "ICudaEngine.get_tensor_mode",
    "IExecutionContext.set_tensor_address",
    "IExecutionContext.execute_async_v3",
    "ILogger.log",
)
# Where each guarded name is and is not used.
GUARDED = {
    "BuilderFlag.FP16": lambda release: release < (11, 0),
    "BuilderFlag.INT8": lambda release: release < (11, 0),
    "BuilderFlag.OBEY_PRECISION_CONSTRAINTS": lambda release: release < (11, 0),
    "ILayer.precision": lambda release: release < (11, 0),
    "ILayer.set_output_type": lambda release: release < (11, 0),
    "IBuilderConfig.int8_calibrator": lambda release: release < (11, 0),
    "IInt8MinMaxCalibrator.get_batch": lambda release: release < (11, 0),
    "TacticSource.CUBLAS": lambda release: release < (11, 0),
    "NetworkDefinitionCreationFlag.EXPLICIT_BATCH": lambda release: release < (11, 0),
    "IBuilderConfig.builder_optimization_level": lambda release: release >= (8, 6),
    "IBuilderConfig.progress_monitor": lambda release: release >= (10, 0),
    "IProgressMonitor.step_complete": lambda release: release >= (10, 0),
    "ParserError.node_name": lambda release: release >= (10, 0),
    "IPluginRegistry.all_creators": lambda release: release >= (10, 0),
    "IPluginRegistry.plugin_creator_list": lambda release: release < (10, 0),
    "ICudaEngine.device_memory_size_v2": lambda release: release >= (10, 0),
    "ICudaEngine.device_memory_size": lambda release: release < (10, 0),
}


def release(version: str):
    return tuple(int(part) for part in version.split(".")[:2])


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_used_exists(version) -> None:
    """One missing name is an AttributeError on every board of that JetPack, after minutes of building."""
    problems, _ = check_sources(SOURCES, version)
    assert [f"{name}:{line}: TensorRT {version} has no {label}" for name, line, label in problems] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_check_sees_what_matters(version) -> None:
    """A check that recognises nothing finds nothing wrong."""
    _, uses = check_sources(SOURCES, version)
    assert [name for name in EVERYWHERE if not uses[name]] == []
    wanted = {name: used(release(version)) for name, used in GUARDED.items()}
    assert wanted == {name: uses[name] > 0 for name in GUARDED}
    assert len(uses) > 90


def problems_of(text: str, version: str = "10.3.0"):
    source = "from edgekit.runtime.trt.library import load_library, release\n" + text
    return [(line - 1, label) for _, line, label in check_sources({"planted.py": source}, version)[0]]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("def f(config: trt.IBuilderConfig):\n    config.max_workspace_size = 1", "IBuilderConfig.max_workspace_size"),
        ("def f():\n    trt = load_library()\n    return trt.BuilderFlag.STRICT_TYPES", "BuilderFlag.STRICT_TYPES"),
        (
            "def f():\n    trt = load_library()\n    b = trt.Builder(1)\n    b.build_engine(1, 2)",
            "Builder.build_engine",
        ),
        ("def f():\n    return load_library().Builder(1).create_network(0).bulid()", "INetworkDefinition.bulid"),
        ("def f(network: trt.INetworkDefinition):\n    return [network.get_layer(0).nane]", "ILayer.nane"),
        ("def f(engine: Any):\n    return engine.num_bindings", "ICudaEngine.num_bindings"),
        (
            "class A:\n    engine: Any\ndef f(a: A):\n    return a.engine.get_binding_name(0)",
            "ICudaEngine.get_binding_name",
        ),
        ("def f(layers: List[trt.ILayer]):\n    return [each.nome for each in layers]", "ILayer.nome"),
        (
            "def f():\n    trt = load_library()\n    class M(trt.IProgressMonitor):\n"
            "        def phase_begin(self): pass\n        def phase_finish(self): pass\n"
            "        def step_complete(self): pass",
            "IProgressMonitor.phase_start not overridden",
        ),
        ("def f(engine: trt.ICudaEngine):\n    engine.num_io_tensors = 3", "ICudaEngine.num_io_tensors"),
        (
            "def f(config: trt.IBuilderConfig):\n    if release() >= (10, 0):\n        config.nothing()",
            "IBuilderConfig.nothing",
        ),
    ],
    ids=lambda value: value if "\n" not in value else "",
)
def test_a_wrong_name_is_found(text, expected) -> None:
    """Planted in each of the ways in which edgekit reaches TensorRT's objects."""
    assert [expected] == [label for _, label in problems_of(text)]


@pytest.mark.parametrize(
    "text",
    [
        "def f(c: trt.IBuilderConfig):\n    if hasattr(c, 'max_workspace_size'):\n        c.max_workspace_size = 1",
        "def f(e: trt.ICudaEngine):\n    if not hasattr(e, 'num_bindings'):\n        return\n    e.num_bindings",
        "def f(e: trt.ICudaEngine):\n    return e.num_bindings if release() < (10, 0) else e.num_io_tensors",
        "def f(e: trt.ICudaEngine):\n    return hasattr(e, 'num_bindings') and e.num_bindings > 3",
        "def f(e: trt.ICudaEngine):\n    if x or not hasattr(e, 'num_bindings'):\n        raise x\n    e.num_bindings",
    ],
    ids=["if hasattr", "if not, return", "release in an expression", "and", "or, raise"],
)
def test_guards_hide_what_a_release_does_not_reach(text) -> None:
    """The one code path over all releases consists of such guards."""
    assert problems_of(text) == []
    assert problems_of(text, "8.5.2") == []


def test_a_guard_for_another_name_hides_nothing() -> None:
    """hasattr of the wrong name is the likeliest slip."""
    text = "def f(e: trt.ICudaEngine):\n    if hasattr(e, 'num_io_tensors'):\n        return e.num_bindings"
    assert [label for _, label in problems_of(text)] == ["ICudaEngine.num_bindings"]
