"""What the tests of deployments share: the command line, a tiny project, a provisioned device to start others from."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.lab.conftest import MakeJetson, inventory_entry
from tests.lab.virtual_jetson import VirtualJetson
from tests.onnx_models import save_yolov8

SOURCE = "scenes://?seed=3&width=160&height=96&fps=10&live=1"
SERVICE = "tiny"
UNIT = f"edgekit@{SERVICE}.service"


def edgekit(project: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would."""
    command = [sys.executable, "-m", "edgekit", "--project", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment())


def environment() -> dict[str, str]:
    """The lab's sudo wants a password, as a stock Jetson's does."""
    return {**os.environ, "EDGEKIT_SUDO_PASSWORD": "jetson"}


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command gave."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def make_project(folder: Path, *devices: VirtualJetson, groups: dict[str, list[str]] | None = None) -> Path:
    """A project with a detector that builds in no time, for these devices, which it knows."""
    save_yolov8(_new(folder / "detectors" / "tiny") / "model.onnx")
    (folder / "detectors" / "tiny" / "detector.yaml").write_text("labels: [car, person]\ncalibration: few\n")
    images = _new(folder / "calib_sets" / "few" / "images")
    rng = np.random.default_rng(5)
    for index in range(6):
        cv2.imwrite(str(images / f"p{index}.png"), rng.integers(0, 255, (48, 64, 3), np.uint8))
    (images.parent / "set.yaml").write_text("images: {folder: images}\n")
    write_inventory(folder, *devices, groups=groups)
    for device in devices:
        answer(edgekit(folder, "enroll", device.name, "--yes", "--json"))
    return folder


def write_inventory(
    project: Path, *devices: VirtualJetson, groups: dict[str, list[str]] | None = None, **settings: Any
) -> None:
    """devices.yaml for these devices, each with `settings` over the usual ones."""
    usual = {"detector": "tiny", "precision": "fp32", "source": SOURCE, "probation": {"frames": 5, "seconds": 1}}
    entries = {device.name: {**inventory_entry(device), **usual, **settings} for device in devices}
    (project / "devices.yaml").write_text(json.dumps({"devices": entries, "groups": groups or {}}))


@functools.cache
def provisioned_image(jetson: MakeJetson) -> Path:
    """The disk of a device that was provisioned and has run the tiny detector; made once a session."""
    folder = Path(tempfile.mkdtemp(prefix="edgekit-lab-"))
    device = jetson("xavier-nx", name="first")
    project = make_project(folder / "project", device)
    answer(edgekit(project, "provision", "--device", device.name, "--json"))
    answer(edgekit(project, "deploy", "--device", device.name, "--json"))
    answer(edgekit(project, "stop", "--device", device.name, "--json"))
    device.power_off()
    image = folder / "disk.img"
    device.image_copy(image)
    return image


def state_of(project: Path, device: str) -> Any:
    """The tiny service as `edgekit status` has it."""
    (service,) = answer(edgekit(project, "status", device, "--json"))[device]["services"]
    return service


def wait_for(condition: Callable[[], bool], limit_s: float = 90.0) -> float:
    """Wait; how long it took."""
    started_s = time.monotonic()
    while not condition():
        assert time.monotonic() - started_s < limit_s, "waited in vain"
        time.sleep(0.2)
    return time.monotonic() - started_s


def main_pid(device: VirtualJetson) -> str:
    """The process of the service, as systemd knows it."""
    return device.run(["systemctl", "show", "--property=MainPID", "--value", UNIT]).stdout.strip()


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
