"""`edgekit sensitivity`: which layers cost INT8 its accuracy, and keeping them out of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.console import facts
from edgekit.cli.options import DetectorArgument, DeviceOption
from edgekit.cli.session import App

if TYPE_CHECKING:
    from edgekit.control.sensitivity.plan import Advice
    from edgekit.control.sensitivity.record import Attempt

MOST_BUILDS = 8


def command(
    app: App,
    detector: DetectorArgument = None,
    device: DeviceOption = "local",
    on: Annotated[
        str | None, typer.Option("--on", metavar="SET", help="Judge on this set. Default: the detector's frozen set.")
    ] = None,
    calibration: Annotated[
        str | None, typer.Option("--calibration", metavar="SET", help="Calibrate with this set of calib_sets/.")
    ] = None,
    most: Annotated[
        int, typer.Option("--most", min=1, max=64, metavar="N", help="Build at most so many engines.")
    ] = MOST_BUILDS,
    write: Annotated[
        bool, typer.Option("--write", help="Put what is recommended into detector.yaml, for every build from then on.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and stop.")] = False,
) -> None:
    """Find the layers that cost INT8 its accuracy, and how few of them must stay in float.

    Layers are ranked on this machine. Then engines with the worst of them in float are built on the device and judged
    there, until one keeps what it must; last, layers that need not stay in float are given back. A search that was
    interrupted goes on where it was.

    Examples:

        edgekit sensitivity
        edgekit sensitivity roadscene --device xavier-nx --write
        edgekit sensitivity --calibration roadscene-day --on roadscene-frozen
        edgekit sensitivity --dry-run
    """
    from edgekit.cli.tables.sensitivity import attempt_line, plan_of, shown
    from edgekit.control.connect import link_to
    from edgekit.control.detectors import DETECTOR_FILE
    from edgekit.control.groundwork import Groundwork
    from edgekit.control.sensitivity.keep_float import write_keep_float
    from edgekit.control.sensitivity.plan import advise
    from edgekit.control.sensitivity.search import prepare_search, search

    def tell(attempt: Attempt) -> None:
        app.console.note(attempt_line(attempt))

    entry = app.device(device)
    with app.console.progress() as on_progress, closing(link_to(app.project, entry)) as link:
        ground = prepare_search(
            Groundwork(app.project), entry, link, on_progress, detector=detector, judged_on=on, calibration=calibration
        )
        if dry_run:
            plan = plan_of(ground, most)
            app.console.result(plan, facts([(name.replace("_", " "), value) for name, value in plan.items()]))
            return
        found = search(ground, most, on_progress, tell)
    advice = advise(found)
    changed = write and advice.keep_float is not None
    document = ground.int8.detector.folder / DETECTOR_FILE
    if changed and advice.keep_float is not None:
        write_keep_float(document, advice.keep_float)
    result = {"advice": advice.sentence, "keep_float": advice.keep_float, "written": changed, "search": found}
    app.console.result(result, *shown(found, advice))
    _tell_next(app, advice, document, written=changed, asked=write)


def _tell_next(app: App, advice: Advice, document: Path, *, written: bool, asked: bool) -> None:
    if written:
        app.console.note(f"{document} names them now; edgekit deploy builds with it")
    elif asked:
        app.console.note(f"{document} stays as it is")
    elif advice.keep_float is not None:
        app.console.note(f"nothing was changed; the same command with --write puts them into {document}")
