"""An engine over a folder of pictures: detections for accuracy, raw outputs for comparing engines."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import numpy as np

from edgekit.core.detector import DetectorSpec
from edgekit.core.device import DeviceProfile
from edgekit.core.letterbox import Fit
from edgekit.core.postprocess import detections_from_outputs
from edgekit.core.progress import OnProgress
from edgekit.core.requests import GoldenAnswer, GoldenRequest, PredictAnswer, PredictRequest
from edgekit.core.stats import summarise_latency
from edgekit.files import replacing
from edgekit.runtime.engines import Engine, load_engine
from edgekit.runtime.pictures import list_pictures, read_picture
from edgekit.runtime.preprocess import Preprocess, network_inputs


def run_predict(request: PredictRequest, profile: DeviceProfile, on_progress: OnProgress) -> PredictAnswer:
    """Detect on every picture of a folder and write JSON lines; see PredictRequest.

    Raises SourceError at the first unreadable picture: an accuracy over fewer pictures would not compare.
    """
    pictures = list_pictures(Path(request.images_dir))
    engine = load_engine(request.engine_dir, request.detector, profile, threads=request.threads)
    inference_ms: List[float] = []
    detections = 0
    try:
        with replacing(request.out_path) as temporary, temporary.open("w", encoding="utf-8") as lines:
            for path, fit, outputs in _runs(engine, request.detector, pictures, inference_ms, on_progress):
                (found,) = detections_from_outputs(
                    request.detector,
                    outputs,
                    [fit],
                    confidence=request.confidence,
                    iou=request.iou,
                    max_detections=request.max_detections,
                    multi_label=True,
                )
                detections += len(found)
                record = {
                    "image": path.name,
                    "width": fit.frame_width,
                    "height": fit.frame_height,
                    "detections": found.to_records(),
                }
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")
    finally:
        engine.close()
    summary = summarise_latency(inference_ms)
    assert summary is not None, "list_pictures gives at least one"
    return PredictAnswer(images=len(pictures), detections=detections, inference=summary)


def run_golden(request: GoldenRequest, profile: DeviceProfile, on_progress: OnProgress) -> GoldenAnswer:
    """Write the raw outputs for every picture of a folder; see GoldenRequest. Read with numpy.load, no pickle in it."""
    pictures = list_pictures(Path(request.images_dir))
    engine = load_engine(request.engine_dir, request.detector, profile, threads=request.threads)
    try:
        with replacing(request.out_path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            runs = _runs(engine, request.detector, pictures, [], on_progress)
            for index, (_, _, outputs) in enumerate(runs):
                for name, array in outputs.items():
                    with archive.open(f"{index}/{name}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
    finally:
        engine.close()
    return GoldenAnswer(images=len(pictures), outputs=tuple(output.name for output in engine.manifest.outputs))


def _runs(
    engine: Engine, detector: DetectorSpec, pictures: List[Path], inference_ms: List[float], on_progress: OnProgress
) -> Iterator[Tuple[Path, Fit, Dict[str, np.ndarray]]]:
    """(picture, its fit, raw outputs of batch item 0 alone) in order; inference times are appended."""
    best, inputs = detector.profile.optimum, engine.manifest.inputs
    preprocess = Preprocess(detector.input, best.height, best.width)
    # One picture at a time; an engine with a larger smallest batch gets copies, whose outputs are cut off again.
    batch = np.empty((detector.profile.minimum.batch, 3, best.height, best.width), np.float32)
    for done, path in enumerate(pictures):
        on_progress("pictures", done, len(pictures))
        fit = preprocess(read_picture(path), batch[0])
        batch[1:] = batch[0]
        started_s = time.perf_counter()
        outputs = engine.infer(network_inputs(detector, inputs, batch))
        inference_ms.append((time.perf_counter() - started_s) * 1000)
        yield path, fit, outputs
    on_progress("pictures", len(pictures), len(pictures))
