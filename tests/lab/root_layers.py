"""What makes a virtual Jetson of the base: Python as JetPack has it, and the recorded surfaces of a board.

Each is a read-only folder that lies over the base in a device's overlay, copied once to where all belongs to root.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.lab.machine import LabError, run
from tests.lab.place import Place, digest_of

SURFACES = Path(__file__).parent / "layers"
# board: the Python of its JetPack (5, 6 and 7)
PYTHONS = {"xavier-nx": "3.8", "orin-nano": "3.10", "agx-thor": "3.12"}

_BUILD_PYTHON = Path(__file__).parent / "python_layer.sh"


def find_python(version: str) -> Path | None:
    """The newest pyenv build of a Python ("3.8"), built on this machine as a shared or static one; None without any."""
    builds = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [path.parent.parent for path in builds.glob(f"{version}.*/bin/python{version}")]
    return max(found, key=lambda path: int(path.name.split(".")[-1]), default=None)


def missing_pythons() -> list[str]:
    """The reasons why some board has no Python here."""
    missing = sorted({version for version in PYTHONS.values() if find_python(version) is None})
    return [f"pyenv has no Python {version} (pyenv install {version})" for version in missing]


def layers_of(place: Place, board: str) -> list[Path]:
    """The layers of a board, topmost first, without the base. Call it under place.lock()."""
    if board not in PYTHONS:
        raise LabError(f"there is no board {board!r} in the lab; it has: {', '.join(PYTHONS)}")
    return [_surface(place, board), _surface(place, "common"), _python(place, PYTHONS[board])]


def _surface(place: Place, name: str) -> Path:
    source = SURFACES / name
    parts: list[str | bytes] = []
    for path in sorted(source.rglob("*")):
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        parts += [str(path.relative_to(source)), str(path.lstat().st_mode), content]
    copy = ("cp", "-rP", "--preserve=mode,links", "--no-preserve=ownership", f"{source}/.")
    return _once(place.layers / f"{name}-{digest_of(*parts)}", lambda folder: run(*copy, folder))


def _python(place: Place, version: str) -> Path:
    prefix = find_python(version)
    if prefix is None:
        raise LabError(f"pyenv has no Python {version} (pyenv install {version})")
    folder = place.layers / f"python{prefix.name}-{digest_of(str(prefix), _BUILD_PYTHON.read_bytes())}"
    return _once(folder, lambda new: run("sh", _BUILD_PYTHON, prefix, new))


def _once(folder: Path, make: Callable[[Path], object]) -> Path:
    if not folder.is_dir():
        new = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        make(new)
        run("chown", "-hR", "0:0", new)
        run("chmod", "-R", "u=rwX,go=rX", new)
        new.rename(folder)
    return folder
