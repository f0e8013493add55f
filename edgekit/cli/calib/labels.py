"""`edgekit calib export` and `import`: labels out to a labelling tool, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.cli.completion import complete_detectors
from edgekit.cli.console import facts
from edgekit.cli.session import App
from edgekit.cli.tables.calib import exported_rows, imported_lines

Form = Literal["coco", "yolo", "cvat", "label-studio"]

OwnDetectorOption = Annotated[
    str | None,
    typer.Option(
        "--detector",
        metavar="NAME",
        help="Whose classes may occur. Default: one that uses the set. none: whatever the file has.",
        autocompletion=complete_detectors,
    ),
]


def export(
    app: App,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A set.")],
    form: Annotated[Form, typer.Option("--format", help="What the tool reads.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A new folder.")],
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            metavar="NAME",
            help="Pictures without labels begin with this detector's own boxes.",
            autocompletion=complete_detectors,
        ),
    ] = None,
    pictures: Annotated[
        Literal["link", "copy"], typer.Option("--pictures", help="Links to where they lie, or copies to take along.")
    ] = "link",
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Only pictures that nobody labelled yet.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Begin without the labels that the set has.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything except writing.")] = False,
) -> None:
    """Write pictures and labels for a labelling tool, into a new folder with a README of what to do there.

        coco          annotations.json
        yolo          labels/, data.yaml, classes.txt
        cvat          annotations.xml, and the labels to make the task with
        label-studio  tasks.json, and the labelling interface of the project

    Nothing is sent anywhere. What was given out is kept, so that an import can say what changed.

    Examples:

        edgekit calib export yard --format cvat --out yard-cvat
        edgekit calib export field-gate --format label-studio --detector roadscene --out gate
        edgekit calib export yard --format coco --out yard-coco --pictures copy --unlabelled
        edgekit calib export yard --format yolo --out yard-yolo --dry-run --json
    """
    from edgekit.control.labels.exporting import ExportWanted, export_labels

    wanted = ExportWanted(form, out, detector, pictures, unlabelled, anew)
    with app.console.progress() as on_progress:
        exported = export_labels(app.project, name, wanted, on_progress, write=not dry_run)
    app.console.result(exported, facts(exported_rows(exported)))
    for line in exported.lost:
        app.console.note(f"left out: {line}")
    app.console.note(f"next: {exported.out}/README.txt" if exported.written else "nothing was written")


def import_(
    app: App,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The set that the labels are for.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="What the tool wrote: a file, folder or ZIP archive.")],
    form: Annotated[Form | None, typer.Option("--format", help="Default: found out.")] = None,
    detector: OwnDetectorOption = None,
    reviewed: Annotated[
        bool,
        typer.Option("--reviewed", help="Every picture was looked at: those that came back unchanged count too."),
    ] = False,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out pictures that the set does not have.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and compare, and write nothing.")] = False,
) -> None:
    """Take labels from a labelling tool into a set: labels.json beside its set.yaml, which then names it.

    Everything is checked before anything is written: pictures and classes by name, sizes, boxes. What changed is told
    against what was exported. Pictures of the set that did not come back keep the labels that they have.

    A picture that nobody looked at stays without labels; that it shows nothing is for people to say. COCO, YOLO and
    CVAT cannot tell the two apart: there a picture without a box, or with a detector's boxes as they were, counts only
    with --reviewed, or in CVAT with the tag "empty". In Label Studio a picture counts once it is submitted.

    Examples:

        edgekit calib import yard annotations.zip --dry-run
        edgekit calib import yard project-1.json
        edgekit calib import yard yard-yolo --reviewed
        edgekit calib import yard annotations.xml --skip-unknown --json
    """
    from edgekit.control.labels.importing import ImportWanted, import_labels

    wanted = ImportWanted(path, form, detector, reviewed, skip_unknown)
    with app.console.progress() as on_progress:
        imported = import_labels(app.project, name, wanted, on_progress, write=not dry_run)
    app.console.result(imported, *imported_lines(imported))
    for line in imported.notes:
        app.console.warn(line)
    if imported.written:
        app.console.note(f"next: edgekit calib check {name}")
    elif dry_run and (imported.labelled or imported.changed):
        app.console.note("nothing was written")
