"""YAML that people write -> checked values: every problem of a file at once, each with its path."""

from __future__ import annotations

import difflib
import json
import re
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from edgekit.errors import ConfigError, NotFoundError

_MAX_BYTES = 1 << 20
_MAX_DEPTH = 32


class Section(BaseModel):
    """The base of every mapping in a YAML file: unknown keys are refused and values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


M = TypeVar("M", bound=BaseModel)


def load_yaml(model: type[M], path: Path, name: str) -> M:
    """A file's content as a `model`. `name` is how messages call the file.

    Raises NotFoundError without a file, ConfigError with every problem in it.
    """
    value, problems = check(model, read_yaml(path, name), name)
    refuse(name, problems)
    assert value is not None
    return value


def read_yaml(path: Path, name: str) -> Any:
    """A file's content as plain lists, mappings and scalars; an empty file is an empty mapping.

    Raises NotFoundError without a file, ConfigError if it is too large, not UTF-8 or not plain YAML.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{name} holds {path.stat().st_size} bytes; at most {_MAX_BYTES} are read")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(f"{name} is missing: no file {path}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 text: byte {error.start} cannot be read") from None
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}: {path}") from None
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> Any:
    """YAML text as plain values. Raises ConfigError with line and column; aliases and repeated keys are refused."""
    try:
        _check_events(text, name)
        value = yaml.load(text, _Loader)  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = str(error.problem or error.context)
        hint = 'put an address with ? in quotes: ["scenes://?fps=15"]' if what.endswith("got '?'") else ""
        raise ConfigError(f"{name}{_at(mark)}: {what}", hint=hint) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{name}: {str(error).splitlines()[0]}") from None
    return {} if value is None else value


def reads_as(text: str, value: Any, name: str) -> bool:
    """True if YAML text means just these values: the proof that changing a text changed nothing else."""
    try:
        return bool(parse_yaml(text, name) == value)
    except ConfigError:
        return False


def check(model: type[M], data: Any, prefix: str) -> tuple[M | None, list[str]]:
    """`data` as a `model`, or None and its problems, each a line "prefix: path: expected ..., got ..."."""
    # Pydantic's JSON mode takes a list for a tuple while it stays strict about everything else.
    try:
        return model.model_validate_json(json.dumps(data, default=str)), []
    except ValidationError as error:
        return None, [_problem(model, item, prefix) for item in error.errors(include_url=False)]


def refuse(name: str, problems: Sequence[str]) -> None:
    """Raise ConfigError with these problems; do nothing if there are none."""
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(f"{name} has {count}", problems=problems)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name nearest to a wrong one as "did you mean 'x'?", or an empty string."""
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else ""


def known_names(name: str, known: Sequence[str]) -> str:
    """Why a name is wrong: all that are known, and the nearest; empty if none are known."""
    parts = (f"known: {', '.join(known)}", did_you_mean(name, known)) if known else ()
    return "; ".join(part for part in parts if part)


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice and reads 1e-3 as a number, as YAML 1.2 does."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (dict, list)):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _check_events(text: str, name: str) -> None:
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(
                f"{name}{_at(event.start_mark)}: alias *{event.anchor} is not supported",
                hint="write the value out, or put what devices share under defaults:",
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ConfigError(f"{name}{_at(event.start_mark)}: nested more than {_MAX_DEPTH} levels deep")


def _at(mark: Any) -> str:
    return f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "literal_error": "{expected}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
    "missing": "a value",
}


def _problem(model: type[BaseModel], error: Any, prefix: str) -> str:
    location = tuple(part for part in error["loc"] if not _is_union_tag(part))
    path = ".".join(str(part) for part in location)
    start = f"{prefix}: {path}: " if path else f"{prefix}: "
    kind = error["type"]
    if kind == "missing":
        return f"{start}missing"
    if kind == "extra_forbidden":
        guess = did_you_mean(str(location[-1]), _keys_at(model, location[:-1]))
        return start + "unknown key" + (f"; {guess}" if guess else "")
    if kind == "value_error":
        return f"{start}{error['ctx']['error']}"
    template = _EXPECTED.get(kind)
    limits = {key: f"{value:g}" if isinstance(value, float) else value for key, value in error.get("ctx", {}).items()}
    expected = template.format(**limits) if template else error["msg"]
    return f"{start}expected {expected}, got {_shown(error['input'])}"


def _is_union_tag(part: Any) -> bool:
    """True for what pydantic adds to a path inside a union, such as "tuple[str, ...]" or "list[int]"."""
    return isinstance(part, str) and ("[" in part or part in ("str", "int", "float", "bool"))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys_at(model: Any, location: Sequence[Any]) -> list[str]:
    for part in location:
        model = _step(model, part)
    models = [kind for kind in (model, *typing.get_args(model)) if _is_model(kind)]
    return [key for kind in models for key in kind.model_fields]


def _step(kind: Any, part: Any) -> Any:
    for candidate in (kind, *typing.get_args(kind)):
        if _is_model(candidate) and part in candidate.model_fields:
            return candidate.model_fields[part].annotation
        if typing.get_origin(candidate) is dict:
            return typing.get_args(candidate)[1]
    return typing.get_args(kind)[0] if typing.get_args(kind) else None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
