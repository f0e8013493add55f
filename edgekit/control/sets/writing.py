"""New sets on disk: set.yaml, and beside it the list that pins every picture."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit import files
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import SET_FILE, set_names
from edgekit.control.sets.document import PICTURE_LIST
from edgekit.control.sets.picture_lists import write_picture_list
from edgekit.control.yaml_files import parse_yaml, reads_as
from edgekit.errors import ConfigError, UsageError

_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def check_new_name(project: Project, name: str, *, force: bool = False) -> Path:
    """The folder of a set to be made. Raises UsageError for a name that is taken (unless forced) or no folder name."""
    if not name or name[0] in ".-" or not set(name) <= _ALLOWED or len(name) > 80:
        raise UsageError(f"{name!r} cannot name a set", why="letters, digits, dot, hyphen and underscore can")
    if name in set_names(project) and not force:
        raise UsageError(
            f"there is a set named {name} already: {project.calib_sets_dir / name}",
            hint="choose another name, or replace it with --force",
        )
    return project.calib_sets_dir / name


def write_set(folder: Path, document: Mapping[str, Any], comment: str, listed: Mapping[str, str] | None = None) -> Path:
    """Write a set.yaml (and its list, name -> SHA-256), replacing what is there. The list comes first: a set.yaml
    without its list could not say what changed. Raises UsageError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if listed is not None:
            write_picture_list(folder / PICTURE_LIST, listed)
        files.write_bytes(folder / SET_FILE, _yaml(document, comment).encode("utf-8"))
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from None
    return folder / SET_FILE


def _yaml(document: Mapping[str, Any], comment: str) -> str:
    import yaml

    body = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return "".join(f"# {line}\n" for line in comment.splitlines()) + body


def with_labels(text: str, coco: str, place: str) -> str:
    """The text of a set.yaml whose labels: are those of a COCO file, every other line and all comments as they were.

    Raises ConfigError if the text cannot be changed without touching something else.
    """
    entry = {"coco": coco, "partial": True}
    line = _flow_line("labels", entry)
    found = _span(text, "labels")
    if found is None:
        made = text.rstrip("\n") + f"\n{line}\n"
    else:
        start, end = found
        comments = "".join(f"{one.strip()}\n" for one in text[start:end].splitlines() if one.strip().startswith("#"))
        made = text[:start] + comments + line + text[end:]
    if not reads_as(made, parse_yaml(text, place) | {"labels": entry}, place):
        raise ConfigError(f"{place} is written in a way that cannot be changed safely", hint=f"write there: {line}")
    return made


def _flow_line(key: str, value: Mapping[str, Any]) -> str:
    import yaml

    text = yaml.safe_dump({key: dict(value)}, default_flow_style=None, allow_unicode=True, sort_keys=False, width=4000)
    return str(text).rstrip("\n")


def _span(text: str, key: str) -> tuple[int, int] | None:
    """Where a key of the outermost mapping begins and its value's last character ends; None without the key."""
    import yaml

    root = yaml.compose(text, yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else ()
    for key_node, value_node in pairs:
        if key_node.value == key:
            return key_node.start_mark.index, _end(value_node)
    return None


def _end(node: Any) -> int:
    """The end of a node's own text; that of a block ends with its last entry, not where the next key begins."""
    import yaml

    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def absolute(path: Path) -> Path:
    """A path from the root on, links in it kept as they are named."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - resolve() would follow links


def portable(path: Path, folder: Path, project: Project) -> str:
    """An absolute path as set.yaml should hold it: relative to the set within the project, else as it is."""
    return Path(os.path.relpath(path, folder)).as_posix() if path.is_relative_to(project.root) else path.as_posix()
