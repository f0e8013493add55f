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
from edgekit.control.link import Link
from edgekit.control.local_link import LocalLink
from edgekit.core.progress import OnProgress
from edgekit.core.requests import DetectAnswer, DetectRequest, StreamCounts


def command(
    app: App,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE", help="Pictures, a folder, a pattern in quotes, a video (all on the device), or scenes://"
        ),
    ],
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
    device, /data/street.mp4; what is written comes here, when all has been seen.

    Examples:

        edgekit detect street.jpg --images out/
        edgekit detect 'drive/*.png' --jsonl found.jsonl
        edgekit detect street.mp4 --video found.mp4
        edgekit detect 'scenes://?seed=7&frames=60' --video demo.mp4
        edgekit detect front.mp4 back.mp4 --jsonl found.jsonl
        edgekit detect /data/street.mp4 --device xavier-nx --jsonl found.jsonl
    """
    entry = app.device(device)
    first, *rest = [source_uri(source, entry.kind) for source in sources]
    named = {"video": video, "images": images, "jsonl": jsonl}
    outputs = {kind: path.absolute() for kind, path in named.items() if path is not None}
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        order = place_order(Groundwork(app.project), entry, link, precision, on_progress, detector=detector)
        fulfil(order, on_progress)
        spec = with_thresholds(order.detector.spec, confidence=confidence)
        wanted = DetectRequest(
            order.engine_dir, spec, first, (), frames, entry.threads, more_sources=tuple(rest), batch=batch or 0
        )
        answer = _detect(link, wanted, outputs, on_progress)
    app.console.result(answer, facts(_rows(answer)))
    for skipped in answer.skipped:
        app.console.warn(skipped)


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
    age = answer.frame_age
    return [
        ("frames", answer.frames),
        ("found", found),
        ("dropped", answer.dropped),
        *[(stream.stream, _stream_row(stream)) for stream in answer.streams],
        ("pipeline FPS", f"{answer.rate.fps:.1f}" if answer.rate else "not measured"),
        ("frame age p50", f"{age.p50_ms:.1f} ms" if age else "not measured"),
        *[("written", path) for path in answer.written],
    ]


def _stream_row(stream: StreamCounts) -> str:
    text = f"{stream.frames} frames, {stream.detections} objects, {stream.dropped} dropped"
    return f"{text}, ended early: {stream.error}" if stream.error else text
