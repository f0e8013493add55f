"""An engine's files are whole, all of them, or the engine is not taken for one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.engine import Attachment
from edgekit.errors import EngineError
from edgekit.runtime.engine_files import check_attachments, check_digest
from edgekit.runtime.engine_folders import find_engine
from tests.made_up_engines import tensorrt_manifest, write_engine


@pytest.fixture
def folder(tmp_path):
    return write_engine(tmp_path / tensorrt_manifest().engine_id)


def test_a_whole_engine_is_found(folder):
    manifest = tensorrt_manifest()
    assert check_digest(folder, manifest) == folder / manifest.file_name
    check_attachments(folder, manifest)
    assert find_engine(folder.parent, manifest.engine_id) == manifest


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "its manifest says"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "does not match the digest"),
    ],
    ids=["missing", "cut short", "altered"],
)
def test_kernels_that_are_not_the_ones_compiled_are_refused_and_built_again(folder, damage, said):
    """They run on the GPU with all its rights, like the plan itself."""
    manifest = tensorrt_manifest()
    damage(folder / manifest.attachments[0].file_name)
    with pytest.raises(EngineError, match=said) as refusal:
        check_attachments(folder, manifest)
    assert refusal.value.hint == "edgekit build roadscene --precision int8 --force"
    assert find_engine(folder.parent, manifest.engine_id) is None


@pytest.mark.parametrize("name", ["../engine.plan", "/etc/passwd", "a/b"])
def test_an_attachment_outside_the_folder_is_refused(folder, name):
    """A manifest from elsewhere must not lead to other files."""
    manifest = replace(tensorrt_manifest(), attachments=(Attachment(name, "0" * 64, 1),))
    with pytest.raises(EngineError, match="no plain file name"):
        check_attachments(folder, manifest)
