"""Releases: named by content, and unable to write outside their folder."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.core.release import ReleaseFile, ReleaseManifest
from edgekit.core.wire import from_wire, to_wire
from edgekit.errors import ConfigError

FILES = (ReleaseFile("engine/engine.onnx", 10, "a" * 64), ReleaseFile("run", 5, "b" * 64, 0o755))
MANIFEST = ReleaseManifest("edgekit", "street", {"engine_key": "x86_64-avx2-ort1.20"}, 3, "roadscene", "e" * 16, FILES)


@pytest.mark.parametrize(
    "path",
    ["engine.onnx", "edgekit/core/wire.py", "wheels/numpy-1.24.4-cp38.whl", "a+b_c.d/e", "_x/__init__.py"],
)
def test_ordinary_paths_are_accepted(path):
    """The names that a release is really made of."""
    assert ReleaseFile(path, 1, "a" * 64).path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "a//b",
        "a/",
        "./a",
        ".hidden",
        "a/.ssh",
        "a\\b",
        "C:/x",
        "~/x",
        "a b",
        "a\nb",
        "a\n",
        "a\x00b",
        "-rf",
        "a;b",
        "$HOME",
        "ü",
    ],
)
def test_a_path_that_could_leave_the_folder_or_confuse_a_shell_is_refused(path):
    """A hostile manifest would otherwise overwrite files on a device."""
    with pytest.raises(ValueError, match="expected a plain relative path"):
        ReleaseFile(path, 1, "a" * 64)
    with pytest.raises(ConfigError, match="plain relative path"):
        from_wire(ReleaseFile, {"path": path, "size": 1, "sha256": "a" * 64})


@pytest.mark.parametrize("mode", [0o777, 0o4755, 0o600, 0])
def test_no_file_is_writable_by_all_or_setuid(mode):
    """Three modes are enough for a service."""
    with pytest.raises(ValueError, match="expected 0644, 0755 or 0640"):
        ReleaseFile("a", 1, "a" * 64, mode)


def test_the_name_follows_the_content_and_not_the_counter():
    """Deploying the same content twice finds it in place."""
    assert replace(MANIFEST, counter=4).release_id == MANIFEST.release_id


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(MANIFEST, files=(replace(FILES[0], sha256="c" * 64), FILES[1])), id="a-file"),
        pytest.param(replace(MANIFEST, files=(FILES[0], replace(FILES[1], mode=0o644))), id="a-mode"),
        pytest.param(replace(MANIFEST, service="yard"), id="the-service"),
        pytest.param(replace(MANIFEST, engine_id="f" * 16), id="the-engine"),
        pytest.param(replace(MANIFEST, device_class={"engine_key": "other"}), id="the-device-class"),
    ],
)
def test_other_content_is_another_release(changed):
    """Two releases must never share a folder."""
    assert changed.release_id != MANIFEST.release_id


def test_a_release_survives_the_wire_with_its_name():
    """The device computes the name from the file it received."""
    back = from_wire(ReleaseManifest, json.loads(json.dumps(to_wire(MANIFEST))))
    assert back == MANIFEST
    assert back.release_id == MANIFEST.release_id
