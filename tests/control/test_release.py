"""A release names every file a service runs from, those of the engine's folder too."""

from __future__ import annotations

from edgekit.control.release import device_code, make_release
from edgekit.core.service import ServiceSettings
from tests.core.test_engine import DETECTOR, PROFILE
from tests.made_up_engines import tensorrt_manifest


def test_the_engines_attachments_are_part_of_a_release():
    """Without its kernels an engine in service would fall back to the CPU for pictures."""
    engine = tensorrt_manifest()
    settings = ServiceSettings("street", "scenes://", (), 0, False)
    files = {file.path: file for file in make_release("street", PROFILE, DETECTOR, settings, engine, 1).manifest.files}
    (kernels,) = engine.attachments
    assert files["engine/kernels.cubin"].sha256 == kernels.sha256
    assert files["engine/kernels.cubin"].size == kernels.bytes
    assert files[f"engine/{engine.file_name}"].sha256 == engine.file_sha256


def test_device_code_is_source_and_nothing_else():
    """The CUDA source has to be there to be compiled; caches of this machine's Python have no place there."""
    names = set(device_code())
    assert "runtime/cuda/kernels.cu" in names and "runtime/sanity.py" in names and "core/engine.py" in names
    assert {name.rpartition(".")[2] for name in names} == {"py", "cu"}
    assert not any(name.startswith(("control/", "cli/", "report/")) for name in names)
