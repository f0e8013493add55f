"""What is exported for other servers: a device's engine or the detector's own ONNX file; and new folders for it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.build import TENSORRT, Order, fulfil, is_built, place_order
from edgekit.control.detectors import Detector
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError, UsageError
from edgekit.files import fsync_file, fsync_folder, sha256_file


@dataclass(frozen=True)
class Source:
    """Where the model comes from. order None: the detector's ONNX file; because says why it is that one."""

    detector: Detector
    order: Order | None = None
    because: str = ""

    @property
    def is_there(self) -> bool:
        """False if an engine must be built first."""
        return self.order is None or is_built(self.order)


def choose_source(
    ground: Groundwork,
    device: Device,
    link: Link,
    on_progress: OnProgress,
    *,
    detector: str | None = None,
    precision: str | None = None,
    onnx: bool = False,
) -> Source:
    """The engine that the device builds with TensorRT; with onnx, or where it has none, the detector's ONNX file.

    With onnx the device is not asked. An engine of ONNX Runtime is never taken: it holds operators of one release and
    one processor.
    """
    model = ground.detector(detector or device.detector)
    if onnx:
        return Source(model, because="--onnx")
    on_progress("probe the device", 0, 0)
    profile = link.call("probe", {}, DeviceProfile)
    if profile.backend != TENSORRT:
        return Source(model, because=f"{device.name} has no TensorRT")
    return Source(model, place_order(ground, device, link, precision, on_progress, detector=detector))


def make_ready(source: Source, on_progress: OnProgress) -> EngineManifest | None:
    """The engine of a source, built now if it is not there; None for an ONNX file."""
    return None if source.order is None else fulfil(source.order, on_progress)


def copy_model(source: Source, engine: EngineManifest | None, target: Path, on_progress: OnProgress) -> None:
    """Bring the model file to `target`, durably. Raises DeviceError if what came is not what the manifest says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if engine is None or source.order is None:
        wanted = source.detector.facts.sha256
        shutil.copyfile(source.detector.model_path, target)
    else:
        wanted = engine.file_sha256
        on_progress("fetch the engine", 0, 0)
        source.order.link.fetch(f"{source.order.engine_dir}/{engine.file_name}", target)
    target.chmod(0o644)
    if sha256_file(target) != wanted:
        raise DeviceError(f"{target.name} is not the file that was to be exported", hint="run the same command again")
    fsync_file(target)


def check_free(folder: Path, marker: str, *, force: bool) -> None:
    """Raise UsageError if the folder is not to be replaced.

    With force only one that holds an earlier export is: `marker` is a file that each has.
    """
    if not os.path.lexists(folder) or (folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())):
        return
    earlier = folder.is_dir() and not folder.is_symlink() and (folder / marker).is_file()
    if not earlier:
        raise UsageError(f"{folder} is there, and is no earlier export", hint="choose another --out")
    if not force:
        raise UsageError(f"{folder} is there", hint="add --force to replace it, or choose another --out")


@contextmanager
def new_folder(folder: Path, marker: str, *, force: bool) -> Iterator[Path]:
    """A folder to fill, beside its place; it takes that place when whole, and vanishes on any failure.

    Raises UsageError as `check_free` does, or where nothing can be written.
    """
    check_free(folder, marker, force=force)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".part", dir=folder.parent))
    except OSError as error:
        raise UsageError(f"{folder.parent} cannot be written: {error.strerror}", hint="choose another --out") from None
    try:
        part.chmod(0o755)
        yield part
        for path in [*part.rglob("*"), part]:
            (fsync_folder if path.is_dir() else fsync_file)(path)
        _put_in_place(part, folder)
        fsync_folder(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put_in_place(part: Path, folder: Path) -> None:
    """Give a whole folder its name; what had it goes, or comes back if the rename fails."""
    if not folder.exists():
        os.replace(part, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".old", dir=folder.parent))
    os.replace(folder, old)
    try:
        os.replace(part, folder)
    except OSError:
        os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
