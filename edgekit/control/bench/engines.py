"""Which engines of a device are measured, and in which order they take turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.control.visit import Visit
from edgekit.core.engine import PRECISIONS, EngineManifest
from edgekit.errors import NotFoundError, UsageError


def select_engines(seen: Visit, precision: str | None, ids: Sequence[str] = ()) -> tuple[EngineManifest, ...]:
    """The engines whose ids begin like this, else the newest of a precision or of "all", else the deployed one.

    In the order of ids, or baseline first. Raises NotFoundError if there is none, UsageError if an id begins several.
    """
    if ids:
        return tuple({engine.engine_id: engine for engine in (_by_id(seen, wanted) for wanted in ids)}.values())
    newest = {engine.precision: engine for engine in seen.engines}
    if precision is None:
        deployed = deployed_engine(seen)
        chosen = [deployed] if deployed else []
    else:
        chosen = [newest[name] for name in PRECISIONS if name in newest and precision in ("all", name)]
    if not chosen:
        raise _nothing(seen, precision)
    return tuple(chosen)


def deployed_engine(seen: Visit) -> EngineManifest | None:
    """The engine of the release in service, if it fits the device and its detector."""
    release = seen.service.release if seen.service else None
    return seen.engine(release.engine_id) if release else None


def turns(engines: Sequence[EngineManifest], rounds: int) -> Iterator[tuple[int, EngineManifest]]:
    """Who is measured when, rounds from 1 on. Every second round goes backwards: a machine that warms up or tires at a
    steady pace then favours nobody.
    """
    for number in range(1, rounds + 1):
        for engine in engines if number % 2 else reversed(engines):
            yield number, engine


def _by_id(seen: Visit, wanted: str) -> EngineManifest:
    found = [engine for engine in seen.engines if engine.engine_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    listed = "\n".join(
        f"{engine.engine_id}  {engine.precision}  {engine.created_utc}" for engine in found or seen.engines
    )
    name, device = seen.detector.spec.name, seen.device.name
    if found:
        raise UsageError(f"{wanted!r} begins the ids of {len(found)} engines on {device}", why=listed)
    raise NotFoundError(
        f"no engine for {name} on {device} has an id that begins with {wanted!r}",
        why=listed or "none is built there",
        hint=f"edgekit bench --precision all --device {device}",
    )


def _nothing(seen: Visit, precision: str | None) -> NotFoundError:
    kind = "" if precision in (None, "all") else f"{precision} "
    what = "nothing is deployed" if precision is None else f"no {kind}engine is built"
    return NotFoundError(
        f"{what} for {seen.detector.spec.name} on {seen.device.name}",
        hint=f"edgekit deploy --device {seen.device.name}",
    )
