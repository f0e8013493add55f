"""What a device has kept, counted: by reason, by stratum, by camera, and over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgekit.core.collecting import REASONS, FieldHealth
from edgekit.core.field import KeptFrame
from edgekit.core.strata import AXES, usual_strata

_MIB = 1 << 20
_BEYOND_REACH = 1.0  # DriftWatch.distance: few pictures of the calibration set itself lie farther


@dataclass(frozen=True)
class Count:
    """How many frames there are of something. share: of all, 0 to 1."""

    name: str
    frames: int
    share: float


@dataclass(frozen=True)
class FieldSummary:
    """The frames of one service. A frame may have several reasons, and lies in several strata.

    strata: without the usual ones of each axis and without classes. far: share of the frames that were compared with
    the calibration set and lie beyond its reach, None if none was. health: what the service says of its collecting,
    None if it collects nothing.
    """

    device: str
    service: str
    frames: int
    kept_mib: float
    first_unix_s: float | None
    last_unix_s: float | None
    reasons: tuple[Count, ...]
    strata: tuple[Count, ...]
    streams: tuple[Count, ...]
    classes: tuple[Count, ...]
    engines: tuple[Count, ...]
    blurred: int
    far: float | None
    health: FieldHealth | None = None


def summarise_field(
    device: str, service: str, frames: Sequence[KeptFrame], health: FieldHealth | None = None
) -> FieldSummary:
    """Count frames of one service."""
    times = sorted(kept.time_unix_s for kept in frames)
    compared = [kept.drift for kept in frames if kept.drift is not None]
    return FieldSummary(
        device=device,
        service=service,
        frames=len(frames),
        kept_mib=round(sum(kept.bytes for kept in frames) / _MIB, 2),
        first_unix_s=times[0] if times else None,
        last_unix_s=times[-1] if times else None,
        reasons=_counts((name for kept in frames for name in kept.reasons), len(frames), REASONS),
        strata=unusual(frames),
        streams=_counts((kept.stream for kept in frames), len(frames)),
        classes=_counts((name for kept in frames for name in {one.label for one in kept.objects}), len(frames)),
        engines=_counts((kept.engine_id for kept in frames), len(frames)),
        blurred=sum(kept.blurred > 0 for kept in frames),
        far=round(sum(drift > _BEYOND_REACH for drift in compared) / len(compared), 4) if compared else None,
        health=health,
    )


def unusual(frames: Sequence[KeptFrame]) -> tuple[Count, ...]:
    """Frames in each stratum as the device sees them, in the order of the axes; the usual strata are left out."""
    left_out = usual_strata()
    names = [name for kept in frames for name in dict.fromkeys(kept.strata)]
    shown = [name for name in names if name not in left_out and not name.startswith("class:")]
    order = [f"{axis}:{name}" for axis, known in AXES.items() for name in known]
    return _counts(shown, len(frames), order)


def _counts(names: Iterable[str], total: int, order: Sequence[str] = ()) -> tuple[Count, ...]:
    """Those of the order first, in that order, then the commonest first."""
    found = Counter(names)
    places = {name: place for place, name in enumerate(order)}
    ordered = sorted(found, key=lambda name: (places.get(name, len(places)), -found[name], name))
    return tuple(Count(name, found[name], round(found[name] / total, 4)) for name in ordered)
