"""What the stages of the pipeline do for one detector and one engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Mapping, Sequence

import numpy as np

from edgekit.core.detections import Detections
from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.letterbox import Fit
from edgekit.core.postprocess import detections_from_outputs
from edgekit.core.tensors import InputSize
from edgekit.errors import UsageError
from edgekit.runtime.preprocess import Preprocess, network_inputs

PreprocessFrame = Callable[[np.ndarray, np.ndarray], Fit]
NameInputs = Callable[[np.ndarray], Mapping[str, np.ndarray]]
FinishOutputs = Callable[[Mapping[str, np.ndarray], Sequence[Fit]], List[Detections]]


@dataclass(frozen=True)
class Stages:
    """The work of each stage, free of threads.

    preprocess(pixels (H, W, 3) uint8 BGR, out (3, height, width) float32) writes all of `out`.
    name_inputs(tensor (N, 3, height, width)) gives everything the engine takes, by input name.
    finish(outputs, fits) gives one Detections in frame pixels for each fit; further batch items are padding.
    """

    input_size: InputSize  # a full batch
    smallest_batch: int  # a shorter one is padded to this
    preprocess: PreprocessFrame
    name_inputs: NameInputs
    finish: FinishOutputs


def stages_for(detector: DetectorSpec, manifest: EngineManifest, batch: int = 1) -> Stages:
    """The stages at the engine's best height and width. Raises UsageError if it does not take `batch`."""
    best, smallest = manifest.profile.optimum, manifest.profile.minimum.batch
    size = InputSize(batch, best.height, best.width)
    if not manifest.profile.admits(size):
        raise UsageError(
            f"batch {batch} is outside what this engine takes: {smallest} to {manifest.profile.maximum.batch}",
            hint=f"edgekit build {manifest.detector} with a profile that includes batch {batch}",
        )
    return Stages(
        input_size=size,
        smallest_batch=smallest,
        preprocess=Preprocess(detector.input, size.height, size.width),
        name_inputs=lambda tensor: network_inputs(detector, manifest.inputs, tensor),
        finish=lambda outputs, fits: detections_from_outputs(detector, outputs, fits),
    )
