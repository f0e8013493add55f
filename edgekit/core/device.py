"""What a device really is, as probed: the facts that decide how an engine is built for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from edgekit.core.l4t import jetpack_of

# "onnxruntime" runs engines on the processor even of a Jetson, which without it must have TensorRT.
BACKEND_VARIABLE = "EDGEKIT_BACKEND"

# x86 and Arm instruction sets that change which INT8 and FP32 kernels ONNX Runtime picks, best first.
_DECISIVE_CPU_FEATURES = ("avx512_vnni", "avx_vnni", "avx512f", "avx2", "asimddp", "asimd")


@dataclass(frozen=True)
class DeviceProfile:
    """The answer to `probe`. None means the device has no such thing, or it could not be read."""

    module: str  # "orin-nano-8gb"; for a PC its GPU, "nvidia-h200", or with ONNX Runtime its processor, "x86_64"
    backend: str  # "tensorrt" or "onnxruntime"
    backend_version: str
    python: str
    edgekit: str
    cpu_count: int
    memory_total_mib: int
    memory_available_mib: int
    disk_free_mib: int
    cpu_features: Tuple[str, ...] = ()
    opencv: Optional[str] = None  # version
    gstreamer: Optional[bool] = None  # in results of earlier versions; the checkup tells of it since
    sm: Optional[int] = None  # CUDA compute capability x 10
    l4t: Optional[str] = None
    power_mode: Optional[str] = None  # by name: "MAXN", "MODE_15W_6CORE"
    cpu_name: Optional[str] = None
    gpu_name: Optional[str] = None
    cuda_driver: Optional[str] = None  # the newest CUDA that the driver runs, "11.4"
    gpu_memory_mib: Optional[int] = None  # shared with the CPU on a Jetson
    schema: int = 1

    @property
    def jetpack(self) -> Optional[str]:
        """The JetPack that its L4T belongs to, "5.1.2". What is installed may be newer."""
        return jetpack_of(self.l4t)

    @property
    def backend_name(self) -> str:
        """ "TensorRT 10.3.0", "ONNX Runtime 1.23.2"."""
        return f"{'TensorRT' if self.backend == 'tensorrt' else 'ONNX Runtime'} {self.backend_version}"

    @property
    def engine_key(self) -> str:
        """Names the devices that may share an engine file: only equal keys may."""
        if self.backend == "tensorrt":
            system = f"-l4t{self.l4t}" if self.l4t else ""  # a PC with an NVIDIA GPU has no L4T
            return f"{self.module}-sm{self.sm}-trt{self.backend_version}{system}"
        best = next((name for name in _DECISIVE_CPU_FEATURES if name in self.cpu_features), "baseline")
        return f"{self.module}-{best}-ort{self.backend_version}"
