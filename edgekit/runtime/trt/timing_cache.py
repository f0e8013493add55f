"""TensorRT's timing cache: how fast each kernel was on this device, so that the next build need not try them again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

from edgekit.core.engine import BuildRequest
from edgekit.core.wire import digest
from edgekit.runtime.trt.cache_files import drop_cache, read_cache, write_cache
from edgekit.runtime.trt.library import load_library

if TYPE_CHECKING:
    import tensorrt as trt


class TimingCache:
    """The timing cache of one build: given to the builder, checked, and kept for the next of the same engine.

    Each model, precision and route has a cache of its own: TensorRT 8.5.2 refused, in the middle of a build, what the
    build of another precision had written (seen twice in two), and then measured everything anew.

    state: "new" where there was none, "reused", "partly" where TensorRT could not read some of it, or "refused" where
    it would not take it. note says why, "" if there is nothing to say.
    """

    def __init__(self, folder: Path, engine_key: str, request: BuildRequest) -> None:
        self.state = "new"
        self.note = ""
        parts = [request.detector.model_sha256, request.precision, request.route, request.tensorrt.dla_core]
        self._path = folder / f"timing-{digest(parts)[:16]}.cache"
        self._key = engine_key

    def attach(self, config: trt.IBuilderConfig) -> None:
        """Give the builder what is kept. What it refuses is dropped, and an empty cache takes its place."""
        kept = read_cache(self._path, self._key)
        if kept.refusal:
            self._refuse(kept.refusal)
        if kept.content is not None and self._set(config, kept.content):
            self.state = "reused"
        elif kept.content is not None:
            self._refuse("TensorRT did not take the timing cache kept on this device")
        if self.state != "reused":
            self._set(config, b"")

    def keep(self, config: trt.IBuilderConfig, refused_while_building: bool) -> None:
        """Store what the build knows now, its own measurements and those it was given.

        A build that could not read parts of what it was given took 44 s on an H200, one that was given nothing 100 s
        (medians of eight each, by turns): what is partly refused is worth keeping.
        """
        if refused_while_building and self.state == "reused":
            self.state = "partly"
            self.note = "TensorRT could not read parts of the timing cache kept on this device and measured those anew"
        content = _serialised(config)
        if content:
            write_cache(self._path, self._key, content)

    def _set(self, config: trt.IBuilderConfig, content: bytes) -> bool:
        cache = config.create_timing_cache(content)
        # Not ignoring a mismatch: a cache of another device would choose kernels by times that are not this one's.
        return cache is not None and bool(config.set_timing_cache(cache, False))

    def _refuse(self, note: str) -> None:
        self.state, self.note = "refused", f"{note}; it was dropped"
        drop_cache(self._path)


def _serialised(config: trt.IBuilderConfig) -> Optional[bytes]:
    cache: trt.ITimingCache = config.get_timing_cache()
    if cache is None:
        return None
    memory: trt.IHostMemory = cache.serialize()
    return None if memory is None else bytes(memory)


def tensorrt_key(engine_key: str) -> str:
    """What a timing cache belongs to. The engine key names module, GPU, TensorRT and L4T; this adds its exact build."""
    trt = load_library()
    return f"{engine_key} {trt.__version__}"
