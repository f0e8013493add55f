"""The cameras of a device, looked at: what each gives, with its picture brought here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.project import Project
from edgekit.core.camera_uri import CAMERA_SCHEMES, parse_camera_uri
from edgekit.core.cameras import CameraLook, CamerasAnswer, CamerasRequest, FoundCamera, GStreamerFacts, unlike
from edgekit.core.progress import OnProgress
from edgekit.core.service import StreamSettings
from edgekit.core.stream_names import stream_names

# No camera is called so: names begin with a letter or a digit.
SHEET_NAME = "_contact-sheet.jpg"


@dataclass(frozen=True)
class CamerasReport:
    """The cameras of one device. `picture` of a look is a path on this machine; sheet: all pictures in one, or None."""

    device: str
    found: tuple[FoundCamera, ...]
    looks: tuple[CameraLook, ...]
    gstreamer: GStreamerFacts
    folder: str | None = None
    sheet: str | None = None

    @property
    def missing(self) -> tuple[CameraLook, ...]:
        """Cameras that somebody asked for and that gave no picture."""
        return tuple(look for look in self.looks if look.is_missing)


def pictures_dir(project: Project, device: str) -> Path:
    """Where test frames of a device lie on this machine."""
    return project.device_root(device) / "cameras"


def named_cameras(device: Device, uris: Sequence[str]) -> tuple[StreamSettings, ...]:
    """The cameras of a device's entry, and others given by their addresses; each gets a name.

    Raises UsageError for the address of a camera that cannot be one.
    """
    for uri in uris:
        if uri.partition("://")[0].lower() in CAMERA_SCHEMES:
            parse_camera_uri(uri)
    own = [(stream.uri, stream.name) for stream in device.streams]
    more = [(uri, "") for uri in uris if uri not in {stream.uri for stream in device.streams}]
    asked = [*own, *dict.fromkeys(more)]
    names = [name or made for (_, name), made in zip(asked, stream_names([uri for uri, _ in asked]), strict=True)]
    return tuple(StreamSettings(uri, name) for (uri, _), name in zip(asked, unlike(names), strict=True))


def list_cameras(link: Link, on_progress: OnProgress) -> CamerasReport:
    """What the device has, without looking at any of it."""
    answer = link.call("cameras", CamerasRequest(link.root), CamerasAnswer, on_progress)
    return CamerasReport(link.device, answer.found, (), answer.gstreamer)


def look_at_cameras(
    link: Link, cameras: Sequence[StreamSettings], folder: Path, wait_s: float, on_progress: OnProgress
) -> CamerasReport:
    """Take a test frame of each and bring it to `folder`, where it replaces that camera's last one."""
    with link.work_folder() as work:
        request = CamerasRequest(link.root, tuple(cameras), work, wait_s)
        answer = link.call("cameras", request, CamerasAnswer, on_progress)
        looks = tuple(_fetched(link, look, work, folder) for look in answer.looks)
    # Drawing needs Pillow, which takes a moment to import.
    from edgekit.control.contact_sheet import draw_sheet

    sheet = folder / SHEET_NAME
    sheet.unlink(missing_ok=True)
    drawn = draw_sheet(looks, sheet)
    return CamerasReport(link.device, answer.found, looks, answer.gstreamer, str(folder), str(sheet) if drawn else None)


def _fetched(link: Link, look: CameraLook, work: str, folder: Path) -> CameraLook:
    # An old picture must not pass for a new one.
    target = folder / f"{look.name}.jpg"
    target.unlink(missing_ok=True)
    if not look.picture:
        return look
    link.fetch(f"{work}/{look.picture}", target)
    return replace(look, picture=str(target))
