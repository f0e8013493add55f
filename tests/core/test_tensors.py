"""Shapes an engine is built for."""

from __future__ import annotations

import pytest

from edgekit.core.tensors import InputSize, ShapeProfile, TensorSpec
from edgekit.core.wire import from_wire, to_wire

PROFILE = ShapeProfile(InputSize(1, 320, 320), InputSize(2, 640, 640), InputSize(4, 960, 1280))


def test_a_tensor_reads_as_the_model_declares_it():
    """Error messages show it: a dynamic dimension must be seen as such."""
    assert str(TensorSpec("images", (None, 3, 640, 640))) == "images (?, 3, 640, 640) float32"
    assert str(InputSize(1, 384, 640)) == "1x384x640"


@pytest.mark.parametrize(
    ("size", "inside"),
    [
        pytest.param((1, 320, 320), True, id="the-minimum"),
        pytest.param((4, 960, 1280), True, id="the-maximum"),
        pytest.param((2, 640, 1280), True, id="between"),
        pytest.param((5, 640, 640), False, id="batch-too-large"),
        pytest.param((1, 319, 640), False, id="too-low"),
        pytest.param((1, 640, 1281), False, id="too-wide"),
    ],
)
def test_a_profile_admits_exactly_its_range(size, inside):
    """TensorRT refuses a size outside with a number; ours must be refused before, with words."""
    assert PROFILE.admits(InputSize(*size)) == inside


def test_a_fixed_profile_admits_one_size():
    """Most engines are built for exactly one."""
    profile = ShapeProfile.fixed(1, 384, 640)
    assert profile.admits(InputSize(1, 384, 640))
    assert not profile.admits(InputSize(2, 384, 640))


@pytest.mark.parametrize("sizes", [(2, 1, 4), (1, 5, 4), (0, 1, 4), (-1, 1, 1)])
def test_a_profile_out_of_order_is_refused(sizes):
    """A builder would fail minutes later, without naming the dimension."""
    with pytest.raises(ValueError, match="batch: expected 1 <= min <= opt <= max"):
        ShapeProfile(*(InputSize(batch, 64, 64) for batch in sizes))


def test_a_profile_survives_the_wire():
    """It travels in every request and manifest, with dynamic dimensions as null."""
    assert from_wire(ShapeProfile, to_wire(PROFILE)) == PROFILE
    spec = TensorSpec("x", (None, 3), "float16")
    assert from_wire(TensorSpec, to_wire(spec)) == spec
