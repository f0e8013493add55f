"""detectors/<name>/detector.yaml: its keys and their limits. `detectors` joins it with the model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgekit.control.yaml_files import Section

_Side = Annotated[int, Field(ge=32, le=8192)]
Size = tuple[_Side, _Side]
_Unit = Annotated[float, Field(ge=0, le=1)]
_Triple = tuple[float, float, float]
_Positive = Annotated[float, Field(gt=0)]


class InputSection(Section):
    """How a frame becomes the input; what is left out comes from the layout."""

    size: Size | None = None  # height, width
    geometry: Literal["letterbox", "top-left", "stretch"] | None = None
    colour: Literal["rgb", "bgr"] | None = None
    scale: float | None = Field(default=None, gt=0)
    mean: _Triple | None = None
    std: tuple[_Positive, _Positive, _Positive] | None = None
    border: int | None = Field(default=None, ge=0, le=255)


class ThresholdsSection(Section):
    """What is reported of what the network finds."""

    confidence: _Unit = 0.25
    iou: _Unit = 0.45
    max_detections: int = Field(default=300, ge=1, le=100_000)


class BatchRange(Section):
    """Pictures in one run."""

    min: int = Field(default=1, ge=1, le=1024)
    opt: int = Field(default=1, ge=1, le=1024)
    max: int = Field(default=1, ge=1, le=1024)


class SizeRange(Section):
    """Input sizes, each [height, width] in pixels."""

    min: Size
    opt: Size
    max: Size


class ProfileSection(Section):
    """The sizes that an engine is built for."""

    batch: BatchRange = BatchRange()
    size: SizeRange | None = None


class DetectorDocument(Section):
    """detector.yaml as a whole. Paths are relative to its folder."""

    model: str = "model.onnx"
    export: str = ""
    input: InputSection = InputSection()
    layout: str | None = None
    labels: str | tuple[str, ...] | dict[str, str] | None = None
    thresholds: ThresholdsSection = ThresholdsSection()
    class_agnostic_nms: bool = False
    profile: ProfileSection | None = None
    calibration: str | None = None
    frozen: str | None = None
    keep_float: tuple[str, ...] = ()  # nodes of the model that INT8 engines compute in float
    allow_domains: tuple[str, ...] = ()
