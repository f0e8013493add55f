"""What is wrong with this machine or project, each finding with the command that mends it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from edgekit.control.detectors import DetectorState, list_detectors
from edgekit.control.inventory import Inventory, load_inventory
from edgekit.control.project import Project
from edgekit.control.sets.calibration_sets import load_set, set_names
from edgekit.core.checkup import Finding
from edgekit.errors import EdgekitError, NotFoundError

MIN_PYTHON = (3, 10)
_LOW_DISK_MIB, _NO_DISK_MIB = 2048, 256
_LOW_MEMORY_MIB = 1024
_LEFTOVER_AGE_S = 3600.0

# Module -> the distributions that bring it. The first is the one to install.
_MODULES = {
    "numpy": ("numpy",),
    "cv2": (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
    "onnx": ("onnx",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "faster_coco_eval": ("faster-coco-eval",),
    "jinja2": ("jinja2",),
    "PIL": ("pillow",),
}


def examine(project: Project | None) -> Iterator[Finding]:
    """Everything found about this machine and, if there is one, the project; its devices are device_doctor's."""
    yield from examine_machine(Path.cwd() if project is None else project.root)
    if project is None:
        yield Finding("warning", "project", "there is none here", "edgekit init demo")
    else:
        yield from examine_project(project)


def examine_machine(folder: Path) -> Iterator[Finding]:
    """Python, packages, disk space where `folder` is, memory and clock."""
    yield check_python(sys.version_info[:3])
    for module in _MODULES:
        yield check_module(module)
    yield from check_opencv_copies()
    yield check_disk(shutil.disk_usage(folder).free >> 20, folder)
    yield check_memory(Path("/proc/meminfo"))
    yield check_clock(time.time(), Path(__file__).stat().st_mtime)


def examine_project(project: Project) -> Iterator[Finding]:
    """The state folder, devices.yaml, detectors and sets, and what interrupted runs left."""
    yield check_state(project)
    inventory: Inventory | None = None
    try:
        inventory = load_inventory(project)
        names = ", ".join(device.name for device in inventory.devices)
        yield Finding("ok", "devices.yaml", names or "it names no device")
    except EdgekitError as error:
        yield _from_error("devices.yaml", error, "correct devices.yaml")
    used = {device.detector for device in inventory.devices} if inventory else set()
    # Without onnx or OpenCV these cannot be looked at; that the package is missing is a finding of its own.
    with contextlib.suppress(ImportError):
        states = list_detectors(project)
        yield from check_detectors(states, used)
        yield from check_sets(project, states)
    yield from check_leftovers(project, time.time())


def check_python(version: tuple[int, ...]) -> Finding:
    """The host's Python; version is (major, minor, micro)."""
    text = ".".join(str(part) for part in version)
    if version[:2] < MIN_PYTHON:
        wanted = ".".join(str(part) for part in MIN_PYTHON)
        return Finding("error", "Python", f"{text} is too old", f"install Python {wanted} or newer")
    return Finding("ok", "Python", text)


def check_module(module: str) -> Finding:
    """A package that the kit uses: installed, and it can be imported."""
    names = _MODULES[module]
    installed = [f"{name} {version}" for name in names if (version := _version(name)) is not None]
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        return Finding("error", names[0], f"{error.name} is not installed", f"pip install {names[0]}")
    except Exception as error:  # a broken binary raises whatever it likes
        remedy = f"pip install --force-reinstall {names[0]}"
        return Finding("error", names[0], f"it cannot be imported: {str(error).splitlines()[0]}", remedy)
    return Finding("ok", names[0], ", ".join(installed) or "present")


def check_opencv_copies() -> Iterator[Finding]:
    """Two OpenCV packages overwrite each other's files."""
    copies = [name for name in _MODULES["cv2"] if _version(name) is not None]
    if len(copies) > 1:
        remedy = f"pip uninstall -y {' '.join(copies)} && pip install {copies[0]}"
        yield Finding("warning", "OpenCV", f"packages that share one folder: {', '.join(copies)}", remedy)


