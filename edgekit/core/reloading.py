"""What of a new release a running service can take over between two frames, and what needs a restart."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Dict, Tuple

from edgekit.core.collecting import SCENES_NAME
from edgekit.core.detector import DetectorSpec
from edgekit.core.release import ReleaseManifest
from edgekit.core.selftest import SELFTEST_FOLDER
from edgekit.core.service import DETECTOR_NAME, SETTINGS_NAME, ServiceSettings

THRESHOLDS = ("confidence", "iou", "max_detections")
_COMPARED_BY_FIELD = (SETTINGS_NAME, DETECTOR_NAME)


def what_needs_a_restart(
    old: ServiceSettings,
    new: ServiceSettings,
    old_detector: DetectorSpec,
    new_detector: DetectorSpec,
    old_manifest: ReleaseManifest,
    new_manifest: ReleaseManifest,
) -> Tuple[str, ...]:
    """Names of what differs and cannot be taken over, such as "settings.json: sinks"; empty: all of it can be.

    Taken over are zones, lines and tracking (`events`) and the detector's thresholds. Files are compared by digest. The
    self-test is another one wherever thresholds are; it is for the next start, since the engine has passed one in this.
    So is the summary of the calibration set: how many objects its pictures have changes with the thresholds too.
    """
    retuned = replace(old_detector, **{name: getattr(new_detector, name) for name in THRESHOLDS})
    return (
        *_different(SETTINGS_NAME, replace(old, events=new.events), new),
        *_different(DETECTOR_NAME, retuned, new_detector),
        *_different_release(old_manifest, new_manifest, ignore_selftest=retuned != old_detector),
    )


def _different(name: str, old: object, new: object) -> Tuple[str, ...]:
    return tuple(
        f"{name}: {field.name}"
        for field in fields(new)  # type: ignore[arg-type]
        if getattr(old, field.name) != getattr(new, field.name)
    )


def _different_release(old: ReleaseManifest, new: ReleaseManifest, *, ignore_selftest: bool) -> Tuple[str, ...]:
    """By the folders in which files differ: code, engine."""
    names = ("product", "service", "device_class", "detector", "engine_id")
    differing = [f"release.json: {name}" for name in names if getattr(old, name) != getattr(new, name)]
    before, after = _files(old), _files(new)
    folders = {path.partition("/")[0] for path in {*before, *after} if before.get(path) != after.get(path)}
    return (*differing, *sorted(folders - ({SELFTEST_FOLDER, SCENES_NAME} if ignore_selftest else set())))


def _files(manifest: ReleaseManifest) -> Dict[str, Tuple[str, int]]:
    return {file.path: (file.sha256, file.mode) for file in manifest.files if file.path not in _COMPARED_BY_FIELD}
