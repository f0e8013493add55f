"""One key of one entry of devices.yaml, written without touching anything else that people wrote there.

The file is theirs: comments, order and spacing stay. So the text is changed at one place, found by the YAML parser, and
the outcome is read again: if anything but that key is different then, nothing is written.
"""

from __future__ import annotations

import copy
import json
import threading
from pathlib import Path
from typing import Any

import yaml

from edgekit import files
from edgekit.control.inventory import inventory_from_yaml
from edgekit.control.yaml_files import parse_yaml, read_yaml
from edgekit.errors import ConfigError, EdgekitError

_KEY = "calibration"
_BOM = "\ufeff"
_LOCK = threading.Lock()  # devices that are refreshed at the same time share one file


def read_calibration(path: Path, device: str) -> str | None:
    """The set that the device's entry itself names, None if it leaves that to defaults: and the detector."""
    return own_calibration(path.read_text("utf-8"), device)


def write_calibration(path: Path, device: str, set_name: str | None) -> None:
    """Give a device of devices.yaml this calibration set; None: none of its own.

    The file stays as it is if that is what it says already. Raises ConfigError, with what to write, where the text
    cannot be changed safely.
    """
    with _LOCK:
        target = path.resolve()  # of a link its target is replaced, not the link
        read_yaml(target, path.name)  # refuses what is too large or no plain YAML
        text = target.read_bytes().decode("utf-8")
        changed = with_calibration(text, device, set_name)
        if changed != text:
            _replace(target, changed.encode("utf-8"))


def own_calibration(text: str, device: str) -> str | None:
    """What `read_calibration` gives, of the text of devices.yaml."""
    value = (parse_yaml(text.lstrip(_BOM), "devices.yaml")["devices"][device] or {}).get(_KEY)
    return None if value is None else str(value)


def with_calibration(text: str, device: str, set_name: str | None) -> str:
    """The text of devices.yaml with `calibration:` of one entry set, or taken out for None.

    Raises ConfigError, with what to write by hand, unless that key is all that changes.
    """
    mark, body = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    try:
        entry = _entry(body, device)
        changed = _without(body, entry) if set_name is None else _with(body, entry, _scalar(set_name))
        _prove(body, changed, device, set_name)
    except (_CannotEditError, EdgekitError, yaml.YAMLError) as error:
        raise _refusal(device, set_name, str(error).splitlines()[0] if str(error) else "") from None
    return mark + changed


class _CannotEditError(Exception):
    """The text has a form that is left to people."""


def _refusal(device: str, set_name: str | None, reason: str) -> ConfigError:
    wanted = f"write `{_KEY}: {set_name}`" if set_name else f"delete `{_KEY}:`"
    return ConfigError(
        f"devices.yaml cannot be changed safely for {device}",
        why=reason,
        hint=f"{wanted} below `{device}:` yourself, then: edgekit deploy --device {device}",
    )


def _entry(text: str, device: str) -> yaml.MappingNode:
    """The node of an entry. Marks in it are positions in the text."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    entry = _value(_value(root, "devices"), device)
    if not isinstance(entry, yaml.MappingNode):
        raise _CannotEditError(f"the entry of {device} is empty")
    return entry


def _value(node: Any, key: str) -> Any:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _pair(entry: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next(((name, value) for name, value in entry.value if name.value == key), None)


def _with(text: str, entry: yaml.MappingNode, scalar: str) -> str:
    there = _pair(entry, _KEY)
    if there is not None:
        return _spliced(text, there[1].start_mark.index, there[1].end_mark.index, scalar)
    if entry.flow_style:
        at = entry.start_mark.index + 1
        return _spliced(text, at, at, f"{_KEY}: {scalar}" + (", " if entry.value else ""))
    name, value = _line_to_follow(entry)
    at = _line_end(text, value.end_mark.index)
    indent = " " * name.start_mark.column
    if at == len(text) and not text.endswith("\n"):
        return text + _newline(text) + f"{indent}{_KEY}: {scalar}"
    return _spliced(text, at, at, f"{indent}{_KEY}: {scalar}{_newline(text)}")


def _line_to_follow(entry: yaml.MappingNode) -> tuple[yaml.Node, yaml.Node]:
    """The key whose line the new one comes after: what it belongs to, else the first that is one line long."""
    single = [
        (name, value)
        for name, value in entry.value
        if isinstance(value, yaml.ScalarNode)
        and value.style in (None, "'", '"')
        and name.start_mark.line == value.end_mark.line
    ]
    if not single:
        raise _CannotEditError("no key of the entry stands on one line")
    wanted = {name.value: (name, value) for name, value in single}
    return next((wanted[key] for key in ("precision", "detector") if key in wanted), single[0])


def _without(text: str, entry: yaml.MappingNode) -> str:
    there = _pair(entry, _KEY)
    if there is None:
        return text
    name, value = there
    if entry.flow_style:
        at, end = name.start_mark.index, value.end_mark.index
        rest = text[end:]
        comma = len(rest) - len(rest.lstrip(" ,")) if rest.lstrip(" ").startswith(",") else 0
        return _spliced(text, at, end + comma, "")
    start, end = _line_start(text, name.start_mark.index), _line_end(text, value.end_mark.index)
    if name.start_mark.line != value.end_mark.line or text[start : name.start_mark.index].strip():
        raise _CannotEditError(f"{_KEY}: does not stand on a line of its own")
    return _spliced(text, start, end, "")


def _scalar(set_name: str) -> str:
    """A name as YAML reads it as text: 1e3 and null need quotes."""
    try:
        plain = parse_yaml(f"{_KEY}: {set_name}", "") == {_KEY: set_name}
    except ConfigError:
        plain = False
    return set_name if plain else json.dumps(set_name)


def _spliced(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    """Behind the line feed of the line that index lies in, or the end of the text."""
    at = text.find("\n", index)
    return len(text) if at < 0 else at + 1


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _prove(before: str, after: str, device: str, set_name: str | None) -> None:
    """Raise unless the parsed file differs in this one key, and is an inventory still."""
    expected = copy.deepcopy(parse_yaml(before, "devices.yaml"))
    if set_name is None:
        expected["devices"][device].pop(_KEY, None)
    else:
        expected["devices"][device][_KEY] = set_name
    found = parse_yaml(after, "devices.yaml")
    if found != expected:
        raise _CannotEditError("more than this key would change")
    inventory_from_yaml(found, Path("devices.yaml"))


def _replace(path: Path, content: bytes) -> None:
    """The mode stays: addresses of cameras may hold passwords."""
    mode = path.stat().st_mode & 0o777
    with files.replacing(path) as temporary:
        temporary.chmod(0o600)
        temporary.write_bytes(content)
        temporary.chmod(mode)
