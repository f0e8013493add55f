"""detectors/<name>/detector.yaml + its ONNX file -> a detector that device code can run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.control.detector_yaml import BatchRange, DetectorDocument, InputSection, ProfileSection, Size
from edgekit.control.onnx_model import ModelFacts, inspect_onnx
from edgekit.control.project import Project
from edgekit.control.sensitivity.keep_float import keep_float_problems
from edgekit.control.yaml_files import known_names, load_yaml
from edgekit.core.detector import DetectorSpec, InputSpec
from edgekit.core.labels import labels_from_mapping, parse_labels_txt, parse_names_literal
from edgekit.core.layouts import count_classes, find_layout, identify_layout
from edgekit.core.tensors import InputSize, ShapeProfile, TensorSpec
from edgekit.errors import ConfigError, EdgekitError, LayoutError, ModelError, NotFoundError, UsageError

DETECTOR_FILE = "detector.yaml"
_PICTURE_DTYPES = ("float32", "float16")


@dataclass(frozen=True)
class Detector:
    """A detector ready for use. calibration and frozen are names of sets in calib_sets/.

    keep_float: nodes of the model that INT8 engines compute in float, beside those that always stay so; sorted.
    """

    spec: DetectorSpec
    folder: Path
    model_path: Path
    facts: ModelFacts
    calibration: str | None
    frozen: str | None
    warnings: tuple[str, ...]
    keep_float: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.spec.name


@dataclass(frozen=True)
class DetectorState:
    """One line of `edgekit detectors`. state: "ready", "model missing" or "broken"; error is None when ready."""

    name: str
    state: str
    detector: Detector | None
    error: EdgekitError | None


def list_detectors(project: Project) -> tuple[DetectorState, ...]:
    """Every detector of the project by name, also those that cannot be used, with the reason."""
    return tuple(_state(project, name) for name in detector_names(project))


def detector_names(project: Project) -> list[str]:
    """Names of the folders in detectors/ that hold a detector.yaml, sorted."""
    return sorted(path.parent.name for path in project.detectors_dir.glob(f"*/{DETECTOR_FILE}"))


def load_detector(project: Project, name: str) -> Detector:
    """The detector of that name, its model inspected, layout and labels resolved.

    Raises NotFoundError for an unknown name or a missing model (with how to get it), ConfigError with every problem
    of detector.yaml, ModelError or LayoutError if the model cannot be used.
    """
    folder = project.detectors_dir / name
    names = detector_names(project)
    if name not in names:
        raise NotFoundError(
            f"no detector named {name!r} in {project.detectors_dir}",
            why=known_names(name, names) or "the folder holds no detector",
            hint="edgekit detectors",
        )
    document = load_yaml(DetectorDocument, folder / DETECTOR_FILE, f"detectors/{name}/{DETECTOR_FILE}")
    return _resolve(document, folder, project)


def with_thresholds(
    spec: DetectorSpec,
    *,
    confidence: float | None = None,
    iou: float | None = None,
    max_detections: int | None = None,
) -> DetectorSpec:
    """A detector with other thresholds; None keeps the detector's own. Raises UsageError for one out of range."""
    given = {"confidence": confidence, "iou": iou, "max_detections": max_detections}
    for name, share in (("confidence", confidence), ("iou", iou)):
        if share is not None and not 0 <= share <= 1:
            raise UsageError(f"--{name}: expected 0 to 1, got {share:g}")
    if max_detections is not None and max_detections < 1:
        raise UsageError(f"--max-detections: expected 1 or more, got {max_detections}")
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(spec, **changes)


def _state(project: Project, name: str) -> DetectorState:
    try:
        return DetectorState(name, "ready", load_detector(project, name), None)
    except MissingModelError as error:
        return DetectorState(name, "model missing", None, error)
    except EdgekitError as error:
        return DetectorState(name, "broken", None, error)


class MissingModelError(NotFoundError):
    """The detector is known, its ONNX file is not there yet."""


def _resolve(document: DetectorDocument, folder: Path, project: Project) -> Detector:
    place = f"detectors/{folder.name}/{DETECTOR_FILE}"
    model_path = folder / document.model
    if not model_path.exists():
        raise MissingModelError(f"the model of {folder.name} is missing: {model_path}", hint=document.export.strip())
    facts = inspect_onnx(model_path, cache_dir=project.cache_dir, allow_domains=document.allow_domains)
    picture = picture_input(facts)
    problems: list[str] = []
    labels = _labels(document, folder, facts, problems)
    layout = _layout(document, facts, labels, place)
    labels = labels or _missing_labels(facts, layout, problems)
    profile = _shape_profile(document, picture, problems)
    problems += keep_float_problems(document.keep_float, model_path, trained=facts.trained_quantised)
    if problems or profile is None:
        raise ConfigError(f"{place} does not fit its model", problems=[f"{place}: {problem}" for problem in problems])
    spec = DetectorSpec(
        name=folder.name,
        model_sha256=facts.sha256,
        input=_input_spec(document.input, layout, picture, facts),
        profile=profile,
        layout=layout,
        labels=labels,
        class_agnostic_nms=document.class_agnostic_nms,
        **document.thresholds.model_dump(),
    )
    return Detector(
        spec,
        folder,
        model_path,
        facts,
        document.calibration,
        document.frozen,
        facts.warnings,
        keep_float=tuple(sorted(document.keep_float)),
    )


