"""Why TensorRT cannot take a model, in words a person can act on: every node at fault, its operator, what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Set, Tuple

from edgekit.core.onnx_nodes import OnnxNode, OnnxNodes
from edgekit.errors import BuildError
from edgekit.runtime.trt.library import load_library
from edgekit.runtime.trt.messages import one_line

if TYPE_CHECKING:
    import tensorrt as trt

_NO_NODE = -1
_SHOWN = 30
_NO_IMPORTER = "TensorRT has no importer for this operator"


@dataclass(frozen=True)
class ParserProblem:
    """One complaint of the parser. index: the node's place in the graph; -1 where it is about no node."""

    index: int
    name: str
    operator: str
    text: str


def parser_problems(parser: trt.OnnxParser, model: OnnxNodes) -> Tuple[ParserProblem, ...]:
    """Every complaint after a parse that failed, and every operator that this TensorRT does not know.

    TensorRT 8 stops at the first node that it cannot import, so the rest of the graph is asked for here.
    """
    problems = [_problem(parser.get_error(index), model.nodes) for index in range(parser.num_errors)]
    told = {problem.index for problem in problems} | {_NO_NODE}
    known: Set[str] = _plugin_names()
    for index, node in enumerate(model.nodes):
        if index in told or node.operator in known:
            continue
        if parser.supports_operator(node.operator):
            known.add(node.operator)
        else:
            problems.append(ParserProblem(index, node.name, node.operator, _NO_IMPORTER))
    return tuple(problems)


def _problem(error: trt.ParserError, nodes: Sequence[OnnxNode]) -> ParserProblem:
    index = int(error.node())
    text = one_line(error.desc())
    node = nodes[index] if 0 <= index < len(nodes) else OnnxNode("", "")
    name, operator = node.name, node.operator
    # From TensorRT 10 on the error names its node, also one inside a function or a branch.
    if hasattr(error, "node_name") and error.node_name():
        name, operator = error.node_name(), error.node_operator()
    return ParserProblem(index if node.operator else _NO_NODE, name, operator, text)


def _plugin_names() -> Set[str]:
    module: Any = load_library()
    registry: trt.IPluginRegistry = module.get_plugin_registry()
    # Version 3 plugins are in the second list only, which came with TensorRT 10; the first went with 11.
    if hasattr(registry, "all_creators"):
        return {str(creator.name) for creator in registry.all_creators}
    return {str(creator.name) for creator in registry.plugin_creator_list}


def unsupported_model(problems: Sequence[ParserProblem], model: OnnxNodes, version: str) -> BuildError:
    """The error for a model that TensorRT did not take. It lists every problem, and hints for the usual causes."""
    count = len(problems)
    listed = [_line(problem) for problem in problems[:_SHOWN]]
    if count > _SHOWN:
        listed.append(f"and {count - _SHOWN} more")
    opsets = ", ".join(f"{domain or 'ai.onnx'} {number}" for domain, number in sorted(model.opsets.items()))
    return BuildError(
        f"TensorRT {version} cannot take this model: {count} problem{'' if count == 1 else 's'}, opset {opsets}",
        why="\n".join(listed) or "the parser gave no reason",
        hint="\n".join(_hints(problems, model)) or "export the model anew, or take a newer JetPack",
    )


def _line(problem: ParserProblem) -> str:
    where = f"node {problem.index} " if problem.index != _NO_NODE else ""
    name = f"{problem.name!r} " if problem.name else ""
    operator = f"({problem.operator})" if problem.operator else ""
    head = f"{where}{name}{operator}".strip()
    return f"{head}: {problem.text}" if head else problem.text


# Operator or words of the complaint -> what helps. In this order; each hint at most once.
_CAUSES: Tuple[Tuple[Optional[str], Optional[str], str], ...] = (
    (
        "Resize",
        None,
        "Resize: export with mode nearest or linear and coordinate_transformation_mode asymmetric or half_pixel",
    ),
    (
        "NonMaxSuppression|BatchedNMS_TRT|EfficientNMS_TRT",
        None,
        "export the model without suppression inside: edgekit does it after the network",
    ),
    (None, r"int64|INT64", "64 bit integers: export with 32 bit ones, or let the exporter fold constants"),
    (
        None,
        r"opset|[Vv]ersion.*(not|un)supported",
        "export with opset 13 to 17: TensorRT reads these from 8.5 on",
    ),
    (None, r"[Dd]ynamic|shape tensor", "export with fixed picture sizes; only the batch may vary"),
    ("GridSample|LayerNormalization|GroupNormalization", _NO_IMPORTER, "this operator needs TensorRT 8.6 or newer"),
)


def _hints(problems: Sequence[ParserProblem], model: OnnxNodes) -> List[str]:
    hints: List[str] = []
    for operators, words, hint in _CAUSES:
        matching = [
            problem
            for problem in problems
            if (operators is None or re.fullmatch(operators, problem.operator))
            and (words is None or re.search(words, problem.text))
        ]
        if matching and hint not in hints:
            hints.append(hint)
    custom = {node.operator for node in model.nodes if node.custom}
    unknown = sorted({problem.operator for problem in problems if problem.operator in custom or _custom(problem)})
    if unknown:
        hints.append(f"{', '.join(unknown)}: name the library with its plugin, --plugin PATH, or replace the operator")
    if model.opset and not 11 <= model.opset <= 20:
        hints.append(f"opset {model.opset}: export with opset 13 to 17, which every TensorRT from 8.5 on reads")
    return hints


def _custom(problem: ParserProblem) -> bool:
    return bool(re.search(r"[Pp]lugin not found|getPluginCreator|No importer registered", problem.text)) and bool(
        problem.operator
    )
