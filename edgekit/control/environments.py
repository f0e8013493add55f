"""The Python environment of a device: made there from packages that are sent, with pycuda compiled once for all alike.

bootstrap/venv.py does the device's part.
"""

from __future__ import annotations

import json
import posixpath
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgekit import bootstrap
from edgekit.control.device_packages import DevicePackages
from edgekit.control.link import silent
from edgekit.control.wheels import LockedPackage, cache_folder, fetch
from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError, error_from_dict
from edgekit.files import sha256_file, write_bytes

if TYPE_CHECKING:
    from edgekit.control.ssh.link import SSHLink

REQUIREMENTS, SOURCES = "requirements.txt", "sources.txt"
# The system's own, with JetPack's packages. What comes first in PATH may lie in a home, out of a service's sight.
PYTHON = "/usr/bin/python3"
_LIMIT_S = 3600.0  # pycuda on the smallest board

# The first device of a kind compiles; others of this run that are like it wait for what comes out.
_compiling: dict[str, threading.Lock] = defaultdict(threading.Lock)


def look(link: SSHLink) -> dict[str, str]:
    """What is on a device: the name of the environment in use as "venv", the folder of "agent"; "" for nothing."""
    return _run(link, action="look")


def set_agent(link: SSHLink) -> bool:
    """Let this edgekit's device code watch over the device's releases. False if it does already."""
    return bool(_run(link, action="agent", code=link.send_code())["changed"])


def make_environment(
    link: SSHLink,
    wanted: DevicePackages,
    *,
    nvcc: str = "",
    on_progress: OnProgress = silent,
    cache: Path | None = None,
) -> None:
    """Make the environment that is wanted and let the device use it; one that is there already is kept.

    nvcc: the CUDA compiler there. Raises DeviceError if packages cannot be had, or do not compile.
    """
    cache = cache or cache_folder()
    files = fetch(wanted.packages, wanted.tag, wanted.machine, on_progress, cache)
    if not look(link)["venv"]:
        # Files are received by device code, which needs an environment, though an empty one.
        _run(link, action="make", name=f"{wanted.tag}-empty", wheels="", requirements="")
    if not wanted.compiled:
        _make(link, wanted.name, wanted.packages, files, on_progress)
        return
    built = _compiled(link, wanted, files, nvcc, on_progress, cache)
    packages = [*wanted.ready_made.packages, *built]
    _make(link, wanted.name, packages, {**files, **{each.name: path for each, path in built.items()}}, on_progress)


def _make(
    link: SSHLink,
    name: str,
    packages: Any,
    files: dict[str, Path],
    on_progress: OnProgress,
) -> None:
    with _gathered({each.name: files[each.name] for each in packages}, {REQUIREMENTS: packages}) as folder:
        on_progress("sending Python packages", 0, 0)
        wheels = link.place(folder)
    on_progress("installing Python packages", 0, 0)
    _run(link, action="make", name=name, wheels=wheels, requirements=REQUIREMENTS)


def _compiled(
    link: SSHLink, wanted: DevicePackages, files: dict[str, Path], nvcc: str, on_progress: OnProgress, cache: Path
) -> dict[LockedPackage, Path]:
    """Wheels of the packages that exist as sources only: of the cache, or compiled now and kept there."""
    with _compiling[wanted.key]:
        kept = {package: _kept(cache, wanted.key, package) for package in wanted.compiled}
        if any(path is None for path in kept.values()):
            _compile(link, wanted, files, nvcc, on_progress, cache)
            kept = {package: _kept(cache, wanted.key, package) for package in wanted.compiled}
    found = {package: path for package, path in kept.items() if path is not None}
    return {LockedPackage(package.name, package.version, sha256_file(path)): path for package, path in found.items()}


def _kept(cache: Path, key: str, package: LockedPackage) -> Path | None:
    """The wheel that was compiled from exactly these sources for exactly such a system."""
    return next(iter(_built_folder(cache, key, package).glob("*.whl")), None)


def _built_folder(cache: Path, key: str, package: LockedPackage) -> Path:
    return cache / "built" / key / package.sha256


def _compile(
    link: SSHLink, wanted: DevicePackages, files: dict[str, Path], nvcc: str, on_progress: OnProgress, cache: Path
) -> None:
    ready_made = wanted.ready_made
    _make(link, ready_made.name, ready_made.packages, files, on_progress)
    lists = {REQUIREMENTS: ready_made.packages, SOURCES: wanted.compiled}
    with _gathered(files, lists) as folder:
        wheels = link.place(folder)
    on_progress(f"compiling {', '.join(package.name for package in wanted.compiled)}, once for devices like it", 0, 0)
    path = posixpath.dirname(nvcc)
    answer = _run(link, action="build", name=ready_made.name, wheels=wheels, requirements=SOURCES, path=path)
    for package in wanted.compiled:
        _fetch_built(link, answer, package, _built_folder(cache, wanted.key, package))


def _fetch_built(link: SSHLink, answer: dict[str, Any], package: LockedPackage, folder: Path) -> None:
    names = [name for name in answer["wheels"] if name.startswith(f"{package.name}-{package.version}-")]
    if len(names) != 1:
        raise DeviceError(f"compiling {package.name} on {link.device} gave no wheel", why=f"it gave {answer['wheels']}")
    folder.mkdir(parents=True, exist_ok=True)
    link.fetch(f"{answer['folder']}/{names[0]}", folder / names[0])


@contextmanager
def _gathered(files: dict[str, Path], lists: dict[str, Any]) -> Iterator[Path]:
    """A folder with these files under their own names, and lists of packages in pip's format."""
    with TemporaryDirectory(prefix="edgekit-packages-") as name:
        folder = Path(name)
        for path in files.values():
            (folder / path.name).symlink_to(path)
        for title, packages in lists.items():
            write_bytes(folder / title, "".join(f"{package.line}\n" for package in packages).encode())
        yield folder


def _run(link: SSHLink, **request: Any) -> dict[str, Any]:
    """bootstrap/venv.py on the device. Raises the error that it tells of."""
    script = bootstrap.source("venv")
    return answer_of(link.run_script(script, {"root": link.root, **request}, python=PYTHON, limit_s=_LIMIT_S))


def answer_of(output: str) -> dict[str, Any]:
    """The answer of one of our scripts: its last line. Raises DeviceError if it is an error."""
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    if "error" in answer:
        raise error_from_dict(answer["error"])
    return answer
