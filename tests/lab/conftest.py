"""Fixtures of the tests that need virtual Jetsons. They run on the operator's side of a lab: `make lab`."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, Protocol

import pytest

from edgekit.control.project import Project, init_project
from tests.lab import fleet, network
from tests.lab.place import Place
from tests.lab.virtual_jetson import VirtualJetson

STREET = "scenes://?width=320&height=192&fps=15&live=1"


class MakeJetson(Protocol):
    """The fixture `jetson`."""

    def __call__(
        self, board: str = "xavier-nx", *, name: str | None = None, image: Path | None = None, disk_mib: int = 4096
    ) -> VirtualJetson:
        """A new device, booted. image: a disk saved with image_copy to start with, host key included."""


class MakeProject(Protocol):
    """The fixture `project`."""

    def __call__(self, *devices: VirtualJetson, groups: dict[str, list[str]] | None = None, **settings: Any) -> Project:
        """A project with the demo detector whose devices.yaml has these devices, each with `settings`."""


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skip every module for one reason where there is no lab; give up instead with EDGEKIT_REQUIRE_LAB=1."""
    reason = _why_not()
    if not reason:
        return None
    if os.environ.get("EDGEKIT_REQUIRE_LAB") == "1":
        pytest.exit(reason, returncode=1)
    return _Skipped.from_parent(parent, path=module_path, reason=reason)


class _Skipped(pytest.Module):
    """A module that is not even imported."""

    def __init__(self, reason: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._reason = reason

    def collect(self) -> NoReturn:
        pytest.skip(self._reason, allow_module_level=True)


@functools.cache
def _why_not() -> str:
    reasons = fleet.reasons_against()
    if reasons:
        return f"no virtual Jetson can run here: {'; '.join(reasons)}"
    if not network.is_inside(Place.from_environment().lab):
        return "virtual Jetsons are out of reach of this process: `make lab` runs these tests"
    return ""


@pytest.fixture(scope="session")
def lab() -> Place:
    """The lab this runs in."""
    return Place.from_environment()


@pytest.fixture(scope="session")
def devices_made() -> list[VirtualJetson]:
    """Those of the test file that runs."""
    return []


@pytest.fixture(scope="module", autouse=True)
def _room_for_the_next_file(devices_made: list[VirtualJetson]) -> Iterator[None]:
    """Throw a file's devices away at its end: a lab has room for so many, and each of them takes memory."""
    yield
    while devices_made:
        device = devices_made.pop()
        if device.folder.exists():
            fleet.remove_device(device)


@pytest.fixture(scope="session")
def jetson(lab: Place, devices_made: list[VirtualJetson]) -> MakeJetson:
    """Makes devices; they are there until the test file ends, or until remove_device."""

    def make(
        board: str = "xavier-nx",
        *,
        name: str | None = None,
        image: Path | None = None,
        disk_mib: int = fleet.DISK_MIB,
    ) -> VirtualJetson:
        device = fleet.create(lab, board, name, disk_mib, image)
        devices_made.append(device)
        device.power_on()
        return device

    return make


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> MakeProject:
    """Makes projects, each in a folder of its own."""

    def make(*devices: VirtualJetson, groups: dict[str, list[str]] | None = None, **settings: Any) -> Project:
        folder = tmp_path_factory.mktemp("project")
        init_project(folder)
        entries = {device.name: {**inventory_entry(device), **settings} for device in devices}
        # YAML holds all of JSON.
        text = json.dumps({"devices": entries, "groups": groups or {}}, indent=2)
        (folder / "devices.yaml").write_text(text)
        return Project(folder)

    return make


def inventory_entry(device: VirtualJetson) -> dict[str, Any]:
    """What devices.yaml says of a virtual Jetson: ONNX Runtime is its back end, a drawn street its camera."""
    return {
        "kind": "jetson",
        "address": device.address,
        "port": device.port,
        "user": device.user,
        "key": str(device.key_path),
        "backend": "onnxruntime",
        "source": STREET,
    }
