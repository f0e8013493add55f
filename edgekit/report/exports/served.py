"""A model that another program is to serve, and in words what that program has to do before and after it."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.detector import DetectorSpec
from edgekit.core.engine import EngineManifest
from edgekit.core.engine_key import parse_engine_key
from edgekit.core.layouts import find_layout
from edgekit.core.letterbox import GEOMETRIES
from edgekit.core.tensors import InputSize, ShapeProfile, TensorSpec

_EXAMPLE_WIDTH, _EXAMPLE_HEIGHT = 1920, 1080

_FITS = {
    "letterbox": (
        "r = min(H / h, W / w)",
        "resize to (round(w * r), round(h * r)), halves to even, at least 1 px; bilinear",
        "left = round((W - resized width) / 2 - 0.1), top = round((H - resized height) / 2 - 0.1)",
    ),
    "top-left": (
        "r = min(H / h, W / w)",
        "resize to (floor(w * r), floor(h * r)), at least 1 px; bilinear",
        "left = 0, top = 0: what is free lies right or below",
    ),
    "stretch": ("resize to (W, H) without keeping the frame's shape; bilinear",),
}


@dataclass(frozen=True)
class ServedModel:
    """What is served. engine: the manifest of a TensorRT plan; None: the ONNX file of the detector itself."""

    detector: DetectorSpec
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    engine: EngineManifest | None = None
    dla_core: int | None = None
    plugins: tuple[str, ...] = ()  # libraries that the plan needs, by their path on the device it is from

    @property
    def name(self) -> str:
        """The detector's."""
        return self.detector.name

    @property
    def file_name(self) -> str:
        """model.plan or model.onnx."""
        return "model.onnx" if self.engine is None else "model.plan"

    @property
    def profile(self) -> ShapeProfile:
        """The sizes that it takes: an engine's own, else those that the detector is to be used with."""
        return self.detector.profile if self.engine is None else self.engine.profile

    @property
    def picture(self) -> TensorSpec:
        """The input that takes pictures."""
        return next(spec for spec in self.inputs if spec.name == self.detector.input.name)

    @property
    def side_inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs beside it."""
        return tuple(spec for spec in self.inputs if spec.name != self.detector.input.name)


def labels_text(detector: DetectorSpec) -> str:
    """labels.txt: one name a line, the first is class 0."""
    return "".join(f"{label}\n" for label in detector.labels)


def origin_lines(model: ServedModel) -> list[str]:
    """What the file is, and where alone it runs."""
    engine = model.engine
    if engine is None:
        return [
            f"`{model.file_name}` is the detector's own ONNX file, as it is; SHA-256 {model.detector.model_sha256}.",
            "It belongs to no device and no release of a library.",
        ]
    return [
        f"`{model.file_name}` is a TensorRT plan, engine {engine.engine_id}, {engine.precision.upper()}, "
        f"built {engine.created_utc}; SHA-256 {engine.file_sha256}.",
        f"**It runs on this and nothing else: {built_for(engine.engine_key)}.** TensorRT refuses it elsewhere, or "
        "warns that it may be slow or fail. For another device export from that device.",
        *_calibration(engine),
        f"Made from the ONNX file with SHA-256 {engine.model_sha256}.",
    ]


def built_for(key: str) -> str:
    """An engine key in words."""
    parts = parse_engine_key(key)
    if parts is None:
        return key
    gpu = f", compute capability {parts.sm // 10}.{parts.sm % 10}" if parts.sm else ""
    cpu = f", {parts.cpu} instructions" if parts.cpu else ""
    l4t = f", Jetson Linux {parts.l4t}" if parts.l4t else ""
    return f"{parts.module}{gpu}{cpu}, {parts.backend_name}{l4t}"


def backend_of(key: str) -> str:
    """The library that an engine key names: "TensorRT 10.3.0"."""
    parts = parse_engine_key(key)
    return key if parts is None else parts.backend_name


def _calibration(engine: EngineManifest) -> list[str]:
    if engine.precision != "int8":
        return []
    pictures = f" from {engine.calibration_images} pictures" if engine.calibration_images else ""
    return [f"{engine.layers_quantised} of {engine.layers_total} layers compute in INT8, with scales{pictures}."]


def preprocessing_lines(model: ServedModel) -> list[str]:
    """Numbered steps from a frame of w x h pixels to the input of W x H, and an example to check one's code by."""
    given = model.detector.input
    steps = [
        *_FITS[given.geometry],
        *([] if given.geometry == "stretch" else [f"what the picture leaves free is grey {given.border} of 255"]),
        f"channels in the order {given.colour.upper()}",
        _scaling(model),
        f"channels first, {model.picture.dtype}, as input `{given.name}` {_dims(model.picture)}",
    ]
    return [
        *(f"{number}. {step}" for number, step in enumerate(steps, start=1)),
        "",
        _example(model),
        "",
        *_side_lines(model),
    ]


