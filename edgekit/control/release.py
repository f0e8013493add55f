"""Making a release: the device code, an engine, the detector and the settings as a list of files with digests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.detector import DetectorSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import MANIFEST_NAME, EngineManifest
from edgekit.core.release import ReleaseFile, ReleaseManifest
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
) -> Release:
    """Everything a service runs from. The engine and its attachments are on the device already and do not travel."""
    content = {
        SETTINGS_NAME: _json(to_wire(settings)),
        DETECTOR_NAME: _json(to_wire(detector)),
        f"engine/{MANIFEST_NAME}": _json(to_wire(engine)),
    }
    paths = {f"code/edgekit/{name}": path for name, path in device_code().items()}
    files = [ReleaseFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in content.items()]
    files += [ReleaseFile(name, path.stat().st_size, sha256_file(path)) for name, path in paths.items()]
    files.append(ReleaseFile(f"engine/{engine.file_name}", engine.file_bytes, engine.file_sha256))
    files += [ReleaseFile(f"engine/{item.file_name}", item.bytes, item.sha256) for item in engine.attachments]
    manifest = ReleaseManifest(
        product="edgekit",
        service=service,
        device_class={"engine_key": profile.engine_key, "module": profile.module, "backend": profile.backend},
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
