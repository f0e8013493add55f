"""Verb `build`: the engine is built in a child process with limits, so that a build too large ends alone."""

from __future__ import annotations

from pathlib import Path

from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.core.progress import OnProgress
from edgekit.errors import BuildError
from edgekit.runtime.headroom import headroom_mib, reserve_mib
from edgekit.runtime.limited import Limits, limited
from edgekit.runtime.measuring import unmeasured

DEADLINE_S = 3 * 3600.0  # INT8 on the smallest boards takes tens of minutes
_LEAST_MIB = 128
_BENCH_LIMIT_S = 60.0  # so long a bench under way is waited for


def run_build(request: BuildRequest, on_progress: OnProgress) -> EngineManifest:
    """Build what is asked, or find it already built; see engines.build_engine. Nothing half built stays behind.

    Raises what building raises, BuildError where it takes more memory or time than there is.
    """
    with unmeasured(Path(request.engines_dir), "a build", _BENCH_LIMIT_S, on_progress):
        return _run_limited(request, on_progress)


def _run_limited(request: BuildRequest, on_progress: OnProgress) -> EngineManifest:
    limits = limits_for(request)
    try:
        return limited(lambda: _build(request, on_progress), EngineManifest, limits)
    except BaseException:
        from edgekit.runtime.engine_folders import sweep_unfinished

        sweep_unfinished(Path(request.engines_dir))
        raise


def limits_for(request: BuildRequest) -> Limits:
    """What a build may take: what was asked for, else all that is free but the reserve.

    Raises BuildError where next to nothing is free.
    """
    kept_mib, free_mib = reserve_mib(), headroom_mib()
    if free_mib - kept_mib < _LEAST_MIB:
        raise BuildError(
            f"{free_mib} MiB of memory are free, too little to build an engine",
            why=f"{kept_mib} MiB are kept for the services and the system of this device",
            hint="close other programs there, or add swap, then run the same command again",
        )
    return Limits(
        memory_mib=free_mib - kept_mib if request.memory_mib is None else request.memory_mib,
        reserve_mib=kept_mib,
        deadline_s=DEADLINE_S if request.deadline_s is None else request.deadline_s,
    )


def _build(request: BuildRequest, on_progress: OnProgress) -> EngineManifest:
    """In the child: nothing of this is imported before the fork, for a GPU in use does not survive one."""
    from edgekit.runtime.engines import build_engine
    from edgekit.runtime.probe import probe_device

    return build_engine(request, probe_device(), on_progress)
