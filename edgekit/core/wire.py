"""Dataclasses <-> JSON, checked: the form in which host and device speak to each other.

Only what the formats need: dataclasses of str, int, float, bool, None, Optional, Tuple[X, ...], fixed tuples,
Dict[str, X] and other dataclasses. Every problem of a document is reported at once, with its path.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import types
from typing import Any, Dict, List, Tuple, Type, TypeVar, Union, get_args, get_origin, get_type_hints

from edgekit.errors import ConfigError

T = TypeVar("T")

_UNIONS = (Union, getattr(types, "UnionType", Union))  # Optional[X], and X | None from Python 3.10 on


def to_wire(value: Any) -> Any:
    """A JSON-ready copy of a dataclass (or of plain values)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_wire(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    return value


def from_wire(kind: Type[T], data: Any, name: str = "document") -> T:
    """Build a `kind` from parsed JSON. Raises ConfigError listing every wrong, missing or unknown field."""
    problems: List[str] = []
    try:
        value = _convert(kind, data, name, problems)
    except ValueError as error:
        problems.append(f"{name}: {error}")
    if problems:
        raise ConfigError(f"{name} is not a valid {kind.__name__}", problems=problems)
    return value  # type: ignore[no-any-return]


def canonical_json(value: Any) -> bytes:
    """One byte string for one value: sorted keys, no spaces, no NaN. What digests are taken of."""
    text = json.dumps(to_wire(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


@functools.lru_cache(maxsize=None)
def _fields(kind: Any) -> Dict[str, Tuple[Any, bool]]:
    hints = get_type_hints(kind)
    return {
        field.name: (
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    }


def _convert(kind: Any, data: Any, path: str, problems: List[str]) -> Any:
    if dataclasses.is_dataclass(kind):
        return _convert_dataclass(kind, data, path, problems)
    origin = get_origin(kind)
    if origin in _UNIONS:
        return _convert_optional(kind, data, path, problems)
    if origin is tuple:
        return _convert_tuple(kind, data, path, problems)
    if origin is dict:
        return _convert_dict(kind, data, path, problems)
    return _convert_scalar(kind, data, path, problems)


def _convert_dataclass(kind: Any, data: Any, path: str, problems: List[str]) -> Any:
    if not isinstance(data, dict):
        return _refuse("an object", data, path, problems)
    fields = _fields(kind)
    problems.extend(f"{path}.{key}: unknown field" for key in data if key not in fields)
    problems.extend(f"{path}.{key}: missing" for key, (_, needed) in fields.items() if needed and key not in data)
    before = len(problems)
    values = {
        key: _convert(hint, data[key], f"{path}.{key}", problems) for key, (hint, _) in fields.items() if key in data
    }
    if len(problems) > before or any(needed and key not in data for key, (_, needed) in fields.items()):
        return None
    try:
        return kind(**values)
    except ValueError as error:
        problems.append(f"{path}: {error}")
        return None


def _convert_optional(kind: Any, data: Any, path: str, problems: List[str]) -> Any:
    if data is None:
        return None
    (inner,) = [argument for argument in get_args(kind) if argument is not type(None)]
    return _convert(inner, data, path, problems)


def _convert_tuple(kind: Any, data: Any, path: str, problems: List[str]) -> Any:
    if not isinstance(data, (list, tuple)):
        return _refuse("a list", data, path, problems)
    kinds = get_args(kind)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(data)
    if len(kinds) != len(data):
        return _refuse(f"{len(kinds)} items", data, path, problems)
    return tuple(
        _convert(item, value, f"{path}[{index}]", problems) for index, (item, value) in enumerate(zip(kinds, data))
    )


def _convert_dict(kind: Any, data: Any, path: str, problems: List[str]) -> Any:
    if not isinstance(data, dict):
        return _refuse("an object", data, path, problems)
    inner = get_args(kind)[1]
    return {str(key): _convert(inner, value, f"{path}.{key}", problems) for key, value in data.items()}


def _convert_scalar(kind: Any, data: Any, path: str, problems: List[str]) -> Any:
    if kind is Any:
        return data
    if kind is float and type(data) in (int, float) and _is_finite(data):
        return float(data)
    if kind in (str, int, bool) and type(data) is kind:
        return data
    return _refuse(
        {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[kind], data, path, problems
    )


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an int beyond the largest float
        return False


def _refuse(expected: str, data: Any, path: str, problems: List[str]) -> None:
    problems.append(f"{path}: expected {expected}, got {json.dumps(data, default=str)[:60]}")
