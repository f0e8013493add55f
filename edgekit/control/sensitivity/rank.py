"""Which layers INT8 harms most: each is put into 8 bits alone, and it is measured what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.control.evaluation.bootstrap_interval import match, mean_ap
from edgekit.control.evaluation.truth import PictureTruth, Truth, make_truth
from edgekit.control.reference import ReferenceModel
from edgekit.control.sensitivity.layers import QuantisedModel
from edgekit.core.detector import DetectorSpec
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.postprocess import detections_from_outputs
from edgekit.core.progress import OnProgress
from edgekit.core.requests import PredictRequest
from edgekit.errors import VerifyError

# Of 63 layers six were known to be bad: 22 pictures put them first, 12 put one of them at the eighth place (ADR 21).
PICTURES = 24


@dataclass(frozen=True)
class LayerHarm:
    """harm: the share of mAP50-95 that is lost with this layer alone in 8 bits; noise may make it a little negative."""

    layer: str
    harm: float


def rank_layers(
    model: QuantisedModel, spec: DetectorSpec, truth: Truth, pictures: Sequence[Path], on_progress: OnProgress
) -> tuple[LayerHarm, ...]:
    """Every layer in 8 bits with its harm on some pictures of a truth, the worst first, equals in file order.

    mAP is measured, as engines are judged by it. Raw outputs mislead: boxes in pixels outweigh scores (ADR 21).
    Raises VerifyError where the model itself finds nothing of what the pictures show.
    """
    part = make_truth(truth.dataset, {path.name: truth.pictures[path.name] for path in pictures})
    whole = ReferenceModel(model.in_float(), spec)
    feeds = {path.name: whole.feeds(path) for path in pictures}
    best = _mean_ap(whole, spec, feeds, part)
    if best <= 0:
        raise VerifyError(
            f"the model finds nothing of what {len(pictures)} pictures show, so its layers cannot be compared",
            hint="use a set whose pictures show what the detector knows: --on SET",
        )
    found = []
    for done, layer in enumerate(model.layers):
        on_progress("ranking layers", done, len(model.layers))
        left = _mean_ap(ReferenceModel(model.alone(layer), spec), spec, feeds, part)
        found.append(LayerHarm(layer, round(1.0 - left / best, 6)))
    on_progress("ranking layers", len(model.layers), len(model.layers))
    return tuple(sorted(found, key=lambda one: -one.harm))


def _mean_ap(
    model: ReferenceModel, spec: DetectorSpec, feeds: Mapping[str, Mapping[str, np.ndarray]], truth: Truth
) -> float:
    asked = {name: getattr(PredictRequest, name) for name in ("confidence", "iou", "max_detections")}
    best, seen = spec.profile.optimum, {}
    for name, feed in feeds.items():
        size = truth.pictures[name].width_px, truth.pictures[name].height_px
        fit = GEOMETRIES[spec.input.geometry](*size, best.width, best.height)
        (found,) = detections_from_outputs(spec, model.answer(feed), [fit], **asked, multi_label=True)
        seen[name] = PictureTruth(*size, found)
    matches = match(truth, seen, len(spec.labels))
    return mean_ap(matches, np.ones(len(matches.names)))
