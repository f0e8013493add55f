"""NVIDIA ModelOpt, the other way to Q/DQ pairs, placed by what it knows of TensorRT's fusions. An optional package."""

from __future__ import annotations

import importlib
import logging
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Set

import numpy as np
import onnx

from edgekit.errors import BuildError
from edgekit.runtime.calibration_pictures import CalibrationPictures

METHODS = ("entropy", "max")

_Feed = Dict[str, np.ndarray]


def version() -> str:
    """The installed ModelOpt's version. Raises BuildError if there is none."""
    return str(_import("modelopt").__version__)


def quantise(
    model_path: Path,
    pictures: CalibrationPictures,
    feed: Callable[[np.ndarray], _Feed],
    kept: Set[str],
    method: str,
) -> onnx.ModelProto:
    """The model with ModelOpt's Q/DQ pairs, everything else in FP32; the nodes named in `kept` stay in float.

    feed turns a batch of pictures into network inputs. Pictures are read as ModelOpt asks for them. Raises BuildError
    if ModelOpt is missing or fails.
    """
    quantization = _import("modelopt.onnx.quantization")
    out_path = model_path.with_name("modelopt.onnx")
    logging.getLogger("modelopt").setLevel(logging.ERROR)
    try:
        quantization.quantize(
            str(model_path),
            quantize_mode="int8",
            calibration_method=method,
            calibration_data_reader=_Reader(pictures, feed),
            calibration_eps=["cpu"],
            # Its patterns are regular expressions that match from the start of a name.
            nodes_to_exclude=[f"{re.escape(name)}$" for name in sorted(kept)],
            high_precision_dtype="fp32",
            output_path=str(out_path),
            log_level="ERROR",
        )
    except Exception as error:  # onnxruntime, graphsurgeon and ModelOpt's own share no other base
        raise BuildError(
            "ModelOpt cannot quantise this model",
            why=f"{type(error).__name__}: {error}",
            hint="use the quantiser onnxruntime",
        ) from error
    return onnx.load(str(out_path))


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BuildError(
            "ModelOpt is not installed on this host",
            why=str(error),
            hint="pip install 'edgekit[quantisation]', or use the quantiser onnxruntime",
        ) from error


class _Reader:
    """The pictures in the form in which ModelOpt asks for data: one after the other, and again from the start."""

    def __init__(self, pictures: CalibrationPictures, feed: Callable[[np.ndarray], _Feed]) -> None:
        self._pictures, self._feed = pictures, feed
        self._left: Optional[Iterator[np.ndarray]] = None

    def get_next(self) -> Optional[_Feed]:
        if self._left is None:
            self._left = iter(self._pictures)
        images = next(self._left, None)
        return None if images is None else self._feed(images.copy())

    def get_first(self) -> _Feed:
        return self._feed(next(iter(self._pictures)).copy())

    def rewind(self) -> None:
        self._left = None
