"""Class names, from the three forms in which models and people write them down.

The position of a name is the class id, so a gap or a repeated id would name every later object wrongly.
"""

from __future__ import annotations

import ast
from typing import Any, List, Mapping, Tuple, Type

from edgekit.errors import ConfigError, EdgekitError, ModelError

MAX_NAMES_CHARS = 1_000_000
"""Far more than the 1203 classes of LVIS need; a model file is not trusted with the parser's memory."""

MAX_NAME_CHARS = 200


def parse_names_literal(text: str) -> Tuple[str, ...]:
    """Names by class id from the `names` metadata of an ONNX file: "{0: 'person', 1: 'car'}" or "['person', 'car']".

    It is a Python literal, not JSON, and is read as one, never evaluated. Source: Ultralytics and YOLOv5 exporters.
    Raises ModelError if it is something else, too long, or its ids are not 0 to N-1.
    """
    if len(text) > MAX_NAMES_CHARS:
        raise ModelError(f"names in the model's metadata: {len(text)} characters, at most {MAX_NAMES_CHARS} are read")
    try:
        pairs = _literal_pairs(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ModelError(
            f"names in the model's metadata cannot be read: {text[:60]!r}",
            why="expected a list of names or a mapping from class id to name, written as Python does",
            hint="give the class names in labels.txt",
        ) from error
    return _names_by_id(pairs, "names in the model's metadata", ModelError)


def parse_labels_txt(text: str) -> Tuple[str, ...]:
    """Names from labels.txt: one a line, the first is class 0; blank lines at the end are ignored.

    Raises ConfigError for an empty file, or a blank line between names: it would shift every name after it.
    """
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return _names_by_id(list(enumerate(lines)), "labels.txt", ConfigError)


def labels_from_mapping(value: Any) -> Tuple[str, ...]:
    """Names from a loaded YAML or JSON value: a list, or a map from class id (a number or its digits) to name.

    Raises ConfigError for anything else, with every problem.
    """
    if not isinstance(value, (list, tuple, Mapping)):
        raise ConfigError(f"labels: expected a list or a map from class id to name, got {type(value).__name__}")
    pairs = list(value.items()) if isinstance(value, Mapping) else list(enumerate(value))
    return _names_by_id(pairs, "labels", ConfigError)


def _literal_pairs(text: str) -> List[Tuple[Any, Any]]:
    """(id, name) as written, repeated ids included: literal_eval of the whole would silently keep the last."""
    root = ast.parse(text.strip(), mode="eval").body
    if isinstance(root, ast.Dict):
        keys = [key for key in root.keys if key is not None]
        if len(keys) < len(root.values):
            raise ValueError("a mapping that includes another")
        return [(ast.literal_eval(key), ast.literal_eval(root.values[row])) for row, key in enumerate(keys)]
    if isinstance(root, (ast.List, ast.Tuple)):
        return list(enumerate(ast.literal_eval(root)))
    raise ValueError("neither a list nor a mapping")


def _names_by_id(pairs: List[Tuple[Any, Any]], place: str, kind: Type[EdgekitError]) -> Tuple[str, ...]:
    problems = [problem for key, name in pairs for problem in _pair_problems(key, name)]
    ids = [] if problems else [int(key) for key, _ in pairs]
    problems += [f"class {number} is given more than once" for number in sorted(set(ids)) if ids.count(number) > 1]
    if not problems and set(ids) != set(range(len(ids))):
        missing = sorted(set(range(len(ids))) - set(ids))
        problems.append(f"class {missing[0]} has no name; ids must run from 0 to {len(ids) - 1} without a gap")
    if not pairs:
        problems.append("no names")
    if problems:
        shown = problems[:10] + ([f"and {len(problems) - 10} more"] if len(problems) > 10 else [])
        hint = "write one name for each class id from 0 up"
        raise kind(f"{place}: {shown[0]}", why="\n".join(shown[1:]), hint=hint)
    return tuple(name.strip() for _, name in sorted(pairs, key=lambda pair: int(pair[0])))


def _pair_problems(key: Any, name: Any) -> List[str]:
    """What is wrong with one entry. JSON and some YAML maps hold their ids as text; True or 1.5 is no id."""
    shown = str(key)[:40]
    number = isinstance(key, int) and not isinstance(key, bool) and key >= 0
    digits = isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 10
    problems = [] if number or digits else [f"expected a class id of 0 or more, got {shown!r}"]
    if not isinstance(name, str):
        problems.append(f"class {shown}: expected a name, got {str(name)[:40]!r} ({type(name).__name__})")
    elif not name.strip() or len(name) > MAX_NAME_CHARS or not name.strip().isprintable():
        limit = f"1 to {MAX_NAME_CHARS} printable characters"
        problems.append(f"class {shown}: expected {limit}, got {name[:40]!r}")
    return problems
