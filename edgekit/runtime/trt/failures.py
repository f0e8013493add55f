"""Why a build gave no engine: the builder's own words, and what usually helps."""

from __future__ import annotations

import traceback
from typing import List, Optional, Set

from edgekit.errors import BuildError
from edgekit.runtime.trt.messages import BuilderFindings, nodes_without_kernel

_SHOWN = 12


def failed_build(findings: BuilderFindings, version: str, workspace_mib: int, shared: bool) -> BuildError:
    """The error for a builder that returned nothing."""
    lines = list(findings.errors[:_SHOWN]) or ["TensorRT gave no reason"]
    stuck = nodes_without_kernel(findings.errors)
    what = f"TensorRT {version} built no engine"
    if findings.out_of_memory or (stuck and findings.little_memory):
        what += f": memory ran out, with {workspace_mib} MiB of workspace allowed"
    elif stuck:
        what += f": it has no kernel for {stuck[0]}"
    return BuildError(what, why="\n".join(lines), hint="\n".join(_advice(findings, bool(stuck), workspace_mib, shared)))


def too_little_memory(free_mib: int, needed_mib: int, shared: bool) -> BuildError:
    """The error before a build that could not end well."""
    return BuildError(
        f"{free_mib} MiB of memory are free, and building takes about {needed_mib} MiB",
        hint="\n".join(_free_memory(shared)),
    )


def _advice(findings: BuilderFindings, stuck: bool, workspace_mib: int, shared: bool) -> List[str]:
    if findings.out_of_memory or (stuck and findings.little_memory):
        return [*_free_memory(shared), f"or allow less scratch memory: --workspace-mib {max(64, workspace_mib // 2)}"]
    if stuck:
        return [
            f"allow more scratch memory: --workspace-mib {workspace_mib * 2}",
            "or try another precision, or build without --dla-core",
        ]
    return ["edgekit doctor", "try --precision fp32, which asks least of TensorRT"]


def _free_memory(shared: bool) -> List[str]:
    if not shared:
        return ["stop other programs that use the GPU"]
    return [
        "free memory: stop other services, and run without a desktop: sudo systemctl isolate multi-user.target",
        "add swap on the SSD or card for what the CPU holds; the GPU cannot use swap",
    ]


def release_frames(error: BaseException) -> None:
    """Let go of what the functions that an error came through held, on the thread that runs this.

    An exception keeps their variables alive; TensorRT's objects among them must be freed on the thread that made them,
    while the GPU's context is there.
    """
    seen: Set[int] = set()
    current: Optional[BaseException] = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        traceback.clear_frames(current.__traceback__)
        current = current.__cause__ or current.__context__
