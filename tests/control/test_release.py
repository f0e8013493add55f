"""A release names every file a service runs from, those of the engine's folder too."""

from __future__ import annotations

import json
from dataclasses import replace

from edgekit.control.device_code import device_code
from edgekit.control.release import make_release
from edgekit.control.selftest import SelfTest
from edgekit.core.scenes_seen import DIMENSIONS, ScenesSeen
from edgekit.core.selftest import SelfTestPicture, SelfTestPlan
from edgekit.core.service import ServiceSettings, StreamSettings
from edgekit.core.wire import from_wire
from tests.core.test_engine import DETECTOR, PROFILE
from tests.made_up_engines import tensorrt_manifest


def test_the_engines_attachments_are_part_of_a_release():
    """Without its kernels an engine in service would fall back to the CPU for pictures."""
    engine = tensorrt_manifest()
    settings = ServiceSettings("street", (StreamSettings("scenes://"),))
    files = {file.path: file for file in make_release("street", PROFILE, DETECTOR, settings, engine, 1).manifest.files}
    (kernels,) = engine.attachments
    assert files["engine/kernels.cubin"].sha256 == kernels.sha256
    assert files["engine/kernels.cubin"].size == kernels.bytes
    assert files[f"engine/{engine.file_name}"].sha256 == engine.file_sha256


def test_the_self_test_travels_with_the_release(tmp_path):
    """Without it a service would say that it is ready before anyone knows."""
    (tmp_path / "00.jpg").write_bytes(b"picture")
    (tmp_path / "selftest.json").write_text("{}")
    plan = SelfTestPlan("e" * 16, 0.25, (SelfTestPicture("00.jpg", "a" * 64, ()),))
    engine, settings = tensorrt_manifest(), ServiceSettings("street", (StreamSettings("scenes://"),))
    release = make_release("street", PROFILE, DETECTOR, settings, engine, 1, SelfTest(plan, tmp_path))
    files = {file.path: file for file in release.manifest.files}
    assert release.paths[files["selftest/00.jpg"].sha256] == tmp_path / "00.jpg"
    assert files["selftest/selftest.json"].size == 2
    without = make_release("street", PROFILE, DETECTOR, settings, engine, 1)
    assert without.manifest.release_id != release.manifest.release_id


def test_what_the_set_shows_travels_only_with_those_who_collect():
    """Releases of services that keep no frames keep their names."""
    engine, settings = tensorrt_manifest(), ServiceSettings("street", (StreamSettings("scenes://"),))
    without = make_release("street", PROFILE, DETECTOR, settings, engine, 1)
    assert make_release("street", PROFILE, DETECTOR, settings, engine, 1, None, None).manifest == without.manifest
    assert "scenes.json" not in {file.path for file in without.manifest.files}
    seen = ScenesSeen("days", "a" * 64, 60, 0.87, ((1.0,) * DIMENSIONS,), {"light:day": 1.0})
    release = make_release("street", PROFILE, DETECTOR, settings, engine, 1, None, seen)
    (file,) = set(release.manifest.files) - set(without.manifest.files)
    assert (file.path, file.mode) == ("scenes.json", 0o644)
    assert from_wire(ScenesSeen, json.loads(release.content[file.sha256])) == seen


def test_the_class_names_what_the_device_must_be():
    """Signed later as it is: whoever checks it has nothing but this."""
    engine, settings = tensorrt_manifest(), ServiceSettings("street", (StreamSettings("scenes://"),))
    of_a_pc = make_release("street", PROFILE, DETECTOR, settings, engine, 1).manifest.device_class
    assert of_a_pc["engine_key"] == PROFILE.engine_key and of_a_pc["version"] == PROFILE.backend_version
    jetson = replace(PROFILE, module="xavier-nx-8gb", backend="tensorrt", backend_version="8.5.2", sm=72, l4t="35.4.1")
    assert make_release("street", jetson, DETECTOR, settings, engine, 1).manifest.device_class == {
        "engine_key": "xavier-nx-8gb-sm72-trt8.5.2-l4t35.4.1",
        "module": "xavier-nx-8gb",
        "backend": "tensorrt",
        "version": "8.5.2",
        "sm": "72",
        "l4t": "35.4.1",
    }


def test_device_code_is_source_and_nothing_else():
    """CUDA source has to be there to be compiled, the page to be shown; this machine's caches have no place there."""
    names = set(device_code())
    assert "runtime/cuda/kernels.cu" in names and "runtime/sanity.py" in names and "core/engine.py" in names
    assert {name.rpartition(".")[2] for name in names} == {"py", "cu", "html", "css", "js", "svg"}
    assert not any(name.startswith(("control/", "cli/", "report/")) for name in names)
