"""Making a release: device code, an engine, its self-test, detector and settings, as a list of files with digests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from edgekit.control.device_code import this_code
from edgekit.control.selftest import SelfTest
from edgekit.core.collecting import SCENES_NAME
from edgekit.core.detector import DetectorSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.engine import MANIFEST_NAME, EngineManifest
from edgekit.core.release import SERVICE_ONLY, ReleaseFile, ReleaseManifest, device_class
from edgekit.core.scenes_seen import ScenesSeen
from edgekit.core.selftest import SELFTEST_FOLDER
from edgekit.core.service import DETECTOR_NAME, SETTINGS_NAME, ServiceSettings
from edgekit.core.wire import to_wire
from edgekit.files import sha256_file


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
    scenes: ScenesSeen | None = None,
) -> Release:
    """Everything a service runs from. The engine and its attachments are on the device already and do not travel.

    selftest: without one the service starts untested, and says so in its log. scenes: the set that the engine was
    calibrated with, for a service that collects frames; without it the release is named as if there were no such thing.
    """
    content = {
        SETTINGS_NAME: _json(to_wire(settings)),
        DETECTOR_NAME: _json(to_wire(detector)),
        f"engine/{MANIFEST_NAME}": _json(to_wire(engine)),
    }
    if scenes is not None:
        content[SCENES_NAME] = _json(to_wire(scenes))
    code = {f"code/edgekit/{file.name}": file for file in this_code().files}
    tested = selftest.paths if selftest is not None else {}
    paths = {f"{SELFTEST_FOLDER}/{name}": path for name, path in tested.items()}
    files = [
        ReleaseFile(name, len(data), hashlib.sha256(data).hexdigest(), SERVICE_ONLY if name == SETTINGS_NAME else 0o644)
        for name, data in content.items()
    ]
    files += [ReleaseFile(name, len(file.content), file.sha256) for name, file in code.items()]
    files += [ReleaseFile(name, path.stat().st_size, sha256_file(path)) for name, path in paths.items()]
    content |= {name: file.content for name, file in code.items()}
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


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8")
