"""`edgekit export`: a Triton model repository, a DeepStream configuration or a release archive."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from edgekit.cli.completion import complete_detectors
from edgekit.cli.console import facts
from edgekit.cli.export.model import Asked, Exported, export_model
from edgekit.cli.options import DeviceOption
from edgekit.cli.session import App
from edgekit.errors import UsageError

_TRITON, _ARCHIVE = "Triton", "Archive"


def command(
    app: App,
    format_: Annotated[
        Literal["triton", "deepstream", "archive"],
        typer.Argument(metavar="FORMAT", help="triton, deepstream or archive."),
    ],
    detector: Annotated[
        str | None,
        typer.Argument(
            metavar="DETECTOR", help="Default: the device's own detector.", autocompletion=complete_detectors
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where the exported folder goes. Default: exports."),
    ] = None,
    device: DeviceOption = "local",
    precision: Annotated[
        Literal["fp32", "fp16", "int8"] | None,
        typer.Option("--precision", help="Of the engine. Default: fp16 with TensorRT."),
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="The detector's ONNX file instead of the engine; no device is asked.")
    ] = False,
    gpu: Annotated[
        list[int] | None,
        typer.Option("--gpu", min=0, metavar="N", help="Run on this GPU. May be given again.", rich_help_panel=_TRITON),
    ] = None,
    instances: Annotated[
        int | None,
        typer.Option("--instances", min=1, max=64, metavar="N", help="Copies on each GPU.", rich_help_panel=_TRITON),
    ] = None,
    counter: Annotated[
        int | None,
        typer.Option(
            "--counter",
            min=1,
            metavar="N",
            help="Instead of the release's own; must be above those of the devices that it is for.",
            rich_help_panel=_ARCHIVE,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written and stop.")] = False,
) -> None:
    """Write a detector for another server, or a release for another courier, into a folder below --out.

        triton      a model repository: engine, configuration, README
        deepstream  for nvinfer: engine, configuration, labels; no parser
        archive     the release in service as one file, for Mender or Ansible

    An engine that is not built yet is built first.

    Examples:

        edgekit export triton --device xavier-nx --precision int8 --out models/
        edgekit export triton roadscene --onnx --out models/
        edgekit export deepstream --device xavier-nx --precision fp16 --out deepstream/
        edgekit export archive --device xavier-nx --out releases/
        edgekit export triton --onnx --dry-run --json
    """
    place, gpus = (out or Path("exports")).absolute(), tuple(gpu or ())
    asked = Asked(format_, detector, device, precision, place, onnx, gpus, instances or 1, counter, force, dry_run)
    _check(asked, instances)
    exported = _archive(app, asked) if format_ == "archive" else export_model(app, asked)
    app.console.result(exported, facts(_rows(exported)))
    for warning in exported.warnings:
        app.console.warn(warning)


def _check(asked: Asked, instances: int | None) -> None:
    """Refuse options that the format has no use for; ignored, they would be believed."""
    strangers = {
        "--gpu": asked.gpus and asked.format != "triton",
        "--instances": instances is not None and asked.format != "triton",
        "--counter": asked.counter is not None and asked.format != "archive",
        "DETECTOR": asked.detector is not None and asked.format == "archive",
        "--precision": asked.precision is not None and asked.format == "archive",
        "--onnx": asked.onnx and asked.format == "archive",
    }
    wrong = [name for name, given in strangers.items() if given]
    if wrong:
        why = "an archive holds the release in service" if asked.format == "archive" else ""
        raise UsageError(f"{', '.join(wrong)}: not for {asked.format}", why=why, hint="leave it out")


def _archive(app: App, asked: Asked) -> Exported:
    from edgekit.control.connect import link_to
    from edgekit.control.export import check_free, new_folder
    from edgekit.control.export_archive import pack, release_to_pack
    from edgekit.report.exports.archive import install_note

    entry = app.device(asked.device)
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        packed = release_to_pack(link, entry, asked.counter)
        name, folder = packed.name, asked.out / packed.name
        note, archive = install_note(packed.manifest, name), f"{name}.tar.gz"
        check_free(folder, archive, force=asked.force)
        if not asked.dry_run:
            with new_folder(folder, archive, force=asked.force) as part:
                (part / "INSTALL.md").write_text(note, encoding="utf-8")
                pack(link, packed, note, part / archive, on_progress)
    said = "the settings inside may hold passwords of cameras; the checksum is no signature"
    files = ("INSTALL.md", archive, f"{archive}.sha256")
    model = f"release {packed.manifest.release_id}, counter {packed.manifest.counter}"
    return Exported("archive", str(folder), files, model, "", (said,), not asked.dry_run)


def _rows(exported: Exported) -> list[tuple[str, Any]]:
    return [
        ("format", exported.format),
        ("model", exported.model),
        *([("precision", exported.precision)] if exported.precision else []),
        ("written" if exported.written else "would be written", exported.folder),
        ("files", "\n".join(exported.files)),
    ]
