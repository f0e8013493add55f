"""Making a self-test: on the device, of pictures that show something, once for each verified engine."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgekit.control.link import engines_dir
from edgekit.control.local_link import LocalLink
from edgekit.control.selftest import PICTURE_BYTES, load_selftest, prepare_selftest, selftest_folder, small_jpeg
from edgekit.core.engine import BuildRequest, EngineManifest
from edgekit.errors import SourceError
from edgekit.files import sha256_file
from edgekit.runtime.probe import probe_device
from tests.fakes import detector_spec
from tests.tiny_yolo import save_tiny_yolo


def silent(what, done, total):
    pass


def patches(path, seed, size=(640, 360)):
    pixels = cv2.resize(np.random.default_rng(seed).integers(0, 255, (9, 16, 3), np.uint8), size)
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def setup(tmp_path):
    """(link, detector, engine, pictures, record): an engine on this machine, and a place for its record."""
    model = save_tiny_yolo(tmp_path / "tiny.onnx")
    detector = replace(detector_spec(64, 96), model_sha256=sha256_file(model), confidence=0.3)
    link = LocalLink("local", tmp_path / "device")
    request = BuildRequest(detector, "fp32", probe_device().engine_key, str(model), engines_dir(link))
    engine = link.call("build", request, EngineManifest)
    pictures = [patches(tmp_path / f"p{index}.png", index) for index in range(4)]
    cv2.imwrite(str(tmp_path / "p9.png"), np.zeros((360, 640, 3), np.uint8))
    record = tmp_path / "verified" / "local" / "abc-def.json"
    return link, detector, engine, [*pictures, tmp_path / "p9.png"], record


def test_the_two_pictures_with_most_to_see_are_kept(setup):
    """Of a black picture no engine could be told from a blind one."""
    selftest = prepare_selftest(*setup, silent)
    assert len(selftest.plan.pictures) == 2 and selftest.plan.sure_objects > 10
    assert "04.jpg" not in [picture.file_name for picture in selftest.plan.pictures]
    assert selftest.plan.engine_id == setup[2].engine_id
    assert sorted(selftest.paths) == sorted(["selftest.json", *(item.file_name for item in selftest.plan.pictures)])
    assert all(path.stat().st_size <= PICTURE_BYTES for path in selftest.paths.values())


def test_it_is_made_once_and_the_same_again_if_it_is_lost(setup):
    """A deployment that changes nothing must give the very same release."""
    link, record = setup[0], setup[-1]
    first = prepare_selftest(*setup, silent)
    before = {name: sha256_file(path) for name, path in first.paths.items()}
    link.call = None  # nothing may be asked of the device
    assert prepare_selftest(*setup, silent) == first == load_selftest(record)
    del link.call
    (first.folder / first.plan.pictures[0].file_name).write_bytes(b"damaged")
    assert load_selftest(record) is None
    again = prepare_selftest(*setup, silent)
    assert {name: sha256_file(path) for name, path in again.paths.items()} == before


def test_another_verification_has_another_self_test(setup):
    """A new threshold or another engine gives other detections."""
    record = setup[-1]
    prepare_selftest(*setup, silent)
    assert load_selftest(record.with_name("abc-other.json")) is None
    assert selftest_folder(record).name == "abc-def.selftest"


def test_pictures_are_made_small_enough_to_travel(tmp_path):
    """Camera pictures of 12 megapixels would make every release 20 MB larger."""
    noise = np.random.default_rng(3).integers(0, 255, (1500, 2000, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    made = small_jpeg(tmp_path / "noise.png")
    height, width = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    assert len(made) <= PICTURE_BYTES and abs(width / height - 4 / 3) < 0.02
    small = patches(tmp_path / "small.jpg", 1)
    assert small_jpeg(small) == small.read_bytes()


def test_a_file_that_is_no_picture_is_named(tmp_path):
    """Lost: the name of the file to mend."""
    (tmp_path / "note.png").write_text("no picture")
    with pytest.raises(SourceError, match=r"note\.png cannot be decoded"):
        small_jpeg(tmp_path / "note.png")
