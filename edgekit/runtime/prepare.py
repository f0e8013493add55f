"""Verb `prepare`, answered on the host's own machine; see edgekit.runtime.ort.prepare, which does the work."""

from __future__ import annotations

from edgekit.core.progress import OnProgress
from edgekit.core.requests import PrepareAnswer, PrepareRequest
from edgekit.errors import BuildError


def run_prepare(request: PrepareRequest, on_progress: OnProgress) -> PrepareAnswer:
    """Make the model file that TensorRT is to build from. Raises BuildError where ONNX Runtime is not installed."""
    try:
        from edgekit.runtime.ort import prepare
    except ImportError as error:
        raise BuildError(
            "models are prepared for TensorRT with onnx and onnxruntime, which this computer lacks",
            why=str(error),
            hint="pip install 'edgekit[local]'",
        ) from None
    return prepare.run_prepare(request, on_progress)
