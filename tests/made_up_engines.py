"""TensorRT engines that no builder made: made-up values in the real file formats, for tests only."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from edgekit.core.device import DeviceProfile
from edgekit.core.engine import MANIFEST_NAME, Attachment, BuildFacts, EngineLayer, EngineManifest
from edgekit.core.tensors import InputSize, ShapeProfile, TensorSpec
from edgekit.core.wire import to_wire

KEY = "xavier-nx-sm72-trt8.5.2.2-l4t35.4.1"
KERNELS = b"not really a cubin"

# From the facts of the board; no such device was asked.
XAVIER = DeviceProfile(
    module="xavier-nx",
    backend="tensorrt",
    backend_version="8.5.2.2",
    python="3.8.10",
    edgekit="0",
    cpu_count=6,
    memory_total_mib=6857,
    memory_available_mib=5000,
    disk_free_mib=4000,
    sm=72,
    l4t="35.4.1",
)


def plan_bytes(
    version: Tuple[int, int, int, int] = (8, 5, 2, 2), *, tag: bytes = b"ftrt", serialization: int = 0
) -> bytes:
    """The beginning of a plan as trtexec reads it, and then bytes that are no plan at all."""
    return tag + struct.pack("<I", serialization) + bytes(16) + bytes(version) + bytes(range(200))


def with_header(plan: bytes, metadata: Dict[str, Any]) -> bytes:
    """A plan with the header of Ultralytics' exporter."""
    text = json.dumps(metadata).encode()
    return struct.pack("<i", len(text)) + text + plan


def layers(precision: str = "int8", count: int = 12) -> Tuple[EngineLayer, ...]:
    """Layers of four kinds; the head computes in fp16, the last one runs somewhere else."""
    tactic = "sm72_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32_tilesize128x64x64_stage1"
    body = tuple(
        EngineLayer(f"/backbone/{index}/Conv + /backbone/{index}/Relu", "CaskConvolution", precision, tactic)
        for index in range(count)
    )
    return (
        EngineLayer("Reformatting CopyNode for Input Tensor 0 to /backbone/0/Conv", "Reformat", precision, "0x3e8"),
        *body,
        EngineLayer("PWN(/neck/Sigmoid, /neck/Mul)", "PointWiseV2", "fp16", ""),
        EngineLayer(
            "/head/Conv", "CaskConvolution", "fp16", "sm72_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc"
        ),
        EngineLayer("{ForeignNode[/head/dfl/Reshape.../head/Concat]}", "Myelin", "", ""),
    )


def build_facts(**changes: Any) -> BuildFacts:
    """What building might have shown."""
    made = BuildFacts(
        layers_before=225,
        layers=layers(),
        activation_mib=12.5,
        workspace_mib=512,
        host_peak_mib=1840,
        seconds={"parse": 0.25, "calibrate": 12.5, "build": 301.0, "check": 1.75},
        timing_cache="reused",
        skipped_tactics=3,
        notes=("detected subgraphs with layers that need scratch memory",),
    )
    return replace(made, **changes)


def tensorrt_manifest(precision: str = "int8", **changes: Any) -> EngineManifest:
    """A manifest as a builder would write it; its file is `plan_bytes()`."""
    plan = plan_bytes()
    made = EngineManifest(
        engine_id="abcdef0123456789",
        engine_key=KEY,
        detector="roadscene",
        backend="tensorrt",
        precision=precision,
        file_name="engine.plan",
        file_sha256=hashlib.sha256(plan).hexdigest(),
        file_bytes=len(plan),
        model_sha256="2" * 64,
        calibration_sha256="3" * 64 if precision == "int8" else None,
        calibration_images=300 if precision == "int8" else 0,
        options_sha256="4" * 64,
        profile=ShapeProfile(InputSize(1, 384, 640), InputSize(2, 384, 640), InputSize(4, 384, 640)),
        inputs=(TensorSpec("images", (None, 3, 384, 640)),),
        outputs=(TensorSpec("output0", (None, 12, 5040)),),
        tool_versions={"tensorrt": "8.5.2.2", "cuda": "11.4"},
        build_s=315.5,
        created_utc="2001-01-01T00:00:00Z",
        layers_total=64,
        layers_quantised=60 if precision == "int8" else 0,
        warnings=("3 tactics were skipped for want of memory",),
        attachments=(Attachment("kernels.cubin", hashlib.sha256(KERNELS).hexdigest(), len(KERNELS)),),
        route="calibrator" if precision == "int8" else "plain",
        build=build_facts(),
        golden_distance=0.0125,
    )
    return replace(made, **changes)


def write_engine(folder: Path, manifest: Optional[EngineManifest] = None) -> Path:
    """An engine folder, whole."""
    manifest = manifest or tensorrt_manifest()
    folder.mkdir(parents=True)
    (folder / manifest.file_name).write_bytes(plan_bytes())
    for item in manifest.attachments:
        (folder / item.file_name).write_bytes(KERNELS)
    (folder / MANIFEST_NAME).write_text(json.dumps(to_wire(manifest)), encoding="utf-8")
    return folder
