"""TensorRT's Python API as recorded in tests/cases/trt_api: which names each release has. See ORIGIN.md there."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

FOLDER = Path(__file__).resolve().parent / "cases" / "trt_api"
VERSIONS = ("8.5.2", "8.6.1", "10.3.0", "10.7.0", "10.13.3", "10.16.1", "11.0.0", "11.4.0")

# What an expression is: ("module", ""), ("class", name), ("object", class name), or OTHER.
Kind = Tuple[str, str]
MODULE: Kind = ("module", "")
OTHER: Kind = ("other", "")


class Surface:
    """The names of one release."""

    def __init__(self, data: Dict[str, Any]) -> None:
        self.version: str = data["version"]
        self.data = data
        self.classes: Dict[str, Dict[str, Any]] = data["classes"]

    @property
    def release(self) -> Tuple[int, int]:
        """(major, minor)."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    def member(self, kind: Kind, name: str) -> Optional[Kind]:
        """What `name` is in a module, class or object; None if there is no such name in this release."""
        if kind == MODULE:
            return self._of_module(name)
        owner = self.classes.get(kind[1])
        if owner is None:
            return None
        if name in owner.get("members", {}):
            return "object", kind[1]
        if "members" in owner and name in ("name", "value"):
            return OTHER
        if name in owner.get("methods", {}):
            return "method", owner["methods"][name]
        for table in ("properties", "attributes"):
            if name in owner.get(table, {}):
                text = owner[table][name]
                return ("class", text[6:]) if text.startswith("class ") else self.typed(text)
        return None

    def typed(self, text: str) -> Kind:
        """The object that a return or property type names; OTHER for int, str and the like."""
        name = text.split("::")[-1]
        for candidate in (name, name[1:]):
            if candidate in self.classes:
                return "object", candidate
        return OTHER

    def settable(self, class_name: str, name: str) -> bool:
        """False for a property that is read-only."""
        owner = self.classes.get(class_name, {})
        return name not in owner.get("properties", {}) or name in owner["settable"]

    def _of_module(self, name: str) -> Optional[Kind]:
        name = self.data["aliases"].get(name, name)
        if name in self.classes:
            return "class", name
        if name in self.data["functions"]:
            return "method", self.data["functions"][name]
        return OTHER if name in self.data["constants"] else None


@functools.lru_cache(maxsize=None)
def load_surface(version: str) -> Surface:
    """The surface of one of VERSIONS."""
    return Surface(json.loads((FOLDER / f"{version}.json").read_text("utf-8")))
