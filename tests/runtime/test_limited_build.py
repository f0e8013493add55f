"""Verb `build` with its limits: real builds, in a real child."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.core.engine import BuildRequest
from edgekit.errors import BuildError, DeviceError, EdgekitError
from edgekit.files import sha256_file
from edgekit.runtime import limited_build
from edgekit.runtime.engine_folders import build_lock, find_engine, sweep_unfinished
from edgekit.runtime.limited_build import limits_for, run_build
from edgekit.runtime.measuring import measuring
from edgekit.runtime.probe import probe_device
from tests.fakes import detector_spec
from tests.onnx_models import save_yolov8


def quiet(what, done, total):
    pass


@pytest.fixture
def request_(tmp_path) -> BuildRequest:
    """INT8 of a tiny network."""
    model = save_yolov8(tmp_path / "tiny.onnx")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    random = np.random.default_rng(5)
    for index in range(8):
        cv2.imwrite(str(pictures / f"{index:03}.png"), random.integers(0, 255, (48, 64, 3), np.uint8))
    detector = replace(detector_spec(), model_sha256=sha256_file(model))
    key, engines = probe_device().engine_key, str(tmp_path / "engines")
    return BuildRequest(
        detector, "int8", key, str(model), engines, calibration_dir=str(pictures), calibration_sha256="c" * 64
    )


def names_in(request_: BuildRequest):
    return sorted(path.name for path in Path(request_.engines_dir).iterdir())


def test_an_engine_is_built_in_the_child_and_found_again(request_):
    """The answer of the second call comes from the file, with the same manifest."""
    told = []
    manifest = run_build(replace(request_, precision="fp32"), quiet)
    assert find_engine(Path(request_.engines_dir), manifest.engine_id) == manifest
    assert run_build(replace(request_, precision="fp32"), lambda *step: told.append(step)) == manifest


@pytest.mark.parametrize(
    ("limit", "takes_mib", "said"),
    [({"memory_mib": 600}, 700, "600 MiB are allowed"), ({"deadline_s": 3.0}, 0, "took longer than 3 s")],
    ids=["memory", "time"],
)
def test_a_build_that_takes_too_much_leaves_nothing_behind(request_, limit, takes_mib, said):
    """A folder of a half-built engine would fill the disk, and its name would be taken for a whole one."""
    seen = Path(request_.engines_dir).parent / "seen"

    def in_the_middle(what, done, total):
        if what.startswith("calibrating"):
            seen.write_text(" ".join(names_in(request_)))
            held = bytearray(b"\x01") * (takes_mib << 20)
            time.sleep(60)
            del held

    with pytest.raises(BuildError, match=said):
        run_build(replace(request_, **limit), in_the_middle)
    assert ".part" in seen.read_text()
    assert names_in(request_) == [".build.lock"]


def test_a_build_is_refused_where_next_to_nothing_is_free(request_, monkeypatch):
    """Better at once, with the figures, than after ten minutes."""
    monkeypatch.setattr(limited_build, "headroom_mib", lambda: 300)
    monkeypatch.setattr(limited_build, "reserve_mib", lambda: 200)
    with pytest.raises(BuildError, match="300 MiB of memory are free, too little"):
        run_build(request_, quiet)


def test_the_reserve_is_kept_unless_someone_asks_for_less(request_, monkeypatch):
    """What is free belongs to the build but for the part that keeps the services alive."""
    monkeypatch.setattr(limited_build, "headroom_mib", lambda: 3000)
    monkeypatch.setattr(limited_build, "reserve_mib", lambda: 200)
    assert limits_for(request_).memory_mib == 2800
    asked = limits_for(replace(request_, memory_mib=1500, deadline_s=60.0))
    assert (asked.memory_mib, asked.reserve_mib, asked.deadline_s) == (1500, 200, 60.0)


def test_limits_do_not_change_which_engine_is_meant(request_):
    """Otherwise a board with more free memory would build everything anew."""
    assert replace(request_, memory_mib=1500, deadline_s=60.0).engine_id == request_.engine_id


def test_the_builds_own_errors_pass_unchanged(request_):
    """A model that is missing is no matter of memory."""
    with pytest.raises(EdgekitError, match="does not exist") as refusal:
        run_build(replace(request_, model_path=request_.model_path + ".gone"), quiet)
    assert refusal.value.exit_code == 3


def test_sweeping_leaves_a_build_alone_that_is_under_way(tmp_path):
    """Two hosts may build on one device; the failure of one must not destroy the other's work."""
    part = tmp_path / ".abc-1.part"
    with build_lock(tmp_path, quiet):
        part.mkdir()
        sweep_unfinished(tmp_path)
        assert part.is_dir()
    sweep_unfinished(tmp_path)
    assert not part.exists()
    sweep_unfinished(tmp_path / "never-made")


def test_nothing_is_built_while_the_device_is_measured(request_, monkeypatch):
    """The figures would be those of a busy device; and whoever wants the engine must learn for whom to wait."""
    monkeypatch.setattr(limited_build, "_BENCH_LIMIT_S", 0.0)
    with measuring(Path(request_.engines_dir) / "any"):
        with pytest.raises(DeviceError, match="being measured, and a build would spoil the figures: a bench since"):
            run_build(request_, quiet)
    assert run_build(replace(request_, precision="fp32"), quiet).precision == "fp32"
