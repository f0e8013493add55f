"""The ONNX Runtime back end: what runs engines where there is no TensorRT. Building lies in ort_build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple, Union

import numpy as np
import onnxruntime

from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.tensors import TensorSpec
from edgekit.errors import EngineError
from edgekit.runtime.input_sizes import check_sizes
from edgekit.runtime.limits import usable_cpus

if TYPE_CHECKING:
    from edgekit.runtime.stages import Stages

_PROVIDERS = ["CPUExecutionProvider"]
_ERRORS_ONLY = 3
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(bool)": "bool",
}


class OrtEngine:
    """A session of ONNX Runtime on the CPU that takes only the sizes its manifest admits."""

    def __init__(self, session: onnxruntime.InferenceSession, manifest: EngineManifest) -> None:
        self.manifest = manifest
        self._session: Optional[onnxruntime.InferenceSession] = session
        self._output_names = [output.name for output in manifest.outputs]

    def infer(self, tensors: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Run one batch; see runtime.engines.Engine. Raises EngineError for sizes outside the profile."""
        if self._session is None:
            raise EngineError("this engine was closed")
        check_sizes(self.manifest, tensors)
        try:
            outputs = self._session.run(self._output_names, dict(tensors))
        except Exception as error:  # onnxruntime's own exceptions share no other base
            raise EngineError("the engine failed on a batch", why=first_line(error)) from error
        return dict(zip(self._output_names, outputs))

    def close(self) -> None:
        """Give back the session's memory."""
        self._session = None

    def stages(self, detector: DetectorSpec, batch: int) -> Optional[Stages]:
        """None: the CPU has no faster way than the host's stages around `infer`."""
        return None


def load(path: Path, manifest: EngineManifest, threads: int) -> OrtEngine:
    """Open an engine file. threads 0: every CPU this process may use. Raises EngineError if it cannot be opened."""
    try:
        # The file was optimised when it was built; doing so again would only cost time.
        session = open_session(str(path), optimise=onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, threads=threads)
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise EngineError(
            f"{path} cannot be loaded", why=first_line(error), hint=f"edgekit build {manifest.detector} --force"
        ) from error
    return OrtEngine(session, manifest)


def open_session(
    model: Union[str, bytes], *, optimise: Any, threads: int = 0, save_to: Optional[Path] = None
) -> onnxruntime.InferenceSession:
    """A session on the CPU for a model file or its bytes. save_to: where the optimised model is written.

    Raises whatever onnxruntime raises; its exceptions share no base but Exception.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = optimise
    options.intra_op_num_threads = threads or usable_cpus()
    # A thread that waits gives its core to the pipeline's other stages and to other programs (ADR 6).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if save_to is not None:
        options.optimized_model_filepath = str(save_to)
    return onnxruntime.InferenceSession(model, options, providers=_PROVIDERS)


def tensor_specs(values: Any) -> Tuple[TensorSpec, ...]:
    """The inputs or outputs of an ONNX Runtime session as TensorSpec. Names of dynamic sizes become None."""
    return tuple(
        TensorSpec(
            value.name,
            tuple(dim if isinstance(dim, int) and dim > 0 else None for dim in value.shape),
            _DTYPES.get(value.type, value.type),
        )
        for value in values
    )


def first_line(error: Exception) -> str:
    """The first line of an exception's text, cut to what fits a message."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