def _scaling(model: ServedModel) -> str:
    given = model.detector.input
    parts = [f"value = byte * {given.scale:.10g}"]
    if any(given.mean):
        parts.append(f"minus the mean {_listed(given.mean)}")
    if any(value != 1 for value in given.std):
        parts.append(f"divided by {_listed(given.std)}")
    return ", ".join(parts) + (f", by channel in the order {given.colour.upper()}" if len(parts) > 1 else "")


def _example(model: ServedModel) -> str:
    size = model.profile.optimum
    fit = GEOMETRIES[model.detector.input.geometry](_EXAMPLE_WIDTH, _EXAMPLE_HEIGHT, size.width, size.height)
    return (
        f"A frame of {fit.frame_width} x {fit.frame_height} in an input of {size.width} x {size.height} becomes "
        f"{fit.resized_width} x {fit.resized_height}, its corner at left {fit.left}, top {fit.top}. Boxes go back by "
        f"x = (x - {fit.left}) / {fit.scale_x:.8g}, y = (y - {fit.top}) / {fit.scale_y:.8g}, then clipped to the frame."
    )


def _side_lines(model: ServedModel) -> list[str]:
    """What the inputs beside the pictures are to hold."""
    size = model.profile.optimum
    sides = find_layout(model.detector.layout).side_inputs(1, size.width, size.height)
    known = [spec for spec in model.side_inputs if spec.name in sides]
    return [
        f"`{spec.name}` {_dims(spec)} {spec.dtype} is {sides[spec.name][0].tolist()} for every picture, whatever the "
        "frame's size: boxes are then in pixels of the input."
        for spec in known
    ]


def answer_lines(model: ServedModel) -> list[str]:
    """The outputs, and what is to be done with them."""
    detector = model.detector
    layout = find_layout(detector.layout)
    kept = f"Keep scores of at least {detector.confidence:g}"
    if layout.needs_nms:
        among = "all boxes" if detector.class_agnostic_nms else "the boxes of each class"
        kept += f", then suppress among {among} those that overlap a better one by more than IoU {detector.iou:g}"
    return [
        *(f"- `{spec.name}` {_dims(spec)} {spec.dtype}" for spec in model.outputs),
        "",
        f"Layout `{layout.name}`: {layout.description}.",
        f"{kept}; at most {detector.max_detections} in a picture are of use."
        + ("" if layout.needs_nms else " Nothing is to be suppressed: the model has seen to that."),
        f"Boxes are those of the input of W x H; `labels.txt` names the {len(detector.labels)} classes, from 0.",
    ]


def size_line(model: ServedModel) -> str:
    """Which sizes it takes."""
    low, high = model.profile.minimum, model.profile.maximum
    if low == high:
        return f"It takes exactly {_size(low)}."
    return f"It takes {_size(low)} to {_size(high)}, and is tuned for {_size(model.profile.optimum)}."


def _size(size: InputSize) -> str:
    return f"{size.batch} x 3 x {size.height} x {size.width}"


def _dims(spec: TensorSpec) -> str:
    return "(" + ", ".join("any" if dim is None else str(dim) for dim in spec.shape) + ")"


def _listed(values: tuple[float, float, float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
