"""Engine keys read back: what two of them differ in, in plain words. Written by core.device."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

_TENSORRT = re.compile(r"(?P<module>.+)-sm(?P<sm>\d+)-trt(?P<version>[^-]+)(?:-l4t(?P<l4t>.+))?")
_ONNXRUNTIME = re.compile(r"(?P<module>.+)-(?P<cpu>[^-]+)-ort(?P<version>.+)")


@dataclass(frozen=True)
class EngineKey:
    """The parts of a key. sm and l4t belong to TensorRT, cpu (the best instruction set) to ONNX Runtime."""

    module: str
    backend: str
    version: str
    sm: Optional[int] = None
    l4t: Optional[str] = None
    cpu: Optional[str] = None

    @property
    def backend_name(self) -> str:
        """ "TensorRT 10.3.0", "ONNX Runtime 1.23.2"."""
        return f"{'TensorRT' if self.backend == 'tensorrt' else 'ONNX Runtime'} {self.version}"


def parse_engine_key(key: str) -> Optional[EngineKey]:
    """The parts of DeviceProfile.engine_key; None for a text that no edgekit wrote."""
    found = _TENSORRT.fullmatch(key)
    if found:
        return EngineKey(found["module"], "tensorrt", found["version"], sm=int(found["sm"]), l4t=found["l4t"])
    found = _ONNXRUNTIME.fullmatch(key)
    if found:
        return EngineKey(found["module"], "onnxruntime", found["version"], cpu=found["cpu"])
    return None


def key_differences(built_for: str, device: str) -> Tuple[str, ...]:
    """One sentence for each part in which the key of an engine differs from a device's; empty if they are equal."""
    if built_for == device:
        return ()
    engine, here = parse_engine_key(built_for), parse_engine_key(device)
    if engine is None or here is None:
        return (f"it was built for {built_for}, this device is {device}",)
    parts = [_module(engine, here)]
    if engine.backend == here.backend:
        parts += [_gpu(engine, here), _cpu(engine, here)]
    parts += [_version(engine, here), _l4t(engine, here)]
    return tuple(part for part in parts if part)


def _module(engine: EngineKey, here: EngineKey) -> str:
    if engine.module == here.module:
        return ""
    return f"module: it was built on {engine.module}, this device is {here.module}"


def _gpu(engine: EngineKey, here: EngineKey) -> str:
    if engine.sm == here.sm:
        return ""
    return f"GPU: it was built for compute capability {_capability(engine)}, this GPU has {_capability(here)}"


def _capability(key: EngineKey) -> str:
    return "none" if key.sm is None else f"{key.sm // 10}.{key.sm % 10} (SM {key.sm})"


def _cpu(engine: EngineKey, here: EngineKey) -> str:
    if engine.cpu == here.cpu:
        return ""
    return f"processor: it was built for {engine.cpu} instructions, the best of this processor are {here.cpu}"


def _version(engine: EngineKey, here: EngineKey) -> str:
    if engine.backend_name == here.backend_name:
        return ""
    subject = "TensorRT" if engine.backend == here.backend == "tensorrt" else "ONNX Runtime"
    subject = subject if engine.backend == here.backend else "back end"
    return f"{subject}: it was built by {engine.backend_name}, this device has {here.backend_name}"


def _l4t(engine: EngineKey, here: EngineKey) -> str:
    if engine.l4t == here.l4t or engine.backend != here.backend:
        return ""
    built = f"under Jetson Linux {engine.l4t}" if engine.l4t else "without Jetson Linux"
    runs = f"runs {here.l4t}" if here.l4t else "has none"
    return f"L4T: it was built {built}, this device {runs}"
