"""bench/scenarios/<name>.yaml: what to measure with, by name, so that runs of different days compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgekit.control.inventory import Device
from edgekit.control.project import Project, package_data_root
from edgekit.control.yaml_files import Section, known_names, load_yaml
from edgekit.core.limits import Limits
from edgekit.core.requests import BenchRequest
from edgekit.errors import NotFoundError, UsageError

DEFAULT = "pipeline"
MOST_SECONDS = 7 * 24 * 3600.0
MOST_STREAMS = 64


@dataclass(frozen=True)
class Scenario:
    """A way to measure. kind: one of core.results.SCENARIOS.

    source: a URI, or a path on the device; None for what the device's own entry watches. Of "streams" it is opened up
    to `streams` times, or each of more_sources joins. seconds: for each engine; parts: of a soak.
    """

    name: str = DEFAULT
    kind: str = "pipeline"
    source: str | None = BenchRequest.source
    more_sources: tuple[str, ...] = ()
    seconds: float = 12
    batch: int = 1
    streams: int = 1
    parts: int = BenchRequest.parts
    limits: Limits = field(default_factory=Limits)


def load_scenario(project: Project, name: str | None) -> Scenario:
    """The scenario of that name: the project's, else the one that edgekit brings; without a name `pipeline`.

    Raises NotFoundError for an unknown name, ConfigError with every problem of the file.
    """
    wanted = name or DEFAULT
    folders = (project.scenarios_dir, Project(package_data_root()).scenarios_dir)
    found = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.yaml")}
    if wanted not in found:
        if name is None:
            return Scenario()
        raise NotFoundError(
            f"no scenario named {name!r} in {project.scenarios_dir}",
            why=known_names(wanted, sorted(found)),
            hint="edgekit bench --fps    (the default scenario)",
        )
    return _read(found[wanted])


def sources_of(scenario: Scenario, device: Device, project: Project) -> tuple[str, ...]:
    """What is opened on a device, the first source first.

    A relative path is one of the project. Raises UsageError for one on another machine, where nobody knows where it
    would begin.
    """
    if scenario.source is None:
        own = tuple(stream.uri for stream in device.streams)
        return own if scenario.kind == "streams" and scenario.streams == 1 else own[:1]
    return tuple(_placed(source, device, project) for source in (scenario.source, *scenario.more_sources))


class _Limits(Section):
    fps: float | None = Field(default=None, gt=0)
    p99_ms: float | None = Field(default=None, gt=0)
    watts: float | None = Field(default=None, gt=0)
    joules_per_frame: float | None = Field(default=None, gt=0)
    mib: float | None = Field(default=None, gt=0)


_Source = Annotated[str, Field(min_length=1)]


class _Document(Section):
    kind: Literal["pipeline", "engine", "camera", "streams", "soak"] = "pipeline"
    source: _Source | None = Scenario.source
    more_sources: tuple[_Source, ...] = ()
    seconds: float = Field(default=Scenario.seconds, ge=1, le=MOST_SECONDS)
    batch: int = Field(default=Scenario.batch, ge=1, le=1024)
    streams: int = Field(default=Scenario.streams, ge=1, le=MOST_STREAMS)
    parts: int = Field(default=Scenario.parts, ge=2, le=1000)
    limits: _Limits = _Limits()

    @model_validator(mode="after")
    def _only_what_counts(self) -> _Document:
        """A key that changes nothing would make people believe that it did."""
        given = self.model_fields_set
        for key, kind in (("streams", "streams"), ("more_sources", "streams"), ("parts", "soak")):
            if key in given and self.kind != kind:
                raise ValueError(f"{key}: only for kind: {kind}, this is {self.kind}")
        if "more_sources" in given and self.streams > 1:
            raise ValueError("streams, more_sources: give one of them")
        return self


def _read(path: Path) -> Scenario:
    document = load_yaml(_Document, path, f"bench/scenarios/{path.name}")
    limits = Limits(**document.limits.model_dump())
    return Scenario(name=path.stem, limits=limits, **document.model_dump(exclude={"limits"}))


def _placed(source: str, device: Device, project: Project) -> str:
    if "://" in source or source.startswith("/"):
        return source
    if device.kind == "local":
        return str(project.root / source)
    raise UsageError(
        f"{source} is not an absolute path",
        why=f"sources are read on {device.name}, not on this machine",
        hint="name the file there from / on, or give a URI such as rtsp://... or scenes://",
    )