def picture_input(facts: ModelFacts) -> TensorSpec:
    """The input that takes pictures, (B, 3, H, W). Raises ModelError if there is none of a form that can be fed."""
    four = [spec for spec in facts.inputs if len(spec.shape) == 4]
    shown = "; ".join(str(spec) for spec in facts.inputs) or "none"
    if len(four) != 1:
        raise ModelError(f"expected one picture input (batch, 3, height, width), the model has: {shown}")
    spec = four[0]
    if spec.shape[1] != 3:
        nhwc = spec.shape[3] == 3
        raise ModelError(
            f"expected a picture input (batch, 3, height, width), got {spec}",
            why="it takes channels last" if nhwc else "it does not take colour pictures",
            hint="export it with channels first (NCHW)" if nhwc else "",
        )
    if spec.dtype not in _PICTURE_DTYPES:
        raise ModelError(f"expected a picture input of {' or '.join(_PICTURE_DTYPES)}, got {spec}")
    return spec


def _labels(document: DetectorDocument, folder: Path, facts: ModelFacts, problems: list[str]) -> tuple[str, ...]:
    """Labels from the YAML or its labels file, else from the model's metadata; empty if nobody names the classes."""
    try:
        if isinstance(document.labels, str):
            return _read_labels(folder / document.labels)
        if document.labels is not None:
            return labels_from_mapping(document.labels)
        return parse_names_literal(facts.metadata["names"]) if "names" in facts.metadata else ()
    except EdgekitError as error:
        problems.append(" ".join((error.what if error.what.startswith("labels") else f"labels: {error.what}").split()))
        return ()


def _read_labels(path: Path) -> tuple[str, ...]:
    try:
        return parse_labels_txt(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def _layout(document: DetectorDocument, facts: ModelFacts, labels: tuple[str, ...], place: str) -> str:
    try:
        return identify_layout(
            facts.outputs,
            inputs=facts.inputs,
            num_classes=len(labels) or None,
            metadata=facts.metadata,
            override=document.layout,
        )
    except LayoutError as error:
        raise LayoutError(f"{place}: {error.what}", why=error.why, hint=error.hint) from None


def _missing_labels(facts: ModelFacts, layout: str, problems: list[str]) -> tuple[str, ...]:
    """Nobody names the classes: say how many names are wanted, if the shapes tell."""
    if not any(problem.startswith("labels") for problem in problems):
        count = count_classes(layout, facts.outputs, inputs=facts.inputs, metadata=facts.metadata)
        wanted = f"{count} names" if count else "the class names"
        problems.append(f"labels: missing, and the model's metadata has none; give {wanted}, as a list or a file")
    return ()


def _shape_profile(document: DetectorDocument, picture: TensorSpec, problems: list[str]) -> ShapeProfile | None:
    """The sizes an engine is built for: the model's own where it fixes them, else the YAML's."""
    before = len(problems)
    batch = _batch_range(document.profile, picture.shape[0], problems)
    sizes = _size_range(document, picture.shape[2], picture.shape[3], problems)
    if len(problems) > before or sizes is None:
        return None
    try:
        return ShapeProfile(*(InputSize(count, *size) for count, size in zip(batch, sizes, strict=True)))
    except ValueError as error:
        problems.append(f"profile: {error}")
        return None


def _batch_range(profile: ProfileSection | None, fixed: int | None, problems: list[str]) -> tuple[int, int, int]:
    wanted = profile.batch if profile else BatchRange()
    given = profile is not None and "batch" in profile.model_fields_set
    if fixed is not None:
        if given and {wanted.min, wanted.opt, wanted.max} != {fixed}:
            problems.append(f"profile.batch: the model has a fixed batch of {fixed}; export it with a dynamic batch")
        return fixed, fixed, fixed
    return wanted.min, wanted.opt, wanted.max


def _size_range(
    document: DetectorDocument, height: int | None, width: int | None, problems: list[str]
) -> tuple[Size, Size, Size] | None:
    given = document.profile.size if document.profile else None
    single = document.input.size
    wanted = (given.min, given.opt, given.max) if given else (single,) * 3 if single else None
    if wanted is None and height is not None and width is not None:
        return ((height, width),) * 3
    if wanted is None:
        problems.append("input.size: missing; the model takes any size, so give [height, width]")
        return None
    key = "profile.size" if given else "input.size"
    for size in dict.fromkeys(wanted):
        if (height or size[0], width or size[1]) != size:
            problems.append(f"{key}: {list(size)} does not fit the model's fixed [{height or 'any'}, {width or 'any'}]")
    return wanted


def _input_spec(given: InputSection, layout: str, picture: TensorSpec, facts: ModelFacts) -> InputSpec:
    """How the layout's models are usually fed, with what the YAML says otherwise."""
    usual = find_layout(layout)
    others = {spec.name for spec in facts.inputs} - {picture.name}
    unknown = others - set(usual.side_inputs(1, 32, 32))
    if unknown:
        raise ModelError(
            f"the model wants inputs that edgekit cannot feed: {', '.join(sorted(unknown))}",
            why=f"models of layout {layout} take pictures in {picture.name!r}",
        )
    changes: dict[str, Any] = given.model_dump(exclude={"size"}, exclude_none=True)
    return replace(usual.input, name=picture.name, **changes)
