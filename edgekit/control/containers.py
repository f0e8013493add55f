"""Device code inside the container that matches the device: the way to build with its TensorRT in a known userland."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgekit.control.link import PACKAGE, Link, silent
from edgekit.control.local_link import LocalLink, run_verb
from edgekit.core.containers import (
    CODE_FOLDER,
    Image,
    Mount,
    check_same_key,
    container_command,
    explain_docker,
    matching_image,
)
from edgekit.core.device import DeviceProfile
from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError, EdgekitError, UsageError

T = TypeVar("T")

# In the device folder: Python packages for device code that an image lacks, pycuda above all.
PACKAGES = "packages"
_STOP_LIMIT_S = 20.0


@dataclass(frozen=True)
class ContainerPlan:
    """What `--in-container` would run: for `--dry-run`."""

    image: Image
    why: str
    command: tuple[str, ...]


def container_plan(
    profile: DeviceProfile, device_root: str, image: str | None = None, *, verb: str = "build"
) -> ContainerPlan:
    """The image for a device, why it, and the command. image: a person's choice. Raises BuildError if none is known."""
    chosen = Image(image) if image else matching_image(profile.l4t, profile.backend_version)
    why = (
        "as asked; its TensorRT is compared with the device's before anything is built"
        if image
        else f"it has TensorRT {chosen.tensorrt}, as the device, and serves Jetson Linux {profile.l4t}"
    )
    command = _command(chosen, profile, Path(device_root).absolute(), (), verb, "edgekit-build")
    return ContainerPlan(chosen, why, tuple(command))


def in_container(link: Link, profile: DeviceProfile, image: str | None = None, readable: Sequence[str] = ()) -> Link:
    """A link whose verbs run inside the matching container, with the device's own paths.

    readable: files and folders of the device beside the device folder that requests name without `place`, such as
    plugin libraries. Raises UsageError for a device that is not this machine, BuildError if no image is known,
    DeviceError without docker. The first call compares engine keys, and raises BuildError if they differ.
    """
    if not isinstance(link, LocalLink):
        raise UsageError(
            f"--in-container needs to run on {link.device} itself",
            why="containers are started on this machine only",
            hint="run edgekit on the device, or build without --in-container",
        )
    chosen = Image(image) if image else matching_image(profile.l4t, profile.backend_version)
    if shutil.which("docker") is None:
        raise DeviceError(
            "docker is not installed on this machine",
            hint="sudo apt install docker.io nvidia-container-toolkit, or build without --in-container",
        )
    return ContainerLink(link, profile, chosen, readable)


class ContainerLink:
    """A device that is this machine, with a container for each verb. Files are moved as without one."""

    def __init__(self, link: LocalLink, profile: DeviceProfile, image: Image, readable: Sequence[str] = ()) -> None:
        self.device = link.device
        self.root = str(Path(link.root).absolute())
        self._link = link
        self._profile = profile
        self._image = image
        self._readable = [Path(path) for path in readable]
        self._same_key = False

    def call(self, verb: str, request: Any, answer: type[T], on_progress: OnProgress = silent) -> T:
        if not self._same_key:
            inside = self._run("probe", {}, DeviceProfile, silent)
            check_same_key(self._image.name, inside.engine_key, self._profile.engine_key)
            self._same_key = True
        return self._run(verb, request, answer, on_progress)

    def deliver(self, files: Mapping[str, Path | bytes], on_progress: OnProgress = silent) -> None:
        self._link.deliver(files, on_progress)

    def place(self, local: Path) -> str:
        self._readable.append(local.resolve())
        return self._link.place(local)

    def fetch(self, remote: str, local: Path) -> None:
        self._link.fetch(remote, local)

    def fetch_files(self, remote: str, sizes: Mapping[str, int], local: Path) -> None:
        self._link.fetch_files(remote, sizes, local)

    def work_folder(self) -> AbstractContextManager[str]:
        return self._link.work_folder()

    def close(self) -> None:
        self._link.close()

    def _run(self, verb: str, request: Any, answer: type[T], on_progress: OnProgress) -> T:
        root, name = Path(self.root), f"edgekit-{uuid.uuid4().hex[:12]}"
        root.mkdir(parents=True, exist_ok=True)  # docker would make it, as root
        command = _command(self._image, self._profile, root, self._readable, verb, name)
        try:
            return run_verb(
                command,
                verb,
                request,
                answer,
                on_progress,
                environment=os.environ,
                explain=lambda code, tail: explain_docker(code, self._image.name, tail),
            )
        except EdgekitError as error:
            error.why = "\n".join(part for part in (error.why, _where(self._image, root)) if part)
            raise
        except BaseException:
            _remove(name)  # ending docker's client does not always end what it started
            raise


def _command(
    image: Image, profile: DeviceProfile, root: Path, readable: Sequence[Path], verb: str, name: str
) -> list[str]:
    code = Mount(str(PACKAGE), f"{CODE_FOLDER}/{PACKAGE.name}")
    return container_command(
        image.name,
        verb,
        name=name,
        user=f"{os.getuid()}:{os.getgid()}",
        groups=sorted({*os.getgroups()} - {os.getgid()}),
        mounts=[code, Mount(str(root), str(root), writable=True), *_mounts(readable, root)],
        python_path=(CODE_FOLDER, str(root / PACKAGES)),
        l4t=profile.l4t,
        module=profile.module if profile.l4t else None,
    )


def _mounts(paths: Sequence[Path], root: Path) -> list[Mount]:
    """Read-only mounts of what lies outside the device folder, each at its own path, unless it is gone by now."""
    wanted = {folder for path in paths if path.exists() for folder in (path, *_link_targets(path))}
    outside = sorted(path for path in wanted if root != path and root not in path.parents)
    covered = {path for path in outside if not wanted.isdisjoint(path.parents)}
    return [Mount(str(path), str(path)) for path in outside if path not in covered]


def _link_targets(folder: Path) -> set[Path]:
    """The folders that links in a folder of pictures lead to."""
    if not folder.is_dir():
        return set()
    return {path.resolve().parent for path in folder.iterdir() if path.is_symlink()} - {folder}


def _where(image: Image, root: Path) -> str:
    return f"inside {image.name}; packages that it lacks are looked for in {root / PACKAGES}"


def _remove(name: str) -> None:
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            ["docker", "rm", "--force", name],  # noqa: S607 docker has no fixed place
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_STOP_LIMIT_S,
            check=False,
        )
