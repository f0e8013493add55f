"""Python packages for devices, fetched here: a device installs nothing from the internet.

Which ones is locked in locks/, exact versions with their SHA-256, for each Python and processor. They are fetched with
pip once and kept in the user's cache. Before a machine goes where there is no network:

    python -m edgekit.control.wheels fetch cp38 aarch64 jetson
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.link import silent
from edgekit.core.progress import OnProgress
from edgekit.errors import DeviceError, EdgekitError, NotFoundError, UsageError
from edgekit.files import sha256_file

LOCKS = Path(__file__).parent / "locks"
TAGS = {"cp38": "JetPack 5", "cp310": "JetPack 6", "cp312": "JetPack 7"}
MACHINES = ("aarch64", "x86_64")
SETS = ("jetson", "onnxruntime")
# Compiled on a device, against the CUDA that is there.
PYCUDA = "pycuda"
# What reading the metadata of sources takes; both are wheels of the same lock.
_BUILD_SYSTEM = ("setuptools", "wheel")
_LINE = re.compile(r"(?P<name>[a-z0-9._-]+)==(?P<version>[0-9a-zA-Z.+!]+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")
_GLIBC_MINORS = range(17, 40)
_LIMIT_S = 900.0
_fetching = threading.Lock()  # many devices want the same files at the same time


@dataclass(frozen=True)
class LockedPackage:
    """One line of a lock file."""

    name: str
    version: str
    sha256: str

    @property
    def line(self) -> str:
        """The line, in pip's requirements format."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def python_tag(python: Sequence[int]) -> str:
    """ "cp38" of (3, 8, 10)."""
    return f"cp{python[0]}{python[1]}"


def read_lock(tag: str, machine: str, name: str) -> tuple[LockedPackage, ...]:
    """The packages of a set for a Python and a processor. Raises UsageError if there is no such lock."""
    path = LOCKS / f"{tag}-{machine}-{name}.txt"
    if not path.exists():
        known = ", ".join(f"{each} ({jetpack})" for each, jetpack in TAGS.items())
        raise UsageError(
            f"no packages are locked for {tag} on {machine}, set {name}",
            why=f"known are {known}, for {' and '.join(MACHINES)}, sets {' and '.join(SETS)}",
            hint="as maintainer: add it to tools/lock_wheels.py and run that",
        )
    return parse_lock(path.read_text("utf-8"), path.name)


def parse_lock(text: str, name: str) -> tuple[LockedPackage, ...]:
    """The packages in a lock file's text; `name` is for messages. Raises UsageError for a line that is none."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [_LINE.fullmatch(line) for line in lines]
    wrong = [line for line, match in zip(lines, found, strict=True) if match is None]
    if wrong:
        raise UsageError(f"{name}: not a locked package: {wrong[0]!r}", hint="tools/lock_wheels.py writes these files")
    return tuple(LockedPackage(**match.groupdict()) for match in found if match)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where fetched and built packages are kept: ~/.cache/edgekit, or below XDG_CACHE_HOME."""
    base = environment.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base) / "edgekit"


def fetch(
    packages: Iterable[LockedPackage],
    tag: str,
    machine: str,
    on_progress: OnProgress = silent,
    cache: Path | None = None,
) -> dict[str, Path]:
    """The files of these packages, name -> file, whose digests are right. Those that are not in the cache are fetched.

    Raises DeviceError if they cannot be had.
    """
    folder = (cache or cache_folder()) / "wheels"
    wanted = {package.name: package for package in packages}
    with _fetching:
        lacking = [package for package in wanted.values() if _cached(folder, package) is None]
        if lacking:
            on_progress(f"fetching {len(lacking)} Python packages", 0, 0)
        _fetch_wheels([package for package in lacking if package.name != PYCUDA], tag, machine, folder)
        if any(package.name == PYCUDA for package in lacking):
            _fetch_sources(wanted, folder)
    found = {name: _cached(folder, package) for name, package in wanted.items()}
    return {name: path for name, path in found.items() if path is not None}


def _cached(folder: Path, package: LockedPackage) -> Path | None:
    """The package's file, checked: what lies in a cache may be damaged."""
    for path in (folder / package.sha256).glob("*"):
        if sha256_file(path) == package.sha256:
            return path
    return None


def _fetch_wheels(packages: Sequence[LockedPackage], tag: str, machine: str, folder: Path) -> None:
    if packages:
        options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={tag[2:]}"]
        options += [f"--platform={platform}" for platform in _platforms(machine)]
        _download(packages, options, folder, {})


def _platforms(machine: str) -> list[str]:
    """The names that a processor's wheels go by; what a device's C library bears was decided when the lock was made."""
    names = [f"manylinux_2_{minor}" for minor in _GLIBC_MINORS]
    return [f"{name}_{machine}" for name in (*names, "manylinux2014")]


def _fetch_sources(wanted: Mapping[str, LockedPackage], folder: Path) -> None:
    """Fetch what is compiled on the device. pip reads its metadata, with the build system of the lock and no other."""
    with tempfile.TemporaryDirectory(prefix="edgekit-build-") as build_system:
        for name in _BUILD_SYSTEM:
            wheel = _cached(folder, wanted[name]) if name in wanted else None
            if wheel is None:
                raise NotFoundError(f"{name} is not among the packages that {PYCUDA} was locked with")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(build_system)
        options = ["--no-build-isolation", f"--no-binary={PYCUDA}"]
        _download([wanted[PYCUDA]], options, folder, {"PYTHONPATH": build_system})


def _download(
    packages: Sequence[LockedPackage], options: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> None:
    """Let pip fetch files; each goes to the folder of its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
        requirements = Path(temporary) / "requirements.txt"
        requirements.write_text("".join(f"{package.line}\n" for package in packages), "utf-8")
        fetched = Path(temporary) / "fetched"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", *options, f"--dest={fetched}", f"--requirement={requirements}"]
        _run_pip(command, {**os.environ, **environment})
        for path in fetched.iterdir():
            place = folder / sha256_file(path)
            place.mkdir(exist_ok=True)
            os.replace(path, place / path.name)


def _run_pip(command: Sequence[str], environment: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise DeviceError(f"fetching Python packages took more than {_LIMIT_S:.0f} s", hint="try again") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise DeviceError(
            "pip could not fetch the Python packages for the device",
            why="\n".join(said[-4:]),
            hint="check the network and your pip settings; behind a proxy, fetch them elsewhere and copy "
            f"{cache_folder()}:\npython -m edgekit.control.wheels fetch TAG MACHINE SET",
        )


def main(arguments: Sequence[str]) -> int:
    """`python -m edgekit.control.wheels fetch cp38 aarch64 jetson`: the exit code."""
    usage = f"fetch {{{','.join(TAGS)}}} {{{','.join(MACHINES)}}} {{{','.join(SETS)}}}"
    if len(arguments) != 4 or arguments[0] != "fetch":
        sys.stderr.write(f"usage: python -m edgekit.control.wheels {usage}\n")
        return UsageError.exit_code
    try:
        _, tag, machine, name = arguments
        files = fetch(read_lock(tag, machine, name), tag, machine)
    except EdgekitError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    size_mib = sum(path.stat().st_size for path in files.values()) / (1 << 20)
    sys.stdout.write(f"{len(files)} packages, {size_mib:.0f} MiB, in {cache_folder() / 'wheels'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
