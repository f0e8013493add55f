"""Engines explained: an engine on a device, a folder with engine.json, or a lone file of whatever origin."""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.control.link import Link, engine_dir
from edgekit.control.local_link import LocalLink
from edgekit.control.services import ask_state
from edgekit.core.deployment import StateAnswer
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import MANIFEST_NAME, EngineLayer, EngineManifest, rebuild_command
from edgekit.core.engine_key import key_differences
from edgekit.core.plan_file import plan_version, split_plan
from edgekit.core.progress import OnProgress
from edgekit.core.requests import FileCheck, InspectAnswer, InspectRequest
from edgekit.core.wire import from_wire
from edgekit.errors import ConfigError, EdgekitError, EngineError, NotFoundError, UsageError
from edgekit.files import sha256_file

THIS_MACHINE = "this machine"
_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class Fit:
    """Whether an engine may run on a device. None: the device could not be asked, which `differences` explains."""

    device: str
    engine_key: str
    fits: bool | None
    differences: tuple[str, ...]
    command: str  # what to type for an engine that fits; "" if this one does


@dataclass(frozen=True)
class LoneFile:
    """What a file without a manifest tells without being parsed. tensorrt: who wrote it, None if it does not say."""

    bytes: int
    sha256: str
    tensorrt: str | None
    metadata: Mapping[str, Any] | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """All that could be learned of an engine. layers_from: "engine.json", "TensorRT 8.5.2", or "" without layers."""

    place: str
    manifest: EngineManifest | None = None
    files: tuple[FileCheck, ...] = ()
    lone: LoneFile | None = None
    fit: Fit | None = None
    layers: tuple[EngineLayer, ...] = ()
    layers_from: str = ""
    activation_mib: float | None = None  # device memory one execution context takes
    notes: tuple[str, ...] = field(default=())

    @property
    def damaged(self) -> tuple[FileCheck, ...]:
        """The files that are not as the manifest says."""
        return tuple(check for check in self.files if check.state != "whole")


@dataclass(frozen=True)
class Target:
    """The device that an engine is to fit; it is asked only when there is something to ask."""

    name: str
    connect: Callable[[], Link]


def this_machine() -> Target:
    """The machine that edgekit runs on; it needs no project and has no device folder."""
    return Target(THIS_MACHINE, lambda: LocalLink(THIS_MACHINE, Path()))


def find_engine(state: StateAnswer, wanted: str, device: str) -> EngineManifest:
    """The engine on a device whose id begins with `wanted`. Raises NotFoundError or UsageError naming what is there."""
    found = [engine for engine in state.engines if engine.engine_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{wanted!r} begins the ids of {len(found)} engines on {device}",
            why=_listed(found),
            hint="give more digits of the id",
        )
    raise NotFoundError(
        f"no engine on {device} has an id that begins with {wanted!r}, and no file has that name",
        why="\n".join([_listed(state.engines) or "there is no engine on it", *state.damaged]),
        hint=f"edgekit inspect --device {device}",
    )


def inspect_on_device(link: Link, wanted: str, *, layers: bool, on_progress: OnProgress) -> Inspection:
    """Look at an engine by its id (or the beginning of it) on a connected device."""
    manifest = find_engine(ask_state(link), wanted, link.device)
    folder = engine_dir(link, manifest.engine_id)
    target = Target(link.device, lambda: link)
    return _inspect_folder(link, folder, manifest, target, layers=layers, on_progress=on_progress)


def inspect_path(path: Path, target: Target, *, layers: bool, on_progress: OnProgress) -> Inspection:
    """Look at an engine in a folder of this machine, or at a lone file. target: the device it is to fit.

    Raises EngineError for a damaged manifest or header, NotFoundError where there is no engine.
    """
    if not path.is_dir() and not path.is_file():
        raise NotFoundError(f"{path} is neither a file nor a folder")
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and not (folder / MANIFEST_NAME).is_file():
        raise _no_engine(folder)
    if (folder / MANIFEST_NAME).is_file():
        manifest = read_manifest(folder / MANIFEST_NAME)
        if path.is_dir() or path.name in (MANIFEST_NAME, manifest.file_name):
            here = this_machine().connect()
            return _inspect_folder(
                here, str(folder.resolve()), manifest, target, layers=layers, on_progress=on_progress
            )
    return _inspect_file(path)


