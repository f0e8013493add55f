"""bench/scenarios/<name>.yaml: what to measure with, by name, so that runs of different days compare."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgekit.control.project import Project
from edgekit.control.yaml_files import Section, known_names, load_yaml
from edgekit.core.requests import BenchRequest
from edgekit.errors import NotFoundError

DEFAULT = "pipeline"


class Scenario(Section):
    """A way to measure. source is a URI or a path as `edgekit detect` takes it."""

    source: Annotated[str, Field(min_length=1)] = BenchRequest.source
    seconds: float = Field(default=12, ge=1, le=3600)
    batch: int = Field(default=1, ge=1, le=1024)


def load_scenario(project: Project, name: str | None) -> Scenario:
    """The scenario of that name; without a name the project's `pipeline`, or the built-in one where there is none.

    Raises NotFoundError for an unknown name, ConfigError with every problem of the file.
    """
    path = project.scenarios_dir / f"{name or DEFAULT}.yaml"
    if name is None and not path.is_file():
        return Scenario()
    names = sorted(item.stem for item in project.scenarios_dir.glob("*.yaml"))
    if (name or DEFAULT) not in names:
        raise NotFoundError(
            f"no scenario named {name!r} in {project.scenarios_dir}",
            why=known_names(name or "", names),
            hint="edgekit bench --fps    (the default scenario)",
        )
    return load_yaml(Scenario, path, f"bench/scenarios/{path.name}")
