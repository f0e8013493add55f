"""`edgekit cameras`: which cameras a device has, and a test frame of each."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.console import table
from edgekit.cli.options import DeviceOption, source_uri
from edgekit.cli.session import App
from edgekit.control.connect import link_to
from edgekit.core.cameras import LONGEST_WAIT_S, CameraLook, FoundCamera, GStreamerFacts, VideoMode, packages_for
from edgekit.errors import SourceError

if TYPE_CHECKING:
    from edgekit.control.cameras import CamerasReport

_LOOKS = ("name", "camera", "condition", "size", "FPS", "first picture", "read by")
_FOUND = ("device", "name", "address", "offers")


def command(
    app: App,
    uris: Annotated[
        list[str] | None,
        typer.Argument(metavar="URI", help="Further cameras to try: csi://0, v4l2:///dev/video0, rtsp://HOST/PATH."),
    ] = None,
    device: DeviceOption = "local",
    frames: Annotated[
        bool, typer.Option("--probe/--no-frames", help="Take a test frame of each camera, or only list them.")
    ] = True,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="DIR", help="Put the pictures here instead of into .edgekit.")
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", min=1, max=LONGEST_WAIT_S, metavar="S", help="Seconds for the first picture.")
    ] = 10.0,
) -> int:
    """Show the cameras of a device, and a test frame of each.

    Looked at are the cameras of the device's entry in devices.yaml, those that its kernel lists, and any addresses
    given. Each is opened once, as its service would open it, all at the same time. The pictures come to this machine,
    with one contact sheet of all. Nothing is changed on the device.

    Conditions: ok; black or frozen, for a picture that shows nothing or stands still; wrong size, for another than
    asked for; stalled, for one that gave pictures and stopped; busy, if a service or another program uses the camera;
    failed, with the reason. FPS is measured over a second. A CSI or USB camera that a service uses is left alone.

    The exit code is 4 if a camera of devices.yaml, or one given, gave no picture and no service uses it. Whoever works
    on this machine can see a password that is typed as part of an address; in devices.yaml only its owner need see it.

    Examples:

        edgekit cameras
        edgekit cameras --device yard --save pictures/
        edgekit cameras --device yard --no-frames
        edgekit cameras 'rtsp://192.168.1.20/stream1?transport=udp' --wait 20
        edgekit cameras csi://0 'csi://1?width=1280&height=720&fps=60' --device yard --json
    """
    from edgekit.control.cameras import list_cameras, look_at_cameras, named_cameras, pictures_dir

    entry = app.device(device)
    asked = named_cameras(entry, [source_uri(uri, entry.kind) for uri in uris or ()])
    folder = save.absolute() if save else pictures_dir(app.project, entry.name)
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        report = look_at_cameras(link, asked, folder, wait, on_progress) if frames else list_cameras(link, on_progress)
    app.console.result(report, *_tables(report))
    _explain(app, report)
    return SourceError.exit_code if report.missing else 0


def _tables(report: CamerasReport) -> Iterable[Any]:
    if report.looks:
        yield table(_LOOKS, [_look_row(look) for look in report.looks], right=("FPS",))
        yield ""
    if report.found:
        yield table(_FOUND, [_found_row(camera) for camera in report.found])
    else:
        yield f"the kernel of {report.device} lists no camera"
    yield from _gstreamer(report.gstreamer)
    if report.sheet:
        yield f"pictures: {report.folder}, all in one: {report.sheet}"


def _explain(app: App, report: CamerasReport) -> None:
    for look in report.looks:
        if look.detail and look.condition != "ok":
            tell = app.console.note if look.in_service else app.console.warn
            tell(f"{look.name}: {look.condition}: {look.detail}")
        for note in look.notes:
            app.console.note(f"{look.name}: {note}")


def _look_row(look: CameraLook) -> tuple[str | None, ...]:
    return (
        look.name,
        look.uri,
        look.condition,
        f"{look.width_px}x{look.height_px}" if look.width_px else None,
        f"{look.fps:.1f}" if look.fps is not None else None,
        f"{look.first_picture_s:.1f} s" if look.first_picture_s is not None else None,
        look.read_by or None,
    )


def _found_row(camera: FoundCamera) -> tuple[str | None, ...]:
    if camera.uri.startswith("csi://"):
        offers = "what its sensor has: the camera daemon takes the mode nearest to width, height and fps"
    else:
        offers = camera.problem or _offers(camera.modes)
    return camera.device, camera.name, camera.uri, offers or None


def _offers(modes: Iterable[VideoMode]) -> str:
    """The largest size of each format that can be read, with its highest rate; all of them are in --json."""
    best: dict[str, VideoMode] = {}
    for mode in modes:
        known = best.get(mode.codec)
        if mode.codec and (known is None or _pixels(mode) > _pixels(known)):
            best[mode.codec] = mode
    return ", ".join(f"{codec} {_mode(mode)}" for codec, mode in best.items())


def _pixels(mode: VideoMode) -> tuple[int, float]:
    return mode.width_px * mode.height_px, max(mode.fps, default=0.0)


def _mode(mode: VideoMode) -> str:
    rate = f" at {max(mode.fps):g} FPS" if mode.fps else ""
    return f"{'up to ' if mode.largest else ''}{mode.width_px}x{mode.height_px}{rate}"


def _gstreamer(facts: GStreamerFacts) -> Iterable[str]:
    by: dict[str, list[str]] = {}
    for reading in facts.readings:
        by.setdefault(f"by {reading.by}" if reading.by else "not at all here", []).append(reading.what)
    how = "; ".join(f"{', '.join(kinds)} {reader}" for reader, kinds in by.items())
    yield f"{facts.version or 'no GStreamer'}: {how}"
    packages = packages_for(facts)
    if facts.problem:
        yield f"  {facts.problem}"
    if packages:
        yield f"  for what it lacks, on the device: sudo apt install {' '.join(packages)}"
