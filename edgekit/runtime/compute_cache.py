"""Where CUDA keeps the kernels that its driver compiles for this GPU: beside the engines, to outlive a restart.

CUDA reads these variables when it starts, and probing a device starts it. So they are set before anything else.
Source: CUDA C++ Programming Guide, CUDA Environment Variables; lazy loading spares memory from CUDA 11.7 on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, MutableMapping


def keep_compute_cache(request: Any, environment: MutableMapping[str, str] = os.environ) -> None:
    """Set CUDA's variables for a request that names engines or an engine; what a person has set stays."""
    for name, value in cuda_variables(request).items():
        environment.setdefault(name, value)


def cuda_variables(request: Any) -> Dict[str, str]:
    """CUDA's variables for a request; none for one that has nothing to do with engines."""
    cache_dir = getattr(request, "cache_dir", "")
    engines_dir = getattr(request, "engines_dir", "") or _parent(getattr(request, "engine_dir", ""))
    if not (cache_dir or engines_dir):
        return {}
    folder = Path(cache_dir) if cache_dir else Path(engines_dir).resolve().parent / "cache"
    return {"CUDA_CACHE_PATH": str(folder / "compute"), "CUDA_MODULE_LOADING": "LAZY"}


def _parent(engine_dir: str) -> str:
    return str(Path(engine_dir).resolve().parent) if engine_dir else ""
