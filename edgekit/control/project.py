"""A project: the folder whose devices.yaml names the fleet, with its detectors, calibration sets and scenarios."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit import files
from edgekit.errors import NotFoundError, UsageError

PROJECT_FILE = "devices.yaml"
PROJECT_VARIABLE = "EDGEKIT_PROJECT"

# What `init` copies of the package's data: folder, and the file types wanted from it. Training code stays behind.
_COPIED = {
    "detectors": (".yaml", ".txt", ".onnx"),
    "calib_sets": (".yaml",),
    "bench/scenarios": (".yaml",),
}
_FOLDERS = ("detectors", "calib_sets", "bench/scenarios")
_GITIGNORE = "# Written by edgekit: engines, results, rendered pictures.\n/.edgekit/\n*.part\n"


@dataclass(frozen=True)
class Project:
    """Where a project's files lie. `root` is absolute; only `state_dir` and below is written by the kit."""

    root: Path

    @property
    def devices_path(self) -> Path:
        """The inventory file."""
        return self.root / PROJECT_FILE

    @property
    def detectors_dir(self) -> Path:
        """One folder for each detector, holding detector.yaml."""
        return self.root / "detectors"

    @property
    def calib_sets_dir(self) -> Path:
        """One folder for each calibration or frozen set, holding set.yaml."""
        return self.root / "calib_sets"

    @property
    def bench_dir(self) -> Path:
        """Benchmark scenarios and recorded results kept by people."""
        return self.root / "bench"

    @property
    def scenarios_dir(self) -> Path:
        """Benchmark scenarios, one YAML each."""
        return self.bench_dir / "scenarios"

    @property
    def state_dir(self) -> Path:
        """Everything the kit writes. May be deleted: it is built again, except the results."""
        return self.root / ".edgekit"

    @property
    def results_dir(self) -> Path:
        """Benchmark results written by `edgekit bench`."""
        return self.state_dir / "results"

    @property
    def cache_dir(self) -> Path:
        """What can be computed again: model facts, rendered calibration pictures, digests."""
        return self.state_dir / "cache"

    def device_root(self, device: str) -> Path:
        """What stands for /opt/edgekit of a device that is this machine."""
        return self.state_dir / "devices" / device

    def ensure_state(self) -> Path:
        """The state folder, made if missing, with a .gitignore of its own. Raises UsageError if that fails."""
        try:
            self.state_dir.mkdir(exist_ok=True)
            devices = self.state_dir / "devices"
            devices.mkdir(exist_ok=True)
            if devices.stat().st_mode & 0o077:
                devices.chmod(0o700)  # settings of this machine's services may hold passwords of cameras
            ignore = self.state_dir / ".gitignore"
            if not ignore.exists():
                files.write_bytes(ignore, b"*\n")
        except OSError as error:
            raise UsageError(
                f"{self.state_dir} cannot be written: {error.strerror}",
                hint=f"give yourself write permission: chmod u+w {self.root}",
            ) from None
        return self.state_dir


@dataclass(frozen=True)
class InitReport:
    """What `init_project` did, as paths relative to root, sorted."""

    root: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def find_project(start: Path | None = None, environ: Mapping[str, str] = os.environ) -> Project:
    """The project that holds `start` (the current folder by default), looked for upwards.

    EDGEKIT_PROJECT overrides the search. Raises NotFoundError if there is no devices.yaml.
    """
    named = environ.get(PROJECT_VARIABLE)
    if named and start is None:
        return open_project(Path(named), because=f"{PROJECT_VARIABLE} is set")
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return Project(folder)
    raise NotFoundError(
        f"no edgekit project here: there is no {PROJECT_FILE} in {here} or a folder above it",
        hint="edgekit init    (makes this folder a project), or: edgekit --project DIR ...",
    )


def open_project(folder: Path, *, because: str = "") -> Project:
    """The project in exactly this folder. Raises NotFoundError if it has no devices.yaml."""
    root = folder.expanduser().resolve()
    if not (root / PROJECT_FILE).is_file():
        raise NotFoundError(
            f"{root} is not an edgekit project: it has no {PROJECT_FILE}", why=because, hint=f"edgekit init {folder}"
        )
    return Project(root)


def package_data_root() -> Path:
    """Where the files that `init` copies come from: edgekit/data of an installed wheel, else the source tree."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "data"
    return inside if (inside / PROJECT_FILE).is_file() else package.parent


def init_project(folder: Path, *, data_root: Path | None = None) -> InitReport:
    """Make a folder a project with the demo detector in it. A file that is already there is kept as it is."""
    root = folder.expanduser().resolve()
    source = data_root or package_data_root()
    written: list[str] = []
    kept: list[str] = []
    try:
        for name in _FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)
        for relative in _shipped_files(source):
            (written if _copy_new(source / relative, root / relative) else kept).append(relative)
        (written if _write_new(root / ".gitignore", _GITIGNORE) else kept).append(".gitignore")
    except OSError as error:
        raise UsageError(
            f"a project cannot be made in {root}: {error.strerror}: {error.filename}",
            hint="choose a folder that you may write to: edgekit init DIR",
        ) from None
    Project(root).ensure_state()
    return InitReport(root, tuple(sorted(written)), tuple(sorted(kept)))


def _shipped_files(source: Path) -> Iterator[str]:
    yield PROJECT_FILE
    for folder, endings in _COPIED.items():
        for path in sorted((source / folder).rglob("*")):
            if path.suffix in endings and path.is_file():
                yield path.relative_to(source).as_posix()


def _copy_new(source: Path, target: Path) -> bool:
    if os.path.lexists(target):
        return False
    with files.replacing(target) as temporary:
        shutil.copyfile(source, temporary)
    return True


def _write_new(target: Path, text: str) -> bool:
    if os.path.lexists(target):
        return False
    files.write_bytes(target, text.encode("utf-8"))
    return True
