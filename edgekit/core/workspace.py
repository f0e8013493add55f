"""How much scratch memory TensorRT's builder may give to one layer's kernel, from the memory that is free."""

from __future__ import annotations

LEAST_MIB = 64
_SHARED_MOST_MIB = 2048
_DISCRETE_MOST_MIB = 8192
_STEP_MIB = 16


def choose_workspace_mib(free_mib: int, total_mib: int, shared: bool) -> int:
    """The workspace limit in MiB, a multiple of 16, at least 64.

    The limit is not taken at once: it decides which kernels the builder may try. Too low, and fast kernels are skipped;
    too high, and on a board whose CPU and GPU share their memory the kernel that is tried pushes the builder itself,
    the camera or the desktop out, and the system kills a process.
    shared: CPU and GPU use the same memory. There the builder's own libraries, the model and both copies of its weights
    have to come out of what is free as well, so the limit is a quarter of that, at most an eighth of all memory or
    256 MiB if that is more, and never above 2 GiB. With memory of its own a GPU gives half of what is free, at most
    8 GiB.
    """
    if shared:
        chosen = min(free_mib // 4, max(total_mib // 8, 256), _SHARED_MOST_MIB)
    else:
        chosen = min(free_mib // 2, _DISCRETE_MOST_MIB)
    return max(LEAST_MIB, chosen // _STEP_MIB * _STEP_MIB)


def least_free_mib(model_mib: int, shared: bool) -> int:
    """The free memory in MiB below which a build cannot end well: workspace, weights, and TensorRT's own code.

    TensorRT 8.5 keeps its kernels in host memory while it builds, which on a shared-memory board is the GPU's too.
    """
    return LEAST_MIB + 4 * model_mib + (512 if shared else 256)
