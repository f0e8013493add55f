"""INT8 for ONNX Runtime: ranges from pictures, then Q/DQ around everything but the head's last layers."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, ContextManager, Dict, Iterable, Optional, Sequence, Set, Tuple

import numpy as np
import onnx
from onnxruntime import GraphOptimizationLevel
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import EntropyCalibrater, MinMaxCalibrater, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from edgekit.core.detector import DetectorSpec
from edgekit.core.progress import OnProgress
from edgekit.core.tensors import TensorSpec
from edgekit.errors import BuildError, CalibrationError
from edgekit.runtime.calibration_pictures import CalibrationPictures
from edgekit.runtime.ort.engine import open_session
from edgekit.runtime.ort.graph import QUANTISED_OPS, WEIGHTED_OPS, head_nodes
from edgekit.runtime.ort.histograms import Histogram
from edgekit.runtime.ort.kept import read_floats
from edgekit.runtime.preprocess import network_inputs

CALIBRATION_METHOD = CalibrationMethod.MinMax
# The share of a tensor's values that a percentile range holds; the rest is cut off. ONNX Runtime's own default.
_SHARE = 0.99999
# As TensorRT's entropy calibrator: 2048 bins of which the best 128 or more are kept.
_ENTROPY_BINS = {"num_bins": 2048, "num_quantized_bins": 128, "symmetric": True}


@dataclass(frozen=True)
class Ranges:
    """What calibration measured: ONNX Runtime's range of each tensor, from how many pictures, and what to know."""

    tensors: Any
    pictures: int
    warnings: Tuple[str, ...]

    def largest(self, name: str) -> float:
        """The largest absolute value of a tensor that is to keep a number of its own."""
        return float(np.abs(np.asarray(self.tensors[name].range_value, np.float64)).max())


def calibrate(
    model_path: Path,
    inputs: Sequence[TensorSpec],
    detector: DetectorSpec,
    pictures_dir: Optional[str],
    work_dir: Path,
    on_progress: OnProgress,
    *,
    method: CalibrationMethod = CALIBRATION_METHOD,
    tensors: Optional[Set[str]] = None,
) -> Ranges:
    """Run every picture of a folder through the float model and note each tensor's range.

    tensors: those to measure; by default whatever QUANTISED_OPS touch. One batch is in memory at a time, whatever the
    set's size. Unreadable pictures are skipped with a warning. Raises CalibrationError if no picture is left, or if
    the model answers with NaN or infinity.
    """
    declared = next(tensor for tensor in inputs if tensor.name == detector.input.name)
    pictures = CalibrationPictures(pictures_dir, detector, declared.shape[0] or 1, on_progress)
    feeds = (network_inputs(detector, inputs, images) for images in pictures)
    found = measure_ranges(model_path, feeds, work_dir, method=method, tensors=tensors)
    return Ranges(found, pictures.used, pictures.warnings)


def measure_ranges(
    model_path: Path,
    feeds: Iterable[Dict[str, np.ndarray]],
    work_dir: Path,
    *,
    method: CalibrationMethod = CALIBRATION_METHOD,
    tensors: Optional[Set[str]] = None,
) -> Any:
    """ONNX Runtime's TensorsData of the named tensors, folded over network inputs given one batch at a time.

    The model must have passed shape inference. Raises CalibrationError for values that are not finite.
    """
    if method == CalibrationMethod.Percentile:
        assert tensors is not None, "percentiles are taken of named tensors"
        return _checked(_percentiles(model_path, feeds, tensors))
    calibrator = _calibrator(model_path, str(work_dir / "ranges.onnx"), method, tensors)
    for feed in feeds:
        # One call for each batch: it folds the batch into the ranges. Given all at once it would keep every output in
        # memory, and CalibMaxIntermediateOutputs drops data instead of folding it (onnxruntime 1.19 to 1.31).
        with _prints_to_log():
            calibrator.collect_data(_OneFeed(feed))
    with _prints_to_log():
        found = calibrator.compute_data()
    return _checked(found)


def _prints_to_log() -> ContextManager[Any]:
    """What ONNX Runtime prints while this is held goes to standard error: standard output is for answers."""
    return contextlib.redirect_stdout(sys.stderr)


