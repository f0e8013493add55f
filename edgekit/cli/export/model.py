"""A model for another server, as `edgekit export` writes it: its source, its texts, its folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli.session import App
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.control.export import Source
    from edgekit.core.engine import EngineManifest
    from edgekit.core.progress import OnProgress
    from edgekit.report.exports.deepstream import Building
    from edgekit.report.exports.served import ServedModel

_NVINFER_PRECISION = "fp16"  # what nvinfer is to build of an ONNX file, if nothing is asked


@dataclass(frozen=True)
class Asked:
    """The command line."""

    format: str
    detector: str | None
    device: str
    precision: str | None
    out: Path
    onnx: bool
    gpus: tuple[int, ...]
    instances: int
    counter: int | None
    force: bool
    dry_run: bool


@dataclass(frozen=True)
class Exported:
    """What was written, or would be. precision "": the types of the ONNX file itself."""

    format: str
    folder: str
    files: tuple[str, ...]
    model: str
    precision: str
    warnings: tuple[str, ...]
    written: bool


def export_model(app: App, asked: Asked) -> Exported:
    """Triton's or DeepStream's folder."""
    from edgekit.control.export import check_free, copy_model, make_ready, new_folder

    with app.console.progress() as on_progress, _source(app, asked, on_progress) as source:
        if source.order is None:
            _check_onnx_precision(asked, source)
        folder = asked.out / source.detector.name
        marker, model_path = _layout_of(asked, source.order is not None)
        check_free(folder, marker, force=asked.force)
        if asked.dry_run and not source.is_there:
            return _exported(
                asked,
                folder,
                [marker, "labels.txt", "README.md", model_path],
                source,
                ("an engine would be built first",),
            )
        engine = make_ready(source, on_progress)
        model = _served(source, engine)
        texts, warnings = _texts(app, asked, model)
        names = sorted([*texts, model_path])
        if not asked.dry_run:
            with new_folder(folder, marker, force=asked.force) as part:
                copy_model(source, engine, part / model_path, on_progress)
                for name, text in texts.items():
                    (part / name).write_text(text, encoding="utf-8")
    notes = (f"the ONNX file is exported: {source.because}",) if source.order is None and not asked.onnx else ()
    return _exported(asked, folder, names, source, (*notes, *warnings))


@contextmanager
def _source(app: App, asked: Asked, on_progress: OnProgress) -> Iterator[Source]:
    from edgekit.control.connect import link_to
    from edgekit.control.export import choose_source
    from edgekit.control.groundwork import Groundwork

    entry = app.device(asked.device)
    with closing(link_to(app.project, entry)) as link:
        ground, wanted = Groundwork(app.project), {"detector": asked.detector, "precision": asked.precision}
        yield choose_source(ground, entry, link, on_progress, onnx=asked.onnx, **wanted)


def _check_onnx_precision(asked: Asked, source: Source) -> None:
    """An ONNX file goes as it is; nvinfer alone builds something of another precision from it, but not INT8."""
    trained = source.detector.facts.trained_quantised
    if asked.format == "triton" and asked.precision is not None:
        raise UsageError(
            f"--precision {asked.precision}: the ONNX file is exported as it is ({source.because})",
            hint="leave --precision out, or name a --device with TensorRT",
        )
    if asked.format == "deepstream" and (asked.precision == "int8" or trained):
        raise UsageError(
            "nvinfer builds no INT8 engine of this ONNX file: without a calibration table it takes FP16",
            why=f"the ONNX file is exported: {source.because}" if not trained else "it holds scales of its own",
            hint="export the INT8 engine of a --device with TensorRT",
        )


def _layout_of(asked: Asked, is_plan: bool) -> tuple[str, str]:
    """The file that every export of the format has, and where the model goes."""
    from edgekit.report.exports import deepstream, triton

    name = "model.plan" if is_plan else "model.onnx"
    if asked.format == "triton":
        return triton.CONFIG_NAME, f"{triton.VERSION}/{name}"
    return deepstream.CONFIG_NAME, name


def _served(source: Source, engine: EngineManifest | None) -> ServedModel:
    from edgekit.report.exports.served import ServedModel

    spec, facts_ = source.detector.spec, source.detector.facts
    if engine is None or source.order is None:
        return ServedModel(spec, facts_.inputs, facts_.outputs)
    wanted = source.order.request.tensorrt
    return ServedModel(spec, engine.inputs, engine.outputs, engine, wanted.dla_core, wanted.plugins)


def _texts(app: App, asked: Asked, model: ServedModel) -> tuple[dict[str, str], Sequence[str]]:
    if asked.format == "triton":
        from edgekit.report.exports.triton import Serving, repository_files

        return repository_files(model, Serving(asked.gpus, asked.instances)), ()
    from edgekit.report.exports import deepstream

    return deepstream.deepstream_files(model, _building(app, asked)), deepstream.warnings(model)


def _building(app: App, asked: Asked) -> Building:
    from edgekit.report.exports.deepstream import Building

    return Building(asked.precision or _NVINFER_PRECISION, app.device(asked.device).tensorrt.workspace_mib)


def _exported(asked: Asked, folder: Path, files: Sequence[str], source: Source, warnings: Sequence[str]) -> Exported:
    order = source.order
    model = "the detector's ONNX file" if order is None else f"engine {order.request.engine_id} of {order.link.device}"
    builds = (asked.precision or _NVINFER_PRECISION) if asked.format == "deepstream" else ""
    precision = builds if order is None else order.request.precision
    return Exported(
        asked.format, str(folder), tuple(sorted(files)), model, precision, tuple(warnings), not asked.dry_run
    )
