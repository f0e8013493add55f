"""`keep_float:` of detector.yaml: the nodes of a model that INT8 engines compute in float; checked, and written."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from edgekit import files
from edgekit.control.yaml_files import did_you_mean, parse_yaml, reads_as
from edgekit.core.onnx_nodes import read_onnx_nodes
from edgekit.errors import ConfigError

KEY = "keep_float"
_COMMENT = "# Nodes of the model that INT8 engines compute in float; found by edgekit sensitivity."
_PLAIN = re.compile(r"/[\w./-]*")  # what YAML reads as this text without quotes


def node_names(model_path: Path) -> tuple[str, ...]:
    """The names of a model's nodes in file order, as builders know them: `runtime.ort.graph.name_nodes` gives a node
    without a name of its own "<operator>_<position>". Raises ModelError if the file is no ONNX model."""
    names: dict[str, None] = {}
    for index, node in enumerate(read_onnx_nodes(model_path.read_bytes()).nodes):
        fresh = node.name and node.name not in names
        names[node.name if fresh else f"{node.operator}_{index}"] = None
    return tuple(names)


def keep_float_problems(wanted: Sequence[str], model_path: Path, *, trained: bool) -> list[str]:
    """What is wrong with a `keep_float:` list, each a line for people; nothing is read where it is empty.

    trained: the model brings Q/DQ pairs of its own, so that builders quantise nothing and can leave nothing out.
    """
    if not wanted:
        return []
    if trained:
        return ["keep_float: the model was trained for INT8 and brings its own scales; leave the key out"]
    known = node_names(model_path)
    unknown = [name for name in wanted if name not in known]
    return [f"keep_float: {name!r} is no node of the model{_guess(name, known)}" for name in unknown]


def _guess(name: str, known: Sequence[str]) -> str:
    guess = did_you_mean(name, known)
    return f"; {guess}" if guess else ""


def write_keep_float(path: Path, names: Sequence[str]) -> None:
    """Let a detector.yaml name exactly these nodes; without any the key goes. All other text stays as it is.

    Raises ConfigError, with what to write by hand, if the file is written in a way that this cannot change safely: the
    new text must mean what the old one meant but for this key.
    """
    text = path.read_bytes().decode("utf-8")
    changed = with_keep_float(text, names)
    before = parse_yaml(text.removeprefix("\ufeff"), path.name)
    wanted = {**before, KEY: list(names)} if names else {key: before[key] for key in before if key != KEY}
    if not reads_as(changed.removeprefix("\ufeff"), wanted, path.name):
        raise ConfigError(
            f"{path} is written in a way that edgekit does not change by itself",
            hint=f"write it there yourself:\n{_block(names)}",
        )
    if changed != text:
        files.write_bytes(path, changed.encode("utf-8"))


def with_keep_float(text: str, names: Sequence[str]) -> str:
    """The text of a detector.yaml with its top-level `keep_float:` replaced, or put at its end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    begin = next((i for i, line in enumerate(lines) if re.match(rf"{KEY}\s*:", line)), None)
    block = _block(names).splitlines() if names else []
    if begin is None:
        lines += ["", _COMMENT, *block] if block else []
    else:
        lines[begin : _end_of_value(lines, begin)] = block
    return newline.join(lines) + newline


def _end_of_value(lines: Sequence[str], begin: int) -> int:
    """The line after a top-level key's value: items are indented or begin with a dash. Comments that follow stay."""
    end = begin + 1
    for index in range(begin + 1, len(lines)):
        line = lines[index]
        if line.startswith((" ", "\t", "-")) and not line.startswith("---") and not line.lstrip().startswith("#"):
            end = index + 1
        elif line.strip() and not line.lstrip().startswith("#"):
            break
    return end


def _block(names: Sequence[str]) -> str:
    return "\n".join([f"{KEY}:", *(f"  - {_scalar(name)}" for name in names)])


def _scalar(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)