def check_disk(free_mib: int, folder: Path) -> Finding:
    """Room for engines, rendered pictures and releases."""
    found = f"{free_mib} MiB free in {folder}"
    if free_mib < _LOW_DISK_MIB:
        return Finding("error" if free_mib < _NO_DISK_MIB else "warning", "disk", found, "free some disk space")
    return Finding("ok", "disk", found)


def check_memory(meminfo: Path) -> Finding:
    """Memory that is available; meminfo is /proc/meminfo. Source: proc_meminfo(5), kB are KiB."""
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text("utf-8"), re.MULTILINE)
    except OSError:
        match = None
    if match is None:
        return Finding("ok", "memory", "not measured")
    available_mib = int(match.group(1)) // 1024
    if available_mib < _LOW_MEMORY_MIB:
        return Finding("warning", "memory", f"{available_mib} MiB available", "close other programs")
    return Finding("ok", "memory", f"{available_mib} MiB available")


def check_clock(now_unix_s: float, installed_unix_s: float) -> Finding:
    """A clock before the day edgekit was installed is wrong: results and releases would carry wrong times."""
    text = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_unix_s))
    if now_unix_s < installed_unix_s - 86400:
        found = f"it says {text}, before edgekit was installed"
        return Finding("warning", "clock", found, "sudo timedatectl set-ntp true")
    return Finding("ok", "clock", text)


def check_state(project: Project) -> Finding:
    """The folder that everything is written to."""
    try:
        state = project.ensure_state()
    except EdgekitError as error:
        return _from_error("state folder", error, "")
    if not os.access(state, os.W_OK | os.X_OK):
        return Finding("error", "state folder", f"{state} cannot be written", f"chmod -R u+w {state}")
    return Finding("ok", "state folder", str(state))


def check_detectors(states: tuple[DetectorState, ...], used: set[str]) -> Iterator[Finding]:
    """Each detector: an error if a device uses it and it cannot run, else a warning."""
    for state in states:
        subject = f"detector {state.name}"
        if state.error is None:
            warnings = state.detector.warnings if state.detector else ()
            yield Finding("warning" if warnings else "ok", subject, "; ".join(warnings) or "ready")
        elif state.name in used or state.state == "broken":
            yield _from_error(subject, state.error, f"edgekit detectors {state.name}")
        else:
            yield Finding("ok", subject, "its model is not here, and no device uses it")
    for name in sorted(used - {state.name for state in states}):
        yield Finding("error", f"detector {name}", "a device uses it, and it does not exist", "edgekit detectors")


def check_sets(project: Project, states: tuple[DetectorState, ...]) -> Iterator[Finding]:
    """Every set that exists, and every set that a detector names."""
    wanted: dict[str, str] = {}
    for detector in (state.detector for state in states if state.detector):
        wanted.update({name: detector.name for name in (detector.calibration, detector.frozen) if name})
    for name in sorted({*set_names(project), *wanted}):
        try:
            load_set(project, name)
            yield Finding("ok", f"set {name}", f"used by {wanted[name]}" if name in wanted else "not used")
        except NotFoundError as error:
            yield _from_error(f"set {name}", error, f"correct detectors/{wanted.get(name, name)}/detector.yaml")
        except EdgekitError as error:
            yield _from_error(f"set {name}", error, f"correct calib_sets/{name}/set.yaml")


def check_leftovers(project: Project, now_unix_s: float) -> Iterator[Finding]:
    """Half-written files that interrupted runs left behind, older than an hour."""
    old = [path for path in project.state_dir.rglob("*.part*") if now_unix_s - path.lstat().st_mtime > _LEFTOVER_AGE_S]
    if old:
        remedy = f"find {project.state_dir} -name '*.part*' -mmin +60 -prune -exec rm -r {{}} +"
        yield Finding("warning", "leftovers", f"{len(old)} half-written files of interrupted runs", remedy)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _from_error(subject: str, error: EdgekitError, remedy: str) -> Finding:
    found = error.what + (f": {error.why.splitlines()[0]}" if error.why else "")
    return Finding("error", subject, found, error.hint or remedy)
