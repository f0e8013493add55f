"""Whether a batch fits an engine; every back end asks this before its library does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgekit.core.tensors import InputSize, TensorSpec
from edgekit.errors import EngineError, UsageError
from edgekit.runtime.input_sizes import check_sizes, image_name, size_for_batch, smallest_batch
from tests.fakes import detector_spec, manifest_for

MANIFEST = manifest_for(detector_spec(max_batch=4))


@pytest.mark.parametrize("batch", [1, 4])
def test_a_batch_at_either_end_of_the_profile_passes(batch):
    """The ends belong to the profile."""
    size = check_sizes(MANIFEST, {"images": np.zeros((batch, 3, 64, 64), np.float32)})
    assert size == InputSize(batch, 64, 64)


@pytest.mark.parametrize(
    "tensors, words",
    [
        ({"images": np.zeros((5, 3, 64, 64))}, "64x64 batch 5 is outside"),
        ({"images": np.zeros((1, 3, 32, 64))}, "64x32 batch 1 is outside"),
        ({"images": np.zeros((3, 64, 64))}, r"shape \(3, 64, 64\)"),
        ({"input": np.zeros((1, 3, 64, 64))}, "'images' is missing"),
        ({}, "'images' is missing"),
    ],
    ids=["too many", "another height", "no batch dimension", "another name", "nothing"],
)
def test_a_batch_that_does_not_fit_is_refused_in_plain_words(tensors, words):
    """Each library has its own words for it, and one of them is a crash."""
    with pytest.raises(EngineError, match=words):
        check_sizes(MANIFEST, tensors)


def test_a_model_without_pictures_is_refused():
    """A manifest written by other hands must not end in a StopIteration."""
    with pytest.raises(EngineError, match="takes no pictures"):
        image_name(dataclasses.replace(MANIFEST, inputs=(TensorSpec("tokens", (1, 77)),)))


def test_stages_run_at_the_best_size():
    """A larger size than the tuned one would be slow and unasked for."""
    assert size_for_batch(MANIFEST, 3) == InputSize(3, 64, 64)
    assert smallest_batch(MANIFEST) == 1
    with pytest.raises(UsageError, match="batch 5 is outside what this engine takes: 1 to 4"):
        size_for_batch(MANIFEST, 5)
