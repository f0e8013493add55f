"""Whether a batch has a size that an engine was built for; the same for every back end."""

from __future__ import annotations

from typing import Mapping

import numpy as np

from edgekit.core.engine import EngineManifest
from edgekit.core.tensors import InputSize
from edgekit.errors import EngineError, UsageError


def image_name(manifest: EngineManifest) -> str:
    """The name of the picture input, the only one with four dimensions. Raises EngineError if there is none."""
    for tensor in manifest.inputs:
        if len(tensor.shape) == 4:
            return tensor.name
    raise EngineError(
        "this engine takes no pictures", why=f"its inputs: {', '.join(str(tensor) for tensor in manifest.inputs)}"
    )


def check_sizes(manifest: EngineManifest, tensors: Mapping[str, np.ndarray]) -> InputSize:
    """The size of a batch, once it lies within the manifest's profile. Raises EngineError if it does not."""
    name = image_name(manifest)
    images = tensors.get(name)
    if images is None:
        raise EngineError(f"input {name!r} is missing", why=f"given: {', '.join(tensors) or 'nothing'}")
    if images.ndim != 4:
        raise EngineError(f"input {name!r} has the shape {images.shape}", why="expected (batch, 3, height, width)")
    batch, _, height, width = images.shape
    size, profile = InputSize(batch, height, width), manifest.profile
    if not profile.admits(size):
        low, high = profile.minimum, profile.maximum
        raise EngineError(
            f"{width}x{height} batch {batch} is outside this engine's profile",
            why=f"it was built for {low.width}x{low.height} batch {low.batch} to "
            f"{high.width}x{high.height} batch {high.batch}",
            hint="widen the profile in detector.yaml and build again",
        )
    return size


def smallest_batch(manifest: EngineManifest) -> int:
    """The fewest pictures that the engine takes at once; shorter batches are filled up."""
    return manifest.profile.minimum.batch


def size_for_batch(manifest: EngineManifest, batch: int) -> InputSize:
    """A batch at the engine's best height and width. Raises UsageError if it does not take `batch`."""
    profile = manifest.profile
    size = InputSize(batch, profile.optimum.height, profile.optimum.width)
    if not profile.admits(size):
        raise UsageError(
            f"batch {batch} is outside what this engine takes: {profile.minimum.batch} to {profile.maximum.batch}",
            hint=f"another --batch, or profile: in detectors/{manifest.detector}/detector.yaml",
        )
    return size
