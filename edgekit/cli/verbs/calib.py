"""`edgekit calib`: sets of pictures that INT8 is calibrated with and accuracy is measured on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgekit.cli.calib.labels import export, import_
from edgekit.cli.completion import complete_detectors
from edgekit.cli.console import facts
from edgekit.cli.pages import open_page
from edgekit.cli.session import App
from edgekit.cli.tables.calib import added_rows, checked_rows, chosen_lines, coverage_lines, left_out, parted_rows
from edgekit.core.wire import to_wire
from edgekit.errors import CalibrationError, UsageError

if TYPE_CHECKING:
    from edgekit.control.detectors import Detector
    from edgekit.control.sets.coverage import Inspection

HELP = """Make, inspect, choose and check sets of pictures, for calibrating INT8 and for measuring accuracy.

A set is a folder of calib_sets/ with a set.yaml. Its pictures stay where they are; a digest pins them. Every command
takes --json, and explains itself: edgekit calib inspect --help

Examples:

    edgekit calib add yard pictures/ --origin 'yard cameras' --licence internal
    edgekit calib add yard night.mp4 --every 2 --tag night --tag camera-north
    edgekit calib inspect yard --against roadscene-frozen
    edgekit calib select yard --from field --size 300 --as yard-300
    edgekit calib split yard --frozen 0.2
    edgekit calib check yard --pin --json
    edgekit calib export yard --format cvat --detector roadscene --out yard-cvat
    edgekit calib import yard annotations.zip --reviewed --dry-run
"""


def _complete_sets(incomplete: str) -> list[str]:
    """Names of sets that begin like this."""
    from edgekit.control.project import find_project
    from edgekit.errors import EdgekitError

    try:
        paths = sorted(find_project().calib_sets_dir.glob("*/set.yaml"))
    except (EdgekitError, OSError):
        return []
    return [path.parent.name for path in paths if path.parent.name.startswith(incomplete)]


SetArgument = Annotated[str, typer.Argument(metavar="NAME", help="A set.", autocompletion=_complete_sets)]
EyesOption = Annotated[
    str | None,
    typer.Option(
        "--detector",
        metavar="NAME",
        help="Sees the objects and compares pictures. Default: one that uses the set. none: nobody.",
        autocompletion=complete_detectors,
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Settles what chance decides.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace a set of that name.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Do everything except writing the set.")]


def add(
    app: App,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The set: a new one, or one to add to.")],
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Folder, 'pattern', list.txt, video, COCO file (.json), or YOLO folder (images/ and labels/).",
        ),
    ],
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="Said of every picture in these sources. May be given again."),
    ] = None,
    every: Annotated[
        float | None, typer.Option("--every", min=0.01, metavar="S", help="Of videos: seconds between two frames.")
    ] = None,
    origin: Annotated[str | None, typer.Option("--origin", metavar="TEXT", help="Where the pictures are from.")] = None,
    licence: Annotated[str | None, typer.Option("--licence", metavar="TEXT", help="Under what terms.")] = None,
    keep_near: Annotated[
        bool, typer.Option("--keep-near", help="Keep pictures that show nearly, not quite, the same.")
    ] = False,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Make a set of pictures, or add sources to one. The pictures stay where they are; set.yaml pins them.

    Every picture is read once. Left out, and named with the reason, are those that cannot be read, claim a size that
    would fill the memory, are smaller than 64 px, or show the same as another.

    A tag such as night, fog, glare, blur or noise says what a picture is, and wins over what is measured; camera-NAME
    keeps the pictures of one camera together when the set is split; any other word is a stratum of its own. Without
    --tag the first sub-folder is the tag.

    Examples:

        edgekit calib add yard pictures/
        edgekit calib add yard night.mp4 --every 2 --tag night --tag camera-north
        edgekit calib add yard '/data/cameras/*/2026-11-*/*.jpg' --origin 'yard cameras' --licence internal
        edgekit calib add street coco/annotations/instances_val.json
        edgekit calib add yard pictures/ --dry-run --json
    """
    from edgekit.control.sets.adding import Wanted, add_sources

    wanted = Wanted(name, tuple(sources), tuple(tags or ()), every, origin, licence, keep_near, force)
    with app.console.progress() as on_progress:
        added = add_sources(app.project, wanted, on_progress, write=not dry_run)
    app.console.result(added, facts(added_rows(added)), *left_out(added.skipped))
    app.console.note(f"next: edgekit calib inspect {name}" if added.written else "nothing was written")


def inspect(
    app: App,
    name: SetArgument,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="SET",
            help="What the set should resemble: pictures from the field, or validation data.",
            autocompletion=_complete_sets,
        ),
    ] = None,
    detector: EyesOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to write the page. Default: .edgekit/reports."),
    ] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Write a page with thumbnails and plots.")] = True,
    lang: Annotated[Literal["en", "zh"], typer.Option("--lang", help="The page in English or Chinese.")] = "en",
    open_: Annotated[bool, typer.Option("--open", help="Open the page when it is written.")] = False,
) -> None:
    """Show what a set covers: light, weather, lens, objects, classes; what it lacks; what it shows twice.

    Each picture is measured once: light, contrast, colour, sharpness, noise, haze, glare and edges from the picture,
    objects and classes by a detector. Without --against a stratum is missing if no picture lies in it; with it, if the
    reference has some and the set has none. Thin means fewer than 10 pictures, or less than half the reference's share.

    Examples:

        edgekit calib inspect roadscene
        edgekit calib inspect roadscene-day --against roadscene-frozen
        edgekit calib inspect yard --detector none --no-page --json
    """
    from edgekit.control.sets.coverage import choose_detector, inspect_set

    eyes = choose_detector(app.project, name, detector)
    _say_whose_eyes(app, eyes, detector)
    with app.console.progress() as on_progress:
        inspection = inspect_set(app.project, name, eyes, against, on_progress)
    path = _write_page(app, inspection, out, lang) if page else None
    coverage = inspection.coverage
    document = to_wire(coverage) | {"missing": list(coverage.missing), "thin": list(coverage.thin)}
    app.console.result(document | {"page": str(path) if path else None}, *coverage_lines(coverage, path))
    if open_ and path:
        open_page(path)


