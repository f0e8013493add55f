"""Which cameras there are, and a test frame of each; verb `cameras`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Tuple

from edgekit.core.camera_uri import parse_camera_uri
from edgekit.core.cameras import BUSY, CameraLook, CamerasAnswer, CamerasRequest, FoundCamera, GStreamerFacts, unlike
from edgekit.core.deployment import ServiceState
from edgekit.core.progress import OnProgress
from edgekit.core.service import StreamHealth, StreamSettings
from edgekit.core.stream_names import stream_names
from edgekit.errors import UsageError
from edgekit.runtime.capture.elements import gstreamer_facts
from edgekit.runtime.services import state_of
from edgekit.runtime.store import Store
from edgekit.runtime.v4l2 import list_cameras

AT_ONCE = 16  # each is a process of some 45 MiB
_AFTER_FIRST_S = 14.0  # a picture that stands still is looked at for as long as it takes to call it frozen
_ALONE = ("csi", "v4l2")  # what one program at a time can read

Users = Dict[str, Tuple[str, StreamHealth]]  # camera -> the service that uses it, and how it fares there


def look_at_cameras(request: CamerasRequest, on_progress: OnProgress) -> CamerasAnswer:
    """The answer to verb `cameras`. What is wrong with a camera stands in its look; none at all is no error."""
    found = list_cameras()
    on_progress("ask GStreamer", 0, 0)
    facts = gstreamer_facts()
    users = _users(state_of(Store(request.root)).services)
    if not request.folder:
        return CamerasAnswer(found, (), facts)
    asked = [(camera, True) for camera in request.cameras]
    asked += [(camera, False) for camera in _unnamed(found, request.cameras)]
    looks = _look_at_all(request, asked, users, on_progress)
    return CamerasAnswer(found, tuple(_explained(look, facts) for look in looks), facts)


def _look_at_all(
    request: CamerasRequest, asked: List[Tuple[StreamSettings, bool]], users: Users, on_progress: OnProgress
) -> Tuple[CameraLook, ...]:
    # OpenCV takes a second to import on a board, and to list cameras takes none.
    from edgekit.runtime.camera_look import Look, look_at_all

    on_progress("look at the cameras", 0, len(asked))
    looks: List[Look] = [Look(camera, named, Path(request.folder), request.wait_s) for camera, named in asked]
    used = [users.get(_identity(camera.uri)) for camera, _ in asked]
    # A sensor that a service reads is left alone: a second session can end the first.
    spared = [_scheme(camera.uri) in _ALONE and user is not None for (camera, _), user in zip(asked, used)]
    look_at_all([look for look, spare in zip(looks, spared) if not spare], AT_ONCE, request.wait_s + _AFTER_FIRST_S)
    on_progress("look at the cameras", len(asked), len(asked))
    return tuple(_told(look.result, user) for look, user in zip(looks, used))


def _told(look: CameraLook, user: Optional[Tuple[str, StreamHealth]]) -> CameraLook:
    """A look at a camera that a service uses: that no picture came is then no fault."""
    if user is None:
        return look
    service, health = user
    if look.gave_picture:
        return replace(look, in_service=True)
    pace = f" at {health.fps:.1f} FPS" if health.fps else ""
    detail = f"the service {service} uses it, {health.condition} there{pace}"
    return replace(look, condition=BUSY, detail=detail, in_service=True)


def _explained(look: CameraLook, facts: GStreamerFacts) -> CameraLook:
    """A csi camera fails where there is no daemon for it in many words, and for one reason."""
    csi = next(reading for reading in facts.readings if reading.what == "csi")
    if look.gave_picture or look.in_service or _scheme(look.uri) != "csi" or csi.by:
        return look
    lacking = f": GStreamer here has no {', '.join(csi.lacking)}" if csi.lacking else " with GStreamer"
    return replace(look, detail=f"a csi camera needs a Jetson{lacking}")


def _unnamed(found: Iterable[FoundCamera], named: Tuple[StreamSettings, ...]) -> List[StreamSettings]:
    """The cameras that the kernel lists and nobody named."""
    known = {_identity(camera.uri) for camera in named}
    uris = [camera.uri for camera in found if _identity(camera.uri) not in known and not camera.problem]
    names = unlike(stream_names(uris), {camera.name for camera in named})
    return [StreamSettings(uri, name) for uri, name in zip(uris, names)]


def _users(services: Iterable[ServiceState]) -> Users:
    users: Users = {}
    for service in services:
        if service.running and service.health is not None:
            for stream in service.health.streams:
                users[_identity(stream.source)] = (service.service, stream)
    return users


def _identity(uri: str) -> str:
    """What two addresses of one camera have in common; a device has several names."""
    try:
        camera = parse_camera_uri(uri)
    except UsageError:
        return uri
    return camera.scheme + (os.path.realpath(camera.place) if camera.scheme == "v4l2" else camera.place)


def _scheme(uri: str) -> str:
    return uri.partition("://")[0].lower()
