"""`edgekit detect`: a detector over pictures or video, on a device."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import typer

from edgekit.cli.console import facts
from edgekit.cli.options import DetectorOption, DeviceOption, source_uri
from edgekit.cli.session import App
from edgekit.control.build import fulfil, place_order
from edgekit.control.connect import link_to
from edgekit.control.detectors import with_thresholds
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.local_link import LocalLink
from edgekit.core.events import EventSettings
from edgekit.core.progress import OnProgress
from edgekit.core.requests import DetectAnswer, DetectRequest, PlaceEvents, StreamCounts
from edgekit.core.service import StreamSettings
from edgekit.errors import UsageError


def command(
    app: App,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="Pictures, a folder, a pattern in quotes, a video (all on the device), a camera, or scenes://. "
            "Default: what the device's service watches.",
        ),
    ] = None,
    device: DeviceOption = "local",
    detector: DetectorOption = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"] | None,
        typer.Option("--precision", help="Which engine; built if missing. Default: fp16 with TensorRT, else fp32."),
    ] = None,
    video: Annotated[
        Path | None, typer.Option("--video", metavar="FILE", help="Write an annotated video here.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Write annotated pictures into this folder.")
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option("--jsonl", metavar="FILE", help="Write one JSON line a frame here.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", help="Write what objects do at the entry's zones and lines here."),
    ] = None,
    track: Annotated[bool, typer.Option("--track", help="Number objects, also without zones and lines.")] = False,
    confidence: Annotated[
        float | None, typer.Option("--confidence", min=0, max=1, metavar="SCORE", help="Least score to keep.")
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option("--frames", min=1, metavar="N", help="Stop after so many frames, of all sources together."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", min=1, metavar="N", help="Frames in one call of the engine. Default: one for each source."
        ),
    ] = None,
) -> None:
    """Run a detector over one source, or several at once, and write what it finds.

    Several sources share the batches of one engine. With --video, each gets a file of its own. Sources lie on the
    device, /data/street.mp4; what is written comes here, when all has been seen. Zones and lines are those of the
    device's entry in devices.yaml, events:.

    Examples:

        edgekit detect street.jpg --images out/
        edgekit detect 'drive/*.png' --jsonl found.jsonl
        edgekit detect street.mp4 --video found.mp4
        edgekit detect 'scenes://?seed=7&frames=60' --video demo.mp4
        edgekit detect front.mp4 back.mp4 --jsonl found.jsonl
        edgekit detect /data/street.mp4 --device xavier-nx --jsonl found.jsonl
        edgekit detect --device xavier-nx --frames 500 --events events.jsonl --video seen.mp4
    """
    entry = app.device(device)
    streams = [StreamSettings(source_uri(source, entry.kind)) for source in sources or ()] or list(entry.streams)
    named = {"video": video, "images": images, "jsonl": jsonl, "events": events}
    outputs = {kind: path.absolute() for kind, path in named.items() if path is not None}
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        order = place_order(Groundwork(app.project), entry, link, precision, on_progress, detector=detector)
        fulfil(order, on_progress)
        spec = with_thresholds(order.detector.spec, confidence=confidence)
        wanted = DetectRequest(
            engine_dir=order.engine_dir,
            detector=spec,
            source=streams[0].uri,
            max_frames=frames,
            threads=entry.threads,
            more_sources=tuple(stream.uri for stream in streams[1:]),
            batch=batch or 0,
            names=() if sources else tuple(stream.name for stream in streams),
            events=_event_settings(entry, track=track, wanted=events is not None),
        )
        answer = _detect(link, wanted, outputs, on_progress)
    app.console.result(answer, facts(_rows(answer)))
    for skipped in answer.skipped:
        app.console.warn(skipped)


def _event_settings(entry: Device, *, track: bool, wanted: bool) -> EventSettings | None:
    if wanted and entry.events is None:
        raise UsageError(
            f"{entry.name} has no zones and lines",
            why="events are what objects do there",
            hint=f"add events: to {entry.name} in devices.yaml, see docs/tracking.md; --track numbers objects without",
        )
    return entry.events or (EventSettings() if track else None)


def _detect(link: Link, wanted: DetectRequest, outputs: Mapping[str, Path], on_progress: OnProgress) -> DetectAnswer:
    """Detect, and have the outputs, kind -> path, on this machine at the end."""
    if isinstance(link, LocalLink) or not outputs:
        sinks = tuple(f"{kind}:{path}" for kind, path in outputs.items())
        return link.call("detect", replace(wanted, sinks=sinks), DetectAnswer, on_progress)
    with link.work_folder() as work:
        sinks = tuple(f"{kind}:{work}/{path.name}" for kind, path in outputs.items())
        answer = link.call("detect", replace(wanted, sinks=sinks), DetectAnswer, on_progress)
        here = {path.name: path.parent for path in outputs.values()}
        # A video of several sources becomes several files, named after the one that was asked for.
        folder = next(iter(here.values()))
        fetched = [(remote, here.get(PurePosixPath(remote).name, folder)) for remote in answer.written]
        for remote, parent in fetched:
            link.fetch(remote, parent / PurePosixPath(remote).name)
    return replace(answer, written=tuple(str(parent / PurePosixPath(remote).name) for remote, parent in fetched))


def _rows(answer: DetectAnswer) -> list[tuple[str, object]]:
    found = ", ".join(f"{count} {label}" for label, count in answer.per_label) or "nothing"
    happened = ", ".join(_event_text(event) for event in answer.events) or "nothing"
    age = answer.frame_age
    return [
        ("frames", answer.frames),
        ("found", found),
        *([("objects", answer.objects), ("events", happened)] if answer.objects is not None else []),
        ("dropped", answer.dropped),
        *[(stream.stream, _stream_row(stream)) for stream in answer.streams],
        ("pipeline FPS", f"{answer.rate.fps:.1f}" if answer.rate else "not measured"),
        ("frame age p50", f"{age.p50_ms:.1f} ms" if age else "not measured"),
        *[("written", path) for path in answer.written],
    ]


def _event_text(event: PlaceEvents) -> str:
    return " ".join(filter(None, (str(event.count), event.kind, event.place, event.direction)))


def _stream_row(stream: StreamCounts) -> str:
    text = f"{stream.frames} frames, {stream.detections} objects, {stream.dropped} dropped"
    return f"{text}, ended early: {stream.error}" if stream.error else text
