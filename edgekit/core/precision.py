"""How an engine gets its precision: decided from the TensorRT release on the target, not from the one at hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

from edgekit.errors import BuildError

# Measured, see bench/results: the route that "auto" takes where both work.
_PREFERRED = "explicit"
_FIRST_WITH_ROUTES = (8, 4)
_CALIBRATOR_FAILS = (10, 3)  # JetPack 6.1 and 6.2
_TYPED_FROM = (11, 0)
_WITHOUT_INT8 = (53, 62)  # Nano, TX2


@dataclass(frozen=True)
class Route:
    """name: "plain" (no INT8 to make), "calibrator" (TensorRT measures ranges on the device), "explicit" (Q/DQ pairs
    put into the model on the host) or "trained" (the model brings its own Q/DQ pairs).

    typed: this TensorRT takes every layer's type from the model, so FP16 too is put in on the host.
    """

    name: str
    typed: bool
    why: str

    def prepares_model(self, precision: str) -> bool:
        """True if the host makes another model file before the device builds."""
        return self.name == "explicit" or (self.typed and precision != "fp32")


def check_precision(precision: str, backend: str) -> None:
    """Raise BuildError for a precision that a back end does not build."""
    if precision == "fp16" and backend == "onnxruntime":
        raise BuildError(
            "fp16 is not built on this device",
            why="ONNX Runtime computes FP16 models on a CPU by way of FP32, which is slower than FP32 itself",
            hint="use --precision fp32 or int8",
        )


def choose_route(
    precision: str, tensorrt_version: str, *, sm: Optional[int], trained: bool, wanted: str = "auto"
) -> Route:
    """The route for a precision on a target.

    trained: the model holds Q/DQ pairs already. wanted: "auto", "calibrator" or "explicit".
    Raises BuildError where the target cannot do what is asked.
    """
    release = parse_release(tensorrt_version)
    typed = release >= _TYPED_FROM
    if trained:
        _check_trained(sm, wanted)
        return Route("trained", typed, "the model was trained for INT8 and brings its own scales")
    if precision != "int8":
        return Route("plain", typed, f"{precision.upper()} needs no scales")
    _check_int8(sm, "use --precision fp16")
    refusal = _calibrator_refusal(release)
    if wanted == "calibrator" and refusal:
        raise BuildError("the calibrator cannot be used on this device", why=refusal, hint="use --route explicit")
    if wanted == "auto" and refusal:
        return Route("explicit", typed, refusal)
    if wanted == "auto":
        return Route(_PREFERRED, typed, "the better of the two routes by measurement")
    return Route(wanted, typed, "as asked")


def parse_release(version: str) -> Tuple[int, int]:
    """(major, minor) of a TensorRT version such as "8.5.2.2". Raises BuildError if it is none."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        raise BuildError(f"{version!r} is no TensorRT version", hint="edgekit doctor")
    return int(found.group(1)), int(found.group(2))


def _check_trained(sm: Optional[int], wanted: str) -> None:
    """A model with Q/DQ pairs computes in INT8 at any precision, by its own scales."""
    _check_int8(sm, "use the model as it was before it was trained for INT8")
    if wanted == "calibrator":
        raise BuildError(
            "the calibrator cannot be used on this model",
            why="it was trained for INT8 and brings its own scales",
            hint="use --route auto",
        )


def _check_int8(sm: Optional[int], hint: str) -> None:
    if sm is not None and sm in _WITHOUT_INT8:
        raise BuildError(
            f"int8 is not built for compute capability {sm / 10:.1f}",
            why="this GPU has no fast 8-bit arithmetic",
            hint=hint,
        )


def _calibrator_refusal(release: Tuple[int, int]) -> str:
    """Why a release has no working calibrator, "" if it has."""
    if release >= _TYPED_FROM:
        return "TensorRT 11 has no calibrators and takes types from the model"
    if release == _CALIBRATOR_FAILS:
        return "builds with a calibrator fail in TensorRT 10.3"
    if release < _FIRST_WITH_ROUTES:
        return "edgekit uses calibrators from TensorRT 8.4 on"
    return ""
