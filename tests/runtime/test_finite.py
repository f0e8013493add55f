"""Answers that are no numbers are noticed, cheaply, on the way that every frame takes."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.runtime.finite import FiniteCheck
from edgekit.runtime.host_stages import HostStages
from edgekit.runtime.input_sizes import size_for_batch
from edgekit.runtime.pipeline import Pipeline
from tests.fakes import FakeEngine, Greys, detector_spec


class Broken(FakeEngine):
    """From the call numbered `since` on the answer holds `value`."""

    def __init__(self, value: float, since: int = 0, until: int = 10**9) -> None:
        super().__init__()
        self._value, self._since, self._until = value, since, until

    def infer(self, tensors):
        number, outputs = len(self.shapes), super().infer(tensors)
        if self._since <= number < self._until:
            outputs["output0"][:, 4:, 5] = self._value
        return outputs


def frames(engine, count=6):
    stages = HostStages(engine.detector, engine, size_for_batch(engine.manifest, 1))
    stages._finite = FiniteCheck(engine.detector, every_s=0.0)
    with Pipeline(Greys(count), stages) as pipeline:
        return list(pipeline)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_frame_without_numbers_is_marked_and_finds_nothing(value):
    """NaN is below every threshold, so it would pass for a frame with nothing in it; infinity for a sure object."""
    found = frames(Broken(value, since=2, until=4))
    assert [frame.bad_outputs for frame in found] == [(), (), ("output0",), ("output0",), (), ()]
    assert [len(frame.detections) for frame in found] == [1, 1, 0, 0, 1, 1]


def test_outputs_are_looked_at_now_and_then_and_always_after_a_bad_one():
    """Looking at every number of every frame costs what the pipeline has no time for."""
    looked, outputs = [], {"output0": np.zeros((1, 6, 84), np.float32)}

    def fetch():
        looked.append(1)
        return outputs

    check = FiniteCheck(detector_spec(), every_s=3600.0)
    assert [check.bad_outputs(fetch) for _ in range(5)] == [()] * 5 and len(looked) == 1
    check = FiniteCheck(detector_spec(), every_s=3600.0)
    outputs["output0"][0, 0, 0] = np.nan
    assert [check.bad_outputs(fetch) for _ in range(5)] == [("output0",)] * 5 and len(looked) == 6
    outputs["output0"][0, 0, 0] = 0
    assert [check.bad_outputs(fetch) for _ in range(5)] == [()] * 5 and len(looked) == 7
