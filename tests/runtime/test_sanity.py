"""No engine leaves a build unproved: what peers ship silently (NaN, nothing found, another picture's answer) fails."""

from __future__ import annotations

import dataclasses
import hashlib

import cv2
import numpy as np
import pytest

from edgekit.core.engine import BuildRequest, GoldenSet
from edgekit.core.tensors import InputSize, ShapeProfile
from edgekit.errors import VerifyError
from edgekit.runtime.sanity import prove
from tests.fakes import ANCHORS, LABELS, FakeEngine, detector_spec, manifest_for

PICTURES = 3


class Answering:
    """Stands in for a built engine, to break it in ways that real builders do: answer(images) -> outputs."""

    def __init__(self, detector, answer, **changes):
        self.manifest = dataclasses.replace(manifest_for(detector), **changes)
        self.answer = answer
        self.shapes = []

    def infer(self, tensors):
        self.shapes.append(tensors["images"].shape)
        return self.answer(tensors["images"])

    def close(self):
        raise AssertionError("the caller closes the engine")


def table(images, score=0.8):
    """YOLOv8's table (B, 6, 84), boxes from the anchors' places, scores from the picture's brightness."""
    made = np.zeros((len(images), 4 + len(LABELS), ANCHORS), np.float32)
    made[:, :4] = np.linspace(10, 50, ANCHORS)
    brightness = images.mean(axis=(1, 2, 3))[:, None, None]
    made[:, 4:] = score * brightness * np.linspace(0.1, 1, ANCHORS)
    return made


