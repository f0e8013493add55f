"""DeepStream's nvinfer: config_infer_primary.txt, and the README beside it.

Source of keys and values: NVIDIA, DeepStream developer guide, "Gst-nvinfer"; which rows a parser reads:
marcoslucianops/DeepStream-Yolo, nvdsinfer_custom_impl_Yolo/nvdsparsebbox_Yolo.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.detector import InputSpec
from edgekit.core.layouts import find_layout
from edgekit.errors import UsageError
from edgekit.report.exports.served import (
    ServedModel,
    answer_lines,
    labels_text,
    origin_lines,
    preprocessing_lines,
    size_line,
)

CONFIG_NAME = "config_infer_primary.txt"

_NETWORK_MODES = {"fp32": 0, "int8": 1, "fp16": 2}
_SUPPRESS, _KEEP_ALL = 2, 4  # cluster-mode: non-maximum suppression, none
_DETECTOR, _OTHER = 0, 100  # network-type
_ROW = 6  # x1, y1, x2, y2, score, class


@dataclass(frozen=True)
class Parser:
    """A function that makes objects of raw outputs. None of them comes with edgekit, nor with DeepStream."""

    function: str
    library: str
    home: str


DEEPSTREAM_YOLO = Parser(
    "NvDsInferParseYolo", "libnvdsinfer_custom_impl_Yolo.so", "https://github.com/marcoslucianops/DeepStream-Yolo"
)


@dataclass(frozen=True)
class Building:
    """How nvinfer is to build an engine of an ONNX file. workspace_mib None: its own default."""

    precision: str = "fp16"
    workspace_mib: int | None = None


def parser_for(model: ServedModel) -> Parser | None:
    """The parser that reads these outputs as they are, None if we know of none.

    DeepStream-Yolo's takes one float32 output of rows x1, y1, x2, y2, score, class; what its own exporters write.
    """
    known = model.detector.layout in ("deepstream-yolo", "yolo-end2end")
    rows = [spec for spec in model.outputs if spec.shape[-1] == _ROW and spec.dtype == "float32"]
    return DEEPSTREAM_YOLO if known and len(rows) == len(model.outputs) == 1 else None


def deepstream_files(model: ServedModel, building: Building) -> dict[str, str]:
    """The texts of the folder, by name. Raises UsageError for what nvinfer cannot feed."""
    check_feedable(model)
    return {
        CONFIG_NAME: config_text(model, building),
        "labels.txt": labels_text(model.detector),
        "README.md": readme_text(model, building),
    }


def check_feedable(model: ServedModel) -> None:
    """Raise UsageError unless nvinfer can prepare pictures as this model wants them."""
    sides, given = model.side_inputs, model.detector.input
    if sides:
        raise UsageError(
            f"nvinfer feeds pictures and nothing else; {model.name} also wants {', '.join(map(str, sides))}",
            hint="export the model without that input, for instance with DeepStream-Yolo's utils/export_*.py",
        )
    if model.picture.dtype != "float32":
        raise UsageError(f"nvinfer feeds float32; {model.name} wants {model.picture}")
    if len(set(given.std)) > 1:
        raise UsageError(
            f"nvinfer has one scale for all channels; {model.name} divides them by {given.std}",
            why="its net-scale-factor is a single number",
            hint="export the model with the division inside it",
        )


def normalisation(given: InputSpec) -> tuple[float, tuple[float, ...]]:
    """(net-scale-factor, offsets): nvinfer's y = net-scale-factor * (x - offset) is our (x * scale - mean) / std."""
    return given.scale / given.std[0], tuple(mean / given.scale for mean in given.mean)


def config_text(model: ServedModel, building: Building) -> str:
    """config_infer_primary.txt."""
    parser, spec = parser_for(model), model.detector
    size = model.profile.optimum
    keys = [
        "[property]",
        "gpu-id=0",
        *_normalisation_keys(spec.input),
        f"model-color-format={0 if spec.input.colour == 'rgb' else 1}",
        *_geometry_keys(spec.input.geometry),
        f"infer-dims=3;{size.height};{size.width}",
        f"batch-size={model.profile.maximum.batch}",
        *_model_keys(model, building),
        "labelfile-path=labels.txt",
        f"num-detected-classes={len(spec.labels)}",
        "process-mode=1",
        "gie-unique-id=1",
        "interval=0",
        f"cluster-mode={_SUPPRESS if find_layout(spec.layout).needs_nms else _KEEP_ALL}",
        *_parser_keys(model, parser),
        "",
        "[class-attrs-all]",
        f"pre-cluster-threshold={spec.confidence:g}",
        *([f"nms-iou-threshold={spec.iou:g}"] if find_layout(spec.layout).needs_nms else []),
        f"topk={spec.max_detections}",
    ]
    return "\n".join(keys) + "\n"


def _normalisation_keys(given: InputSpec) -> list[str]:
    factor, offsets = normalisation(given)
    keys = [f"net-scale-factor={factor:.17g}"]
    return keys + ([f"offsets={';'.join(f'{offset:.9g}' for offset in offsets)}"] if any(offsets) else [])


def _geometry_keys(geometry: str) -> list[str]:
    keeps, centred = geometry != "stretch", geometry == "letterbox"
    return [f"maintain-aspect-ratio={int(keeps)}", f"symmetric-padding={int(centred)}"]


