"""An ONNX file -> the facts that decide how it is used. Nothing outside the file is ever opened for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit import files
from edgekit.control.records import read_record
from edgekit.core.tensors import TensorSpec
from edgekit.core.wire import to_wire
from edgekit.errors import ModelError, NotFoundError

MAX_MODEL_BYTES = 1 << 30
MIN_OPSET = 13  # the first with per-channel QuantizeLinear

_KNOWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
_QDQ = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger")
_NOT_ONNX = (
    (b"PK\x03\x04", "it is a ZIP file, probably a PyTorch checkpoint (.pt)", "export it to ONNX first"),
    (b"version https://git-lfs", "it is a Git LFS pointer, not the file itself", "git lfs pull"),
    (b"ftrt", "it is a TensorRT engine", "use the ONNX file the engine was built from"),
    (b"<", "it is a web page or XML, perhaps a failed download", "download it again"),
)


@dataclass(frozen=True)
class ModelFacts:
    """What an ONNX file says about itself. Inputs leave out weights; warnings are for people."""

    sha256: str
    file_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: dict[str, str]
    opset: int
    domains: tuple[str, ...]  # of operators that are neither standard ONNX nor defined in the file
    producer: str
    nodes: int
    parameters: int
    has_qdq: bool
    trained_quantised: bool  # brings Q/DQ pairs of its own, which TensorRT and ONNX Runtime build from as they are
    warnings: tuple[str, ...] = ()
    schema: int = 1


def inspect_onnx(path: Path, *, cache_dir: Path | None = None, allow_domains: tuple[str, ...] = ()) -> ModelFacts:
    """The facts of a model file, checked; read from cache_dir if the same content was inspected before.

    Raises NotFoundError without a file, ModelError if it is no usable ONNX model: empty, cut short, too large, with
    weights in other files, or with operators of domains that are not in allow_domains.
    """
    _check_file(path)
    sha256 = files.sha256_file(path)
    cached = cache_dir / "models" / f"{sha256}.json" if cache_dir else None
    facts = _read_cached(cached)
    if facts is None:
        facts = _inspect(path, sha256)
        _write_cached(cached, facts)
    _check_domains(path, facts, allow_domains)
    return facts


def _check_file(path: Path) -> None:
    if not path.exists():
        raise NotFoundError(f"{path} is missing")
    if not path.is_file():
        raise ModelError(f"{path} is not a file")
    size = path.stat().st_size
    if size == 0:
        raise ModelError(f"{path} is empty", why="a copy was probably cut off", hint="export or copy it again")
    if size > MAX_MODEL_BYTES:
        raise ModelError(f"{path} holds {size >> 20} MiB; at most {MAX_MODEL_BYTES >> 20} MiB are read")


def _inspect(path: Path, sha256: str) -> ModelFacts:
    content = path.read_bytes()
    for magic, why, hint in _NOT_ONNX:
        if content.startswith(magic):
            raise ModelError(f"{path} is not an ONNX model", why=why, hint=hint)
    model = _parse(path, content)
    _check_external(path, model)
    facts = _facts(model, sha256, len(content))
    if not set(facts.domains):
        _check_graph(path, model)
    return facts


def _parse(path: Path, content: bytes) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]

    damaged = ModelError(
        f"{path} cannot be read as an ONNX model",
        why="it is damaged, cut short, or something else",
        hint="export or copy it again",
    )
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError):
        raise damaged from None
    if not model.graph.node or not model.graph.output:
        raise damaged
    return model


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and every graph inside its nodes (branches of If, bodies of Loop)."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def _nodes(model: Any) -> Iterator[Any]:
    for graph in _graphs(model.graph):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def _tensors(model: Any) -> Iterator[Any]:
    for graph in _graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)


def _check_external(path: Path, model: Any) -> None:
    import onnx

    outside = [tensor for tensor in _tensors(model) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        places = {entry.value for tensor in outside for entry in tensor.external_data if entry.key == "location"}
        raise ModelError(
            f"{path} keeps {len(outside)} of its weights in other files: {', '.join(sorted(places)[:3])}",
            why="a detector's model is one file, so that its digest covers all of it",
            hint="export it as one file: onnx.save(onnx.load(IN), OUT, save_as_external_data=False)",
        )


def _check_graph(path: Path, model: Any) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        first = str(error).strip().splitlines()[0]
        raise ModelError(f"{path} is not a valid ONNX model", why=first, hint="export it again") from None


def _check_domains(path: Path, facts: ModelFacts, allowed: tuple[str, ...]) -> None:
    foreign = [domain for domain in facts.domains if domain not in allowed]
    if foreign:
        raise ModelError(
            f"{path} uses operators of {', '.join(repr(domain) for domain in foreign)}",
            why="they need a plugin that edgekit does not bring",
            hint=f"export without them, or allow them in detector.yaml: allow_domains: [{', '.join(foreign)}]",
        )


def _facts(model: Any, sha256: str, file_bytes: int) -> ModelFacts:
    import onnx

    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    inside = {function.domain for function in model.functions}
    domains = {node.domain for node in _nodes(model)} - inside - set(_KNOWN_DOMAINS)
    initializers = [tensor for part in _graphs(graph) for tensor in part.initializer]
    facts = ModelFacts(
        sha256=sha256,
        file_bytes=file_bytes,
        inputs=tuple(_spec(value) for value in graph.input if value.name not in weights),
        outputs=tuple(_spec(value) for value in graph.output),
        metadata={entry.key: entry.value for entry in model.metadata_props} | _nms_metadata(graph),
        opset=opset,
        domains=tuple(sorted(domains)),
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        nodes=sum(1 for _ in _nodes(model)),
        parameters=sum(_count(tensor.dims) for tensor in initializers if tensor.data_type != onnx.TensorProto.INT64),
        has_qdq=any(node.op_type in _QDQ for node in _nodes(model)),
        trained_quantised=any(node.op_type == "QuantizeLinear" for node in graph.node),
    )
    return replace(facts, warnings=tuple(_warnings(facts)))


def _nms_metadata(graph: Any) -> dict[str, str]:
    """The box form of a graph that ends in NonMaxSuppression, as `identify_layout` wants it."""
    for node in graph.node:
        if node.op_type == "NonMaxSuppression" and set(node.output) & {value.name for value in graph.output}:
            form = next((attribute.i for attribute in node.attribute if attribute.name == "center_point_box"), 0)
            return {"center_point_box": str(form)}
    return {}


def _warnings(facts: ModelFacts) -> Iterator[str]:
    if facts.opset < MIN_OPSET:
        yield f"opset {facts.opset}: INT8 by channel needs {MIN_OPSET} or newer; export it again"


def _spec(value: Any) -> TensorSpec:
    import onnx

    tensor = value.type.tensor_type
    dims = tuple(dim.dim_value if dim.dim_value > 0 else None for dim in tensor.shape.dim)
    try:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, ValueError, TypeError):
        dtype = f"type {tensor.elem_type}"
    return TensorSpec(value.name, dims, dtype)


def _count(dims: Any) -> int:
    total = 1
    for dim in dims:
        total *= dim
    return total


def _read_cached(path: Path | None) -> ModelFacts | None:
    return None if path is None else read_record(ModelFacts, path)


def _write_cached(path: Path | None, facts: ModelFacts) -> None:
    if path is not None:
        try:
            files.write_json(path, to_wire(facts))
        except OSError:
            return  # the next run inspects the file again
