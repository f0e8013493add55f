"""A few annotated pictures of what an engine sees, for reports and for people who would rather look."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekit.control.link import Link, gathered
from edgekit.control.project import Project
from edgekit.core.detector import DetectorSpec
from edgekit.core.progress import OnProgress
from edgekit.core.requests import DetectAnswer, DetectRequest

SAMPLES = 6


def samples_dir(project: Project, device: str, detector: str) -> Path:
    """Where the pictures of a detector on a device lie."""
    return project.state_dir / "samples" / f"{device}-{detector}"


def draw_samples(
    link: Link, detector: DetectorSpec, engine_dir: str, pictures: tuple[Path, ...], out: Path, on_progress: OnProgress
) -> None:
    """Detect on the first few pictures on the device and keep the annotated ones; older ones are replaced."""
    with gathered(pictures[:SAMPLES]) as chosen, link.work_folder() as work:
        drawn = f"{work}/drawn"
        request = DetectRequest(engine_dir, detector, link.place(Path(chosen)), sinks=(f"images:{drawn}",))
        link.call("detect", request, DetectAnswer, on_progress)
        shutil.rmtree(out, ignore_errors=True)
        link.fetch(drawn, out)
