"""What a verb is handed: the console, and the project it works in, read when it is first asked for."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli.console import Console

if TYPE_CHECKING:
    from edgekit.control.inventory import Device, Inventory
    from edgekit.control.project import Project


@dataclass(frozen=True)
class Options:
    """The options that every verb takes."""

    project: Path | None = None
    as_json: bool = False
    debug: bool = False

    def over(self, outer: Options) -> Options:
        """These, completed by the ones given before the verb."""
        return Options(self.project or outer.project, self.as_json or outer.as_json, self.debug or outer.debug)


class App:
    """The composition root of one run. Everything in it is read at most once, on first use."""

    def __init__(self, console: Console, project_dir: Path | None = None) -> None:
        self.console = console
        self._project_dir = project_dir

    @classmethod
    def of(cls, context: Any, options: Options) -> App:
        """The App of a Typer context, whose `obj` holds the options given before the verb."""
        merged = options.over(context.obj or Options())
        context.find_root().obj = merged  # the frame reports errors by them
        return cls(Console(as_json=merged.as_json, debug=merged.debug), merged.project)

    @property
    def project_given(self) -> bool:
        """True if --project names the project, instead of the current folder."""
        return self._project_dir is not None

    @functools.cached_property
    def project(self) -> Project:
        """The project. Raises NotFoundError if there is none."""
        from edgekit.control.project import find_project, open_project

        return open_project(self._project_dir) if self._project_dir else find_project()

    @functools.cached_property
    def inventory(self) -> Inventory:
        """The devices of the project. Raises ConfigError with every problem of devices.yaml."""
        from edgekit.control.inventory import load_inventory

        return load_inventory(self.project)

    def device(self, name: str) -> Device:
        """A device by name. Raises NotFoundError naming the nearest one."""
        return self.inventory.device(name)
