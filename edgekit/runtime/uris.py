"""Reading the addresses of sources and sinks: `scheme://?option=value`, `kind:PATH?option=value`, or a plain path."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union
from urllib.parse import parse_qsl, unquote

from edgekit.core.broker_uri import BROKER_PORTS, hide_password
from edgekit.core.camera_uri import hide_credentials
from edgekit.errors import UsageError

Number = Union[int, float]

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://(.*)$", re.DOTALL)
_SINK = re.compile(r"^([a-z]+):(.*)$", re.DOTALL)
# Of the others a question mark is part of the path, as it may be in a file's name.
_SINKS_WITH_OPTIONS = ("clips",)


class Option:
    """A numeric option of an address: its default and the range it must lie in. An int default asks for ints."""

    def __init__(self, default: Number, low: Number, high: Number) -> None:
        self.default = default
        self.low = low
        self.high = high

    def parse(self, text: str) -> Optional[Number]:
        """The value, or None if the text is not a number of this kind within the range."""
        try:
            value = type(self.default)(text)
        except ValueError:
            return None
        return value if self.low <= value <= self.high else None

    @property
    def expected(self) -> str:
        """What a message asks for: "a whole number from 1 to 64"."""
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.low} to {self.high}"

    @property
    def example(self) -> str:
        """What stands in an address."""
        return str(self.default)


class Names:
    """An option that is a list of names, "night,fog"; all of them by default."""

    def __init__(self, known: Sequence[str]) -> None:
        self.default: Tuple[str, ...] = tuple(known)

    def parse(self, text: str) -> Optional[Tuple[str, ...]]:
        """The names, each once, or None if one is not known."""
        names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
        return names if set(names) <= set(self.default) else None

    @property
    def expected(self) -> str:
        """What a message asks for."""
        return f"names, with commas between them, of {', '.join(self.default)}"

    @property
    def example(self) -> str:
        """What stands in an address."""
        return ",".join(self.default[:2])


def split_source(uri: str) -> Tuple[str, str]:
    """(scheme in lower case, what follows `://`). A plain path and a `file://` address give ("file", path)."""
    match = _SCHEME.match(uri)
    if match is None:
        return "file", uri
    scheme, rest = match.group(1).lower(), match.group(2)
    return scheme, unquote(rest) if scheme == "file" else rest


def parse_options(
    uri: str, rest: str, known: Mapping[str, Union[Option, Names]], what: str = "source"
) -> Dict[str, Any]:
    """The options of `?a=1&b=2`, defaults filled in. Raises UsageError naming every wrong or unknown one.

    what: the address is of, for messages.
    """
    place, _, query = rest.partition("?")
    problems = [f"unexpected {place!r} before the options"] if place.strip("/") else []
    values: Dict[str, Any] = {name: option.default for name, option in known.items()}
    for name, text in parse_qsl(query, keep_blank_values=True):
        _take_option(name, text, known, values, problems)
    if problems:
        example = uri.partition("?")[0] + "?" + "&".join(f"{name}={option.example}" for name, option in known.items())
        raise UsageError(f"{uri} is not a valid {what}", why="\n".join(problems), hint=f"example: {example}")
    return values


def _take_option(
    name: str, text: str, known: Mapping[str, Union[Option, Names]], values: Dict[str, Any], problems: List[str]
) -> None:
    if name not in known:
        problems.append(f"{name}: unknown option; known are {', '.join(known)}")
        return
    value = known[name].parse(text)
    if value is None:
        problems.append(f"{name}: expected {known[name].expected}, got {text!r}")
    else:
        values[name] = value


class SinkAddress(NamedTuple):
    """Where detections go. place: a path, or a broker's whole address, which may hold a password; see `shown`."""

    kind: str
    place: str
    options: str = ""  # "?a=1&b=2", of those kinds that have some

    @property
    def shown(self) -> str:
        """The place as anyone may see it."""
        return hide_credentials(self.place) if self.kind in BROKER_PORTS else self.place


def split_sink(uri: str, known: Mapping[str, str]) -> SinkAddress:
    """The parts of `kind:PATH`. `known` maps each kind to an example. Raises UsageError for anything else."""
    match = _SINK.match(uri)
    if match is None or match.group(1) not in known:
        raise UsageError(f"no such sink: {hide_password(uri)!r}", why="a sink is one of: " + ", ".join(known.values()))
    kind, path = match.groups()
    if kind in BROKER_PORTS:
        return SinkAddress(kind, uri)
    question = ""
    if kind in _SINKS_WITH_OPTIONS:
        path, question, query = path.partition("?")
        question += query
    if path == "-":
        raise UsageError(
            f"{uri} cannot write to standard output",
            why="standard output carries progress and results",
            hint=f"name a file: {known[kind]}",
        )
    if not path:
        raise UsageError(f"{uri} names no path", hint=f"example: {known[kind]}")
    return SinkAddress(kind, path, question)