@pytest.fixture
def folder(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index in range(PICTURES):
        cv2.imwrite(str(pictures / f"{index}.png"), np.full((64, 64, 3), 150 + 40 * index, np.uint8))
    return tmp_path


def request_for(folder, detector=None, precision="fp32", expected=None):
    """A request whose golden answers are `expected`, one array a picture, by default those of a sound engine."""
    detector = detector or detector_spec()
    greys = [np.full((1, 3, 64, 64), (150 + 40 * index) / 255, np.float32) for index in range(PICTURES)]
    expected = [table(grey) for grey in greys] if expected is None else expected
    path = folder / "expected.npz"
    np.savez(path, **{f"{index}/output0": array for index, array in enumerate(expected)})
    golden = GoldenSet(str(folder / "pictures"), str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    return BuildRequest(detector, precision, "key", "model", "engines", golden=golden)


def reason(engine, request):
    with pytest.raises(VerifyError) as refusal:
        prove(engine, request)
    assert refusal.value.hint
    return refusal.value.why


def test_an_engine_that_answers_as_its_model_does_passes_with_its_distance(folder):
    """False alarms would make people switch the check off."""
    engine = Answering(detector_spec(), lambda images: {"output0": table(images)})
    proof = prove(engine, request_for(folder))
    assert proof.warnings == () and proof.golden_distance is not None and proof.golden_distance < 1e-6


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_single_number_that_is_none_fails_the_build(folder, value):
    """FP16 that overflows does so in some places only."""

    def answer(images):
        made = table(images)
        made[-1, 2, 5] = value
        return {"output0": made}

    assert "NaN or infinity in output0" in reason(Answering(detector_spec(), answer), request_for(folder))


def test_every_size_of_the_profile_is_run(folder):
    """A plan may be right at its best size and broken at its largest batch."""
    detector = detector_spec(max_batch=3)

    def answer(images):
        made = table(images)
        made[2:] = np.nan
        return {"output0": made}

    assert "3x64x64" in reason(Answering(detector, answer), request_for(folder, detector))


def test_a_smallest_batch_above_one_is_filled_with_copies(folder):
    """An engine of fixed batch 4 must be comparable with a model fed one picture."""
    size = InputSize(4, 64, 64)
    detector = dataclasses.replace(detector_spec(), profile=ShapeProfile(size, size, size))
    engine = Answering(detector, lambda images: {"output0": table(images)})
    assert prove(engine, request_for(folder, detector)).golden_distance < 1e-6
    assert {shape[0] for shape in engine.shapes} == {4}


def test_outputs_without_values_fail(folder):
    engine = Answering(detector_spec(), lambda images: {"output0": np.zeros((len(images), 6, 0), np.float32)})
    assert "no values in output0" in reason(engine, request_for(folder))
    assert "any output" in reason(Answering(detector_spec(), lambda images: {}), request_for(folder))


def test_one_value_for_every_picture_fails(folder):
    """What a plan with lost weights gives."""
    engine = Answering(detector_spec(), lambda images: {"output0": np.full((len(images), 6, ANCHORS), 0.5, np.float32)})
    assert "every value it gives on 3 different pictures is the same" in reason(engine, request_for(folder))
    flat = [np.full((1, 6, ANCHORS), 0.5, np.float32)] * PICTURES
    assert "so does the model itself" in reason(engine, request_for(folder, expected=flat))


def test_scores_that_died_fail_although_boxes_outweigh_them(folder):
    """INT8 that detects nothing: boxes of hundreds of pixels hide it from a cosine."""

    def answer(images):
        made = table(images)
        made[:, 4:] = 0
        return {"output0": made}

    far = [table(np.full((1, 3, 64, 64), 0.9, np.float32)) for _ in range(PICTURES)]
    request = request_for(folder, precision="int8", expected=far)
    engine = Answering(detector_spec(), answer, precision="int8")
    assert "finds nothing" in reason(engine, request)


def test_a_network_that_finds_nothing_like_its_model_passes(folder):
    """Golden pictures may show an empty street, and scores may underflow to zero in FP16."""

    def answer(images):
        made = table(images)
        made[:, 4:] = 0
        return {"output0": made}

    nothing = [table(np.full((1, 3, 64, 64), 1e-8, np.float32)) for _ in range(PICTURES)]
    proof = prove(
        Answering(detector_spec(), answer, precision="fp16"), request_for(folder, precision="fp16", expected=nothing)
    )
    assert proof.golden_distance < 1e-6


def test_limits_are_those_of_the_precision_that_computes(folder):
    """A model trained for INT8 computes so in an FP16 engine too, and is not to be held to FP16's limits."""
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 3, (1, 4, ANCHORS)).astype(np.float32)

    def answer(images):
        made = table(images)
        made[:, :4] += noise
        return {"output0": made}

    request = request_for(folder, precision="fp16")
    assert "is allowed" in reason(Answering(detector_spec(), answer, precision="fp16"), request)
    trained = Answering(detector_spec(), answer, precision="fp16", layers_quantised=5)
    assert 1e-3 < prove(trained, request).golden_distance < 0.05


def test_other_shapes_are_named(folder):
    engine = Answering(detector_spec(), lambda images: {"output0": table(images)[:, :, 1:]})
    assert "(1, 6, 83)" in reason(engine, request_for(folder))


def test_no_rows_from_a_network_that_suppresses_itself_are_an_answer(folder):
    """EfficientNMS counts zero and leaves what it likes in its rows; that is no NaN of the network."""
    detector = dataclasses.replace(detector_spec(), layout="efficientnms")
    names = ("num_dets", "det_boxes", "det_scores", "det_classes")
    shapes = ((1, 1), (1, 5, 4), (1, 5), (1, 5))

    def nothing(images):
        made = {name: np.full(shape, np.nan, np.float32) for name, shape in zip(names, shapes)}
        return {**made, "num_dets": np.zeros((1, 1), np.int32)}

    request = request_for(folder, detector)
    np.savez(
        folder / "expected.npz",
        **{f"{i}/{name}": array for i in range(PICTURES) for name, array in nothing(None).items()},
    )
    sha256 = hashlib.sha256((folder / "expected.npz").read_bytes()).hexdigest()
    request = dataclasses.replace(request, golden=dataclasses.replace(request.golden, expected_sha256=sha256))
    assert prove(Answering(detector, nothing), request).golden_distance == 0.0

    def one(images):
        return {**nothing(images), "num_dets": np.ones((1, 1), np.int32)}

    assert "NaN or infinity" in reason(Answering(detector, one), request)


def test_no_rows_at_all_are_an_answer_of_such_a_network(folder):
    detector = dataclasses.replace(detector_spec(), layout="yolo-end2end")
    empty = np.zeros((1, 0, 6), np.float32)
    engine = Answering(detector, lambda images: {"output0": np.repeat(empty, len(images), 0)})
    assert prove(engine, request_for(folder, detector, expected=[empty] * PICTURES)).golden_distance == 0.0


def test_altered_golden_answers_are_not_read(folder):
    """They come over a network; nothing is parsed before its digest is right."""
    request = request_for(folder)
    (folder / "expected.npz").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(VerifyError, match="do not match their digest"):
        prove(Answering(detector_spec(), lambda images: {"output0": table(images)}), request)


def test_too_few_golden_pictures_are_said(folder):
    request = request_for(folder)
    (folder / "pictures" / "0.png").unlink()
    with pytest.raises(VerifyError, match="2 golden pictures came with answers for 3"):
        prove(Answering(detector_spec(), lambda images: {"output0": table(images)}), request)


def test_without_golden_pictures_the_proof_says_so(folder):
    """An engine that was never compared must not look like one that was."""
    request = dataclasses.replace(request_for(folder), golden=None)
    proof = prove(FakeEngine(), request)
    assert proof.golden_distance is None and "not compared" in proof.warnings[0]