def _model_keys(model: ServedModel, building: Building) -> list[str]:
    if model.engine is not None:
        core = model.dla_core
        return [
            f"model-engine-file={model.file_name}",
            f"network-mode={_NETWORK_MODES[model.engine.precision]}",
            *([] if core is None else ["enable-dla=1", f"use-dla-core={core}"]),
        ]
    workspace = building.workspace_mib
    batch, precision = model.profile.maximum.batch, building.precision
    return [
        f"onnx-file={model.file_name}",
        # The name under which nvinfer keeps what it has built; it is looked for there at the next start.
        f"model-engine-file={model.file_name}_b{batch}_gpu0_{precision}.engine",
        f"network-mode={_NETWORK_MODES[precision]}",
        *([] if workspace is None else ["# in MB", f"workspace-size={workspace}"]),
    ]


def _parser_keys(model: ServedModel, parser: Parser | None) -> list[str]:
    if parser is not None:
        return [
            f"network-type={_DETECTOR}",
            f"# {parser.library} is NOT in this folder: build it from {parser.home}",
            f"parse-bbox-func-name={parser.function}",
            f"custom-lib-path={parser.library}",
        ]
    return [
        f"# No parser that we know of reads layout {model.detector.layout}, see README.md: nvinfer makes no objects",
        "# of it and hands the raw tensors (NvDsInferTensorMeta) to your application.",
        f"network-type={_OTHER}",
        "output-tensor-meta=1",
        f"# With a parser of your own, instead of these two lines: network-type={_DETECTOR} and",
        "# parse-bbox-func-name=YOUR_FUNCTION",
        "# custom-lib-path=YOUR_LIBRARY.so",
    ]


def warnings(model: ServedModel) -> list[str]:
    """What DeepStream will do otherwise than edgekit, or not at all."""
    spec, found = model.detector, []
    if parser_for(model) is None:
        found.append(
            f"no known parser library reads layout {spec.layout}: nvinfer will make no objects of it by itself; "
            f"re-export the weights with {DEEPSTREAM_YOLO.home} (utils/export_*.py), whose {DEEPSTREAM_YOLO.function} "
            "reads what they write, or decode the raw tensors in your application"
        )
    else:
        found.append(f"the parser library {DEEPSTREAM_YOLO.library} is not included; build it: {DEEPSTREAM_YOLO.home}")
    if spec.input.geometry != "stretch" and spec.input.border:
        found.append(
            f"nvinfer fills what the picture leaves free with black, the model knows grey {spec.input.border}: "
            "measure the accuracy there, do not take edgekit's figures for it"
        )
    if spec.class_agnostic_nms and find_layout(spec.layout).needs_nms:
        found.append("nvinfer suppresses within each class, the detector wants it among all classes")
    if model.profile.minimum != model.profile.maximum and model.profile.minimum.batch > 1:
        found.append(f"the engine takes no fewer than {model.profile.minimum.batch} pictures at a time")
    return found


def readme_text(model: ServedModel, building: Building) -> str:
    """What nobody is to guess: where it runs, what is missing, what DeepStream does otherwise."""
    lines = [
        f"# {model.name} for DeepStream (nvinfer)",
        "",
        *origin_lines(model),
        *_build_lines(model, building),
        *([f"It needs plugin libraries from elsewhere: {', '.join(model.plugins)}."] if model.plugins else []),
        "",
        "## What is missing, or different",
        *(f"- {_sentence(line)}" for line in warnings(model)),
        "- `topk` is for each class; edgekit's limit is for a picture.",
        "",
        *_parser_lines(model),
        "## A picture goes in",
        f"{size_line(model)} nvinfer does this by the keys in `{CONFIG_NAME}`, but for the rounding and the border:",
        "",
        *preprocessing_lines(model),
        "## What comes out",
        *answer_lines(model),
        "",
        "## Using it",
        f"Give `config-file-path={CONFIG_NAME}` to nvinfer, or name it under `[primary-gie]` of deepstream-app.",
        f"Paths in it are relative to it. `batch-size` is {model.profile.maximum.batch}, the most this model takes.",
    ]
    return "\n".join(lines).rstrip() + "\n"


def _build_lines(model: ServedModel, building: Building) -> list[str]:
    if model.engine is not None:
        return ["There is no onnx-file in the configuration: a plan that does not fit is to fail, not to be rebuilt."]
    return [
        f"nvinfer builds an {building.precision.upper()} engine of it at its first start, and keeps it if it may write",
        "into this folder.",
    ]


def _parser_lines(model: ServedModel) -> list[str]:
    if parser_for(model) is not None:
        return [
            "The parser must be one that reads a single output of rows x1 y1 x2 y2 score class: DeepStream-Yolo's has",
            "done so since 2024; earlier ones expect boxes, scores and classes apart.",
            "",
        ]
    return [
        "DeepStream-Yolo's `NvDsInferParseYolo` is what people use for YOLO, but it reads only what its own",
        "`utils/export_*.py` write, one output of rows x1 y1 x2 y2 score class: on this model it would read garbage.",
        "Export the weights with them (layout `deepstream-yolo`), or end to end (`yolo-end2end`, the same rows), make",
        "that file the detector's model, and export again.",
        "",
    ]


def _sentence(text: str) -> str:
    return (text if text.startswith("nvinfer") else text[0].upper() + text[1:]) + "."