def _say_whose_eyes(app: App, eyes: Detector | None, asked: str | None) -> None:
    if eyes is None and asked is None:
        app.console.warn("no detector of this project is ready: objects and classes stay unknown (edgekit detectors)")


def _write_page(app: App, inspection: Inspection, out: Path | None, lang: str) -> Path:
    from edgekit.control.sets.coverage_page import page_pictures
    from edgekit.files import write_bytes
    from edgekit.report.coverage.page import render_coverage

    default = app.project.ensure_state() / "reports" / f"calib-{inspection.coverage.name}.html"
    path = (out or default).absolute()
    content = render_coverage(inspection.coverage, page_pictures(inspection), created_utc=_now_utc(), lang=lang)
    try:
        write_bytes(path, content.encode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="--out FILE    (another place)") from error
    return path


def _now_utc() -> str:
    from datetime import datetime, timezone

    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def select(
    app: App,
    name: SetArgument,
    size: Annotated[
        int, typer.Option("--size", min=1, max=100_000, metavar="N", help="Pictures in the new set.")
    ] = 500,
    from_sets: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="SET",
            help="Choose from this set too. May be given again.",
            autocompletion=_complete_sets,
        ),
    ] = None,
    as_name: Annotated[str | None, typer.Option("--as", metavar="NEW", help="The new set. Default: NAME-SIZE.")] = None,
    method: Annotated[
        Literal["coverage", "random"],
        typer.Option("--method", help="coverage: the long tail; random: to compare with."),
    ] = "coverage",
    seed: SeedOption = 0,
    detector: EyesOption = None,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Choose pictures that cover the long tail, into a new set.

    Every stratum that occurs gets a floor, an equal part of the set or all that there is of it; the scarcest is served
    first. The rest are the pictures farthest from those chosen, by descriptor and by the detector's own backbone. Near
    duplicates count once. The same pictures, size and seed give the same set.

    Examples:

        edgekit calib select yard --size 500
        edgekit calib select yard --size 300 --from field --as yard-2026-11
        edgekit calib select yard --size 300 --method random --seed 1 --as yard-random --dry-run
    """
    from edgekit.control.sets import choosing
    from edgekit.control.sets.coverage import choose_detector

    eyes = choose_detector(app.project, name, detector)
    _say_whose_eyes(app, eyes, detector)
    new = as_name or f"{name}-{size}"
    with app.console.progress() as on_progress:
        chosen = choosing.select(
            app.project,
            [name, *(from_sets or ())],
            new,
            size,
            method,
            seed,
            eyes,
            on_progress,
            force=force,
            write=not dry_run,
        )
    app.console.result(chosen, *chosen_lines(chosen))
    app.console.note(f"next: edgekit calib inspect {new}" if chosen.written else "nothing was written")


def split(
    app: App,
    name: SetArgument,
    frozen: Annotated[
        float, typer.Option("--frozen", min=0.01, max=0.99, metavar="SHARE", help="Part that accuracy is measured on.")
    ] = 0.2,
    seed: SeedOption = 0,
    detector: EyesOption = None,
    force: ForceOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Part a set into NAME-calib and NAME-frozen, each with its share of every stratum.

    Pictures that nearly agree, frames of one video, and pictures tagged with one camera-NAME stay on one side: a frozen
    picture that was all but calibrated on says nothing.

    Examples:

        edgekit calib split yard
        edgekit calib split yard --frozen 0.3 --seed 1 --dry-run
    """
    from edgekit.control.sets import choosing
    from edgekit.control.sets.coverage import choose_detector

    eyes = choose_detector(app.project, name, detector)
    _say_whose_eyes(app, eyes, detector)
    with app.console.progress() as on_progress:
        parted = choosing.split(app.project, name, frozen, seed, eyes, on_progress, force=force, write=not dry_run)
    app.console.result(parted, facts(parted_rows(parted)))
    app.console.note(f"next: edgekit calib check {parted.frozen}" if parted.written else "nothing was written")


def check(
    app: App,
    name: SetArgument,
    pin: Annotated[bool, typer.Option("--pin", help="Write the digest that the pictures have now.")] = False,
) -> int:
    """Check that a set may be used: pictures as pinned, tags that match, nothing shared with a frozen set.

    The exit code is 5 if something makes the set unfit. What is only to be known is a note.

    Examples:

        edgekit calib check roadscene
        edgekit calib check yard --pin
        edgekit calib check yard --json
    """
    from edgekit.control.sets.checking import check_set

    with app.console.progress() as on_progress:
        checked = check_set(app.project, name, on_progress, pin=pin)
    app.console.result(checked, facts(checked_rows(checked)), *left_out(checked.skipped))
    for problem in checked.problems:
        app.console.warn(problem)
    for note in checked.notes:
        app.console.note(f"note: {note}")
    return CalibrationError.exit_code if checked.problems else 0


COMMANDS = {
    "add": add,
    "inspect": inspect,
    "select": select,
    "split": split,
    "check": check,
    "export": export,
    "import": import_,
}