def _inspect_folder(
    link: Link, folder: str, manifest: EngineManifest, target: Target, *, layers: bool, on_progress: OnProgress
) -> Inspection:
    answer = link.call("inspect", InspectRequest(folder), InspectAnswer, on_progress)
    told = manifest.build.layers if manifest.build else ()
    found = Inspection(
        place=folder,
        manifest=manifest,
        files=answer.files,
        fit=_fit(target, manifest),
        layers=told,
        layers_from=MANIFEST_NAME if told else "",
        activation_mib=manifest.build.activation_mib if manifest.build else None,
    )
    return _with_layers_of_device(found, link, target, on_progress) if layers and not told else found


def _with_layers_of_device(found: Inspection, link: Link, target: Target, on_progress: OnProgress) -> Inspection:
    try:
        answer = _opener(link, target).call(
            "inspect", InspectRequest(found.place, open=True), InspectAnswer, on_progress
        )
    except EdgekitError as error:
        return replace(found, notes=(*found.notes, f"its layers are not known: {error.what}"))
    opened = answer.opened
    assert opened is not None
    origin = f"TensorRT {opened.tensorrt}"
    return replace(found, layers=opened.layers, layers_from=origin, activation_mib=opened.activation_mib)


def _opener(link: Link, target: Target) -> Link:
    """Who opens what lies where `link` reads: the target if it is this machine too, for its Python has TensorRT."""
    there = target.connect() if isinstance(link, LocalLink) else link
    return there if isinstance(there, LocalLink) else link


def _fit(target: Target, manifest: EngineManifest) -> Fit:
    try:
        key = target.connect().call("probe", {}, DeviceProfile).engine_key
    except EdgekitError as error:
        return Fit(target.name, "", None, (f"{target.name} could not be asked: {error.what}",), "")
    differences = key_differences(manifest.engine_key, key)
    command = rebuild_command(manifest)
    if target.name != THIS_MACHINE:
        command += f" --device {target.name}"
    return Fit(target.name, key, not differences, differences, command if differences else "")


def _inspect_file(path: Path) -> Inspection:
    with path.open("rb") as stream:
        size = path.stat().st_size
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        taken = split_plan(memoryview(data))
        version = plan_version(taken.plan)
    return Inspection(place=str(path), lone=LoneFile(size, sha256_file(path), version, taken.metadata, taken.warnings))


def read_manifest(path: Path) -> EngineManifest:
    """An engine.json. Raises EngineError if it is damaged or of another edgekit."""
    try:
        return from_wire(EngineManifest, json.loads(path.read_text("utf-8")), path.name)
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(f"{path} cannot be read", why=str(error), hint="edgekit build --force") from None
    except ConfigError as error:
        raise EngineError(
            f"{path} is damaged, or was written by another edgekit",
            why=_few(error.problems),
            hint="build the engine again with this edgekit",
        ) from None


def _few(problems: Sequence[str]) -> str:
    rest = len(problems) - _MOST_PROBLEMS
    return "\n".join([*problems[:_MOST_PROBLEMS], *([f"and {rest} more"] if rest > 0 else [])])


def _no_engine(folder: Path) -> NotFoundError:
    files = sorted(path.name for path in folder.iterdir() if path.suffix in (".plan", ".engine", ".trt"))
    hint = f"edgekit inspect {folder / files[0]}" if files else "edgekit build"
    return NotFoundError(f"no engine in {folder}: {MANIFEST_NAME} is missing", hint=hint)


def _listed(engines: Sequence[EngineManifest]) -> str:
    return "\n".join(f"{engine.engine_id}  {engine.detector} {engine.precision}" for engine in engines)