def _percentiles(model_path: Path, feeds: Iterable[Dict[str, np.ndarray]], tensors: Set[str]) -> TensorsData:
    """Symmetric ranges without the rarest values. ONNX Runtime's own histograms sort every tensor of every picture."""
    names = sorted(tensors)
    model = onnx.load(str(model_path))
    values, given = _values(model), {value.name for value in model.graph.output}
    inputs = {value.name for value in model.graph.input}
    model.graph.output.extend(values[name] for name in names if name not in given | inputs)
    session = open_session(model.SerializeToString(), optimise=GraphOptimizationLevel.ORT_ENABLE_BASIC)
    computed = [name for name in names if name not in inputs]
    histograms = {name: Histogram() for name in names}
    for feed in feeds:
        for name in inputs & set(names):
            histograms[name].add(feed[name])
        for name, array in zip(computed, session.run(computed, feed)):
            histograms[name].add(array)
    tops = {name: np.float32(histogram.reaching(_SHARE)) for name, histogram in histograms.items()}
    return TensorsData(CalibrationMethod.MinMax, {name: (-top, top) for name, top in tops.items()})


def _checked(found: TensorsData) -> TensorsData:
    strange = sorted(name for name, measured in found.items() if not np.isfinite(measured.range_value).all())
    if strange:
        raise CalibrationError(
            f"the model gives NaN or infinity in {len(strange)} tensors, the first: {strange[0]}",
            why="no INT8 scale can be taken from that",
            hint="look for damaged weights, or mean, std and scale of the input that do not fit the model",
        )
    return found


def _calibrator(model_path: Path, twin_path: str, method: CalibrationMethod, tensors: Optional[Set[str]]) -> Any:
    if method == CalibrationMethod.Entropy:
        calibrator = EntropyCalibrater(model_path, QUANTISED_OPS, augmented_model_path=twin_path, **_ENTROPY_BINS)
    else:
        calibrator = MinMaxCalibrater(model_path, QUANTISED_OPS, augmented_model_path=twin_path)
    if tensors is not None:
        calibrator.select_tensors_to_calibrate = lambda model: (tensors, _values(model))
    calibrator.augment_graph()
    calibrator.create_inference_session()
    return calibrator


def _values(model: onnx.ModelProto) -> Dict[str, onnx.ValueInfoProto]:
    graph = model.graph
    return {value.name: value for value in [*graph.value_info, *graph.output, *graph.input]}


def quantise(
    model: onnx.ModelProto, ranges: Ranges, keep_float: Collection[str], *, reduce_range: bool
) -> onnx.ModelProto:
    """The model with Q/DQ pairs: 8-bit activations, 8-bit weights with a scale for each output channel.

    The head's last layers and the nodes named in keep_float stay in float; the latter also read floats. reduce_range
    gives weights 7 bits, for CPUs whose 8-bit multiply-add saturates. The model is changed. Raises BuildError if ONNX
    Runtime cannot quantise it.
    """
    kept: Set[str] = head_nodes(model.graph) | set(keep_float)
    chosen = [node.name for node in model.graph.node if node.op_type in QUANTISED_OPS and node.name not in kept]
    if not any(node.op_type in WEIGHTED_OPS and node.name not in kept for node in model.graph.node):
        raise BuildError(
            "nothing in this model can be quantised",
            why="every weighted layer is a last layer of the head or kept in float",
        )
    try:
        quantiser = QDQQuantizer(
            model, True, reduce_range, QuantType.QInt8, QuantType.QUInt8, ranges.tensors, chosen, [], QUANTISED_OPS, {}
        )
        quantiser.quantize_model()
    except (ValueError, KeyError, IndexError, RuntimeError, AssertionError, AttributeError, TypeError) as error:
        raise BuildError(
            "ONNX Runtime cannot quantise this model",
            why=f"{type(error).__name__}: {error}",
            hint="build with --precision fp32, or name the node in keep_float",
        ) from error
    quantised: onnx.ModelProto = quantiser.model.model
    read_floats(quantised, set(keep_float))
    return quantised


class _OneFeed(CalibrationDataReader):  # type: ignore[misc]
    """One batch in the form in which ONNX Runtime's calibrators ask for data."""

    def __init__(self, feed: Dict[str, np.ndarray]) -> None:
        self._feed: Optional[Dict[str, np.ndarray]] = feed

    def get_next(self) -> Optional[Dict[str, np.ndarray]]:
        feed, self._feed = self._feed, None
        return feed
