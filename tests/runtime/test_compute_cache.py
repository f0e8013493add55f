"""CUDA's cache of compiled kernels lies beside the engines, whoever asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from edgekit.core.deployment import StateRequest
from edgekit.core.requests import InspectRequest
from edgekit.runtime.compute_cache import cuda_variables, keep_compute_cache

ROOT = Path(__file__).resolve().parents[2]


def test_a_request_that_names_an_engine_gets_the_device_s_cache(tmp_path) -> None:
    """A cache in the home folder of a service user is on a board often in memory, and gone after a restart."""
    found = cuda_variables(InspectRequest(str(tmp_path / "engines" / "0123")))
    assert found["CUDA_CACHE_PATH"] == str(tmp_path.resolve() / "cache" / "compute")


def test_what_a_person_has_set_stays(tmp_path) -> None:
    """Whoever moved the cache to another disk did so on purpose."""
    environment = {"CUDA_CACHE_PATH": "/elsewhere"}
    keep_compute_cache(InspectRequest(str(tmp_path / "engines" / "0123")), environment)
    assert environment == {"CUDA_CACHE_PATH": "/elsewhere", "CUDA_MODULE_LOADING": "LAZY"}


def test_requests_without_engines_change_nothing(tmp_path) -> None:
    """A state is asked often and from anywhere."""
    assert cuda_variables(StateRequest(str(tmp_path))) == {}


def test_the_variables_are_set_before_the_device_is_probed(tmp_path) -> None:
    """Probing starts CUDA; set after it, they would be read by nobody."""
    code = (
        "import os, sys\n"
        "from edgekit.runtime import __main__ as entry, probe as probing\n"
        "def probe(): print('CUDA_CACHE_PATH' in os.environ, file=sys.stderr); raise SystemExit(0)\n"
        "probing.probe_device = probe\n"
        "entry.main(['predict', sys.argv[1]])"
    )
    request = tmp_path / "request.json"
    detector = {
        "name": "x", "model_sha256": "0" * 64, "input": {"name": "images"}, "layout": "yolov8", "labels": ["a"],
        "profile": {key: {"batch": 1, "height": 64, "width": 64} for key in ("minimum", "optimum", "maximum")},
    }  # fmt: skip
    paths = {"engine_dir": str(tmp_path / "engines" / "1"), "images_dir": str(tmp_path), "out_path": "out"}
    request.write_text(json.dumps({"detector": detector, **paths}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CUDA_")}
    command = [sys.executable, "-c", code, str(request)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert done.stderr.decode().split() == ["True"], done.stdout.decode()
