"""A Triton model repository: config.pbtxt and the README beside it.

Source of the format: ModelConfig in triton-inference-server/common, protobuf/model_config.proto; the tests parse what
is written here with that schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.core.tensors import TensorSpec
from edgekit.errors import UsageError
from edgekit.report.exports.served import (
    ServedModel,
    answer_lines,
    backend_of,
    labels_text,
    origin_lines,
    preprocessing_lines,
    size_line,
)

CONFIG_NAME = "config.pbtxt"
VERSION = "1"

_TYPES = {
    "float32": "TYPE_FP32",
    "float16": "TYPE_FP16",
    "float64": "TYPE_FP64",
    "int64": "TYPE_INT64",
    "int32": "TYPE_INT32",
    "int8": "TYPE_INT8",
    "uint8": "TYPE_UINT8",
    "bool": "TYPE_BOOL",
}
# Their outputs hold rows of the whole batch, so that Triton could not part them again.
_NOT_BATCH_FIRST = ("rtdetr-paddle", "onnx-nms-xyxy", "onnx-nms-yxyx", "onnx-nms-cxcywh")


@dataclass(frozen=True)
class Serving:
    """How Triton is to run it. gpus: their ids; none: a plan on GPU 0, an ONNX file on the processor."""

    gpus: tuple[int, ...] = ()
    instances: int = 1  # copies that run at the same time, on each GPU


def max_batch_size(model: ServedModel) -> int:
    """Triton's max_batch_size: 0 where it cannot put pictures of several requests together.

    It can if the first dimension of every input and output is the batch, and any from 1 up is taken.
    """
    every = (*model.inputs, *model.outputs)
    batched = all(len(spec.shape) > 1 and spec.shape[0] is None for spec in every)
    if not batched or model.detector.layout in _NOT_BATCH_FIRST or model.profile.minimum.batch > 1:
        return 0
    return model.profile.maximum.batch


def repository_files(model: ServedModel, serving: Serving) -> dict[str, str]:
    """The texts of a model's folder, by name; the model itself goes to 1/<its file name>."""
    return {
        CONFIG_NAME: config_text(model, serving),
        "labels.txt": labels_text(model.detector),
        "README.md": readme_text(model, serving),
    }


def config_text(model: ServedModel, serving: Serving) -> str:
    """config.pbtxt. Raises UsageError for types that Triton does not know, and a plan without a GPU."""
    backend, platform = ("onnxruntime", "onnxruntime_onnx") if model.engine is None else ("tensorrt", "tensorrt_plan")
    batch = max_batch_size(model)
    lines = [
        f"name: {_quoted(model.name)}",
        f"backend: {_quoted(backend)}",
        f"platform: {_quoted(platform)}",
        f"default_model_filename: {_quoted(model.file_name)}",
        "version_policy { latest { num_versions: 1 } }",
        f"max_batch_size: {batch}",
        *(_tensor("input", spec, batch) for spec in model.inputs),
        *(_tensor("output", spec, batch) for spec in model.outputs),
        *(["dynamic_batching { max_queue_delay_microseconds: 0 }"] if batch > 1 else []),
        _instance_group(model, serving),
        "optimization { input_pinned_memory { enable: true } output_pinned_memory { enable: true } }",
    ]
    return "\n".join(lines) + "\n"


def _tensor(kind: str, spec: TensorSpec, batch: int) -> str:
    if spec.dtype not in _TYPES:
        raise UsageError(f"Triton has no type for {spec}", why=f"known: {', '.join(_TYPES)}")
    shape = spec.shape[1:] if batch else spec.shape
    dims = ", ".join(str(-1 if dim is None else dim) for dim in shape)
    return f"{kind} {{ name: {_quoted(spec.name)} data_type: {_TYPES[spec.dtype]} dims: [ {dims} ] }}"


def _instance_group(model: ServedModel, serving: Serving) -> str:
    if model.engine is None and not serving.gpus:
        return f"instance_group {{ count: {serving.instances} kind: KIND_CPU }}"
    gpus = ", ".join(str(gpu) for gpu in serving.gpus or (0,))
    core = model.dla_core
    dla = "" if core is None else f" secondary_devices {{ kind: KIND_NVDLA device_id: {core} }}"
    return f"instance_group {{ count: {serving.instances} kind: KIND_GPU gpus: [ {gpus} ]{dla} }}"


def _quoted(text: str) -> str:
    """A string of protobuf's text format: a tensor's name may hold anything."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\{ord(sign):03o}" if ord(sign) < 32 else sign for sign in escaped) + '"'


def readme_text(model: ServedModel, serving: Serving) -> str:
    """What nobody is to guess: where it runs, how pictures go in, what comes out, how requests are batched."""
    return _joined(
        [
            f"# {model.name} for Triton Inference Server",
            "",
            *origin_lines(model),
            *_plugin_lines(model),
            "",
            "## A picture goes in",
            f"{size_line(model)} The client prepares a frame of w x h pixels for an input of W x H so:",
            "",
            *preprocessing_lines(model),
            "## What comes out",
            *answer_lines(model),
            "",
            "## Batches",
            _batch_line(model),
            "",
            "## Starting",
            "The folder above this one is the repository:",
            "",
            "    tritonserver --model-repository=REPOSITORY",
            "",
            _server_line(model, serving),
        ]
    )


def _batch_line(model: ServedModel) -> str:
    batch = max_batch_size(model)
    if batch > 1:
        return (
            f"Triton puts up to {batch} waiting pictures together, and does not wait for more to come: raise "
            "`max_queue_delay_microseconds` in config.pbtxt to trade latency for throughput, and measure both. "
            "Shapes in config.pbtxt have no batch dimension; requests have it."
        )
    if batch == 1:
        return "One picture a request, with a batch dimension of 1, which config.pbtxt leaves out as Triton wants it."
    return (
        "Triton cannot batch this model: requests carry whole shapes as in config.pbtxt, the batch dimension included."
    )


def _server_line(model: ServedModel, serving: Serving) -> str:
    if model.engine is not None:
        return f"That Triton must run with the very TensorRT of the plan: {backend_of(model.engine.engine_key)}."
    where = "the processor" if not serving.gpus else f"GPU {', '.join(map(str, serving.gpus))}"
    return f"It needs Triton's onnxruntime back end and runs on {where}."


def _plugin_lines(model: ServedModel) -> list[str]:
    if not model.plugins:
        return []
    libraries = ", ".join(f"`{path}`" for path in model.plugins)
    return [f"It needs plugin libraries that are not in this folder: {libraries}. Load them with LD_PRELOAD."]


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"
