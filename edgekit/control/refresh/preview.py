"""`edgekit refresh --dry-run`: what a refresh would begin from. The device is asked, nothing is fetched or written."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.control.field.frames import fetched_before
from edgekit.control.field.sets import set_names_of
from edgekit.control.groundwork import Groundwork
from edgekit.control.inventory import Device
from edgekit.control.link import Link
from edgekit.control.refresh.sets import bases_of, count_pictures
from edgekit.control.refresh.standing import look_at
from edgekit.core.field import FieldAnswer, FieldRequest
from edgekit.core.progress import OnProgress


@dataclass(frozen=True)
class Preview:
    """kept: frames that lie on the device; to_fetch: those of them that are not here yet."""

    device: str
    serving_engine_id: str
    precision: str
    serving_set: str
    base_set: str
    field_set: str
    holdout_set: str
    size: int
    kept: int
    to_fetch: int


def preview(ground: Groundwork, device: Device, link: Link, size: int | None, on_progress: OnProgress) -> Preview:
    """Ask the device what it runs and what it has kept. Raises what would stop a refresh at its first step."""
    standing = look_at(ground, device, link, on_progress)
    bases = bases_of(ground.project, device, standing.seen.detector)
    answer = link.call("field", FieldRequest(link.root, device.service), FieldAnswer, on_progress)
    here = {frame.kept.sha256 for frame in fetched_before(ground.project, device).frames}
    field, holdout = set_names_of(device.name)
    return Preview(
        device=device.name,
        serving_engine_id=standing.serving.engine_id,
        precision=standing.serving.precision,
        serving_set=bases.serving,
        base_set=bases.base,
        field_set=field,
        holdout_set=holdout,
        size=size or count_pictures(ground.project, bases.base, on_progress),
        kept=len(answer.frames),
        to_fetch=sum(frame.sha256 not in here for frame in answer.frames),
    )
