"""INT8 for ONNX Runtime: ranges from pictures, then Q/DQ around everything but the head's last layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from edgekit.core.detector import DetectorSpec
from edgekit.core.progress import OnProgress
from edgekit.core.tensors import TensorSpec
from edgekit.errors import BuildError, CalibrationError, SourceError
from edgekit.runtime.ort.graph import WEIGHTED_OPS, head_nodes
from edgekit.runtime.pictures import list_pictures, read_picture
from edgekit.runtime.preprocess import Preprocess, network_inputs

CALIBRATION_METHOD = CalibrationMethod.MinMax
ENOUGH_PICTURES = 300
# What lies between two convolutions stays in 8 bits as well: going to float and back costs more than it computes.
QUANTISED_OPS = sorted(
    WEIGHTED_OPS
    | {"Add", "Clip", "Concat", "LeakyRelu", "MaxPool", "Mul"}
    | {"Relu", "Reshape", "Resize", "Sigmoid", "Split", "Transpose"}
)


@dataclass(frozen=True)
class Ranges:
    """What calibration measured: ONNX Runtime's range of each tensor, from how many pictures, and what to know."""

    tensors: Any
    pictures: int
    warnings: Tuple[str, ...]


def calibrate(
    model_path: Path,
    inputs: Sequence[TensorSpec],
    detector: DetectorSpec,
    pictures_dir: Optional[str],
    work_dir: Path,
    on_progress: OnProgress,
) -> Ranges:
    """Run every picture of a folder through the float model and note each tensor's range.

    One batch is in memory at a time, whatever the set's size. Unreadable pictures are skipped with a warning.
    Raises CalibrationError if no picture is left.
    """
    pictures = _pictures(pictures_dir)
    feeds = _Feeds(pictures, inputs, detector, on_progress)
    calibrator = create_calibrator(
        model_path,
        QUANTISED_OPS,
        augmented_model_path=str(work_dir / "ranges.onnx"),
        calibrate_method=CALIBRATION_METHOD,
    )
    for feed in feeds:
        # One call for each batch: it folds the batch into the ranges. Given all at once it would keep every output in
        # memory, and CalibMaxIntermediateOutputs drops data instead of folding it (onnxruntime 1.19 to 1.31).
        calibrator.collect_data(_OneFeed(feed))
    used = len(pictures) - len(feeds.unreadable)
    if used == 0:
        raise CalibrationError(
            f"none of the {len(pictures)} pictures in {pictures_dir} can be read", why=feeds.unreadable[0]
        )
    return Ranges(calibrator.compute_data(), used, tuple(_warnings(used, feeds.unreadable)))


def quantise(
    model: onnx.ModelProto, ranges: Ranges, keep_float: Sequence[str], *, reduce_range: bool
) -> onnx.ModelProto:
    """The model with Q/DQ pairs: 8-bit activations, 8-bit weights with a scale for each output channel.

    The head's last layers and the nodes named in keep_float stay in float. reduce_range gives weights 7 bits, for CPUs
    whose 8-bit multiply-add saturates. The model is changed. Raises BuildError if ONNX Runtime cannot quantise it.
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
    return quantised


def _pictures(pictures_dir: Optional[str]) -> List[Path]:
    if pictures_dir is None:
        raise CalibrationError(
            "int8 needs calibration pictures", why="the request names no folder", hint="edgekit build --calibration SET"
        )
    try:
        return list_pictures(Path(pictures_dir))
    except SourceError as error:
        raise CalibrationError(f"the calibration set cannot serve: {error.what}", why=error.why) from None


def _warnings(used: int, unreadable: Sequence[str]) -> Iterator[str]:
    if used < ENOUGH_PICTURES:
        yield f"calibrated with {used} pictures; below {ENOUGH_PICTURES} the ranges are a guess"
    if unreadable:
        yield f"{len(unreadable)} calibration pictures were skipped, the first: {unreadable[0]}"


class _OneFeed(CalibrationDataReader):  # type: ignore[misc]
    """One batch in the form in which ONNX Runtime's calibrators ask for data."""

    def __init__(self, feed: Dict[str, np.ndarray]) -> None:
        self._feed: Optional[Dict[str, np.ndarray]] = feed

    def get_next(self) -> Optional[Dict[str, np.ndarray]]:
        feed, self._feed = self._feed, None
        return feed


class _Feeds:
    """The calibration pictures as network inputs, a batch at a time; gathers what could not be read."""

    def __init__(
        self, pictures: Sequence[Path], inputs: Sequence[TensorSpec], detector: DetectorSpec, on_progress: OnProgress
    ) -> None:
        self.unreadable: List[str] = []
        self._pictures, self._inputs, self._on_progress = pictures, inputs, on_progress
        self._detector = detector
        best = detector.profile.optimum
        self._preprocess = Preprocess(detector.input, best.height, best.width)
        declared = next(tensor for tensor in inputs if tensor.name == detector.input.name)
        self._images = np.empty((declared.shape[0] or 1, 3, best.height, best.width), np.float32)

    def __iter__(self) -> Iterator[Dict[str, np.ndarray]]:
        filled = 0
        for done, path in enumerate(self._pictures):
            self._on_progress("calibrating", done, len(self._pictures))
            try:
                self._preprocess(read_picture(path), self._images[filled])
            except SourceError as error:
                self.unreadable.append(f"{error.what}: {error.why}")
                continue
            filled += 1
            if filled == len(self._images):
                yield network_inputs(self._detector, self._inputs, self._images)
                filled = 0
        if filled:
            # A model with a fixed batch takes no less; repeating a picture moves no minimum or maximum.
            self._images[filled:] = self._images[filled - 1]
            yield network_inputs(self._detector, self._inputs, self._images)
        self._on_progress("calibrating", len(self._pictures), len(self._pictures))
