"""Making a release: device code, an engine, its self-test, detector and settings, as a list of files with digests."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.selftest import SelfTest
from edgekit.core.detector import DetectorSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import MANIFEST_NAME, EngineManifest
from edgekit.core.release import ReleaseFile, ReleaseManifest, device_class
from edgekit.core.selftest import SELFTEST_FOLDER
from edgekit.core.service import DETECTOR_NAME, SETTINGS_NAME, ServiceSettings
from edgekit.core.wire import to_wire
from edgekit.files import sha256_file

# What of edgekit runs on a device; the same folders that keep to Python 3.8.
_DEVICE_CODE = ("__init__.py", "errors.py", "files.py", "core", "scenes", "runtime")
_CODE_SUFFIXES = (".py", ".cu")


@dataclass(frozen=True)
class Release:
    """A manifest and where each of its files comes from: bytes made here, a path here, or "" for the device's own."""

    manifest: ReleaseManifest
    content: dict[str, bytes]
    paths: dict[str, Path]


def make_release(
    service: str,
    profile: DeviceProfile,
    detector: DetectorSpec,
    settings: ServiceSettings,
    engine: EngineManifest,
    counter: int,
    selftest: SelfTest | None = None,
) -> Release:
    """Everything a service runs from. The engine and its attachments are on the device already and do not travel.

    selftest: without one the service starts untested, and says so in its log.
    """
    content = {
        SETTINGS_NAME: _json(to_wire(settings)),
        DETECTOR_NAME: _json(to_wire(detector)),
        f"engine/{MANIFEST_NAME}": _json(to_wire(engine)),
    }
    tested = selftest.paths if selftest is not None else {}
    paths = dict(_code_paths()) | {f"{SELFTEST_FOLDER}/{name}": path for name, path in tested.items()}
    files = [ReleaseFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in content.items()]
    files += [*_code_files(), *(_file(f"{SELFTEST_FOLDER}/{name}", path) for name, path in tested.items())]
    files.append(ReleaseFile(f"engine/{engine.file_name}", engine.file_bytes, engine.file_sha256))
    files += [ReleaseFile(f"engine/{item.file_name}", item.bytes, item.sha256) for item in engine.attachments]
    manifest = ReleaseManifest(
        product="edgekit",
        service=service,
        device_class=device_class(profile),
        counter=counter,
        detector=detector.name,
        engine_id=engine.engine_id,
        files=tuple(sorted(files, key=lambda file: file.path)),
    )
    by_digest = {file.sha256: file.path for file in manifest.files}
    return Release(
        manifest,
        {sha: content[path] for sha, path in by_digest.items() if path in content},
        {sha: paths[path] for sha, path in by_digest.items() if path in paths},
    )


@functools.cache
def _code_paths() -> Mapping[str, Path]:
    return {f"code/edgekit/{name}": path for name, path in device_code().items()}


@functools.cache
def _code_files() -> tuple[ReleaseFile, ...]:
    """Read once a process: a fleet gets the same code."""
    return tuple(_file(name, path) for name, path in _code_paths().items())


def _file(name: str, path: Path) -> ReleaseFile:
    return ReleaseFile(name, path.stat().st_size, sha256_file(path))


def device_code() -> dict[str, Path]:
    """The source files that run on a device, Python and CUDA, by their path below edgekit/."""
    package = Path(__file__).resolve().parents[1]
    found: dict[str, Path] = {}
    for name in _DEVICE_CODE:
        place = package / name
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.suffix not in _CODE_SUFFIXES:
                continue
            found[path.relative_to(package).as_posix()] = path
    return found


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8")
