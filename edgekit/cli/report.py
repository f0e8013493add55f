"""`edgekit report`: what was measured, as a page, as Markdown or as JSON."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.completion import complete_detectors, complete_devices
from edgekit.cli.session import App

if TYPE_CHECKING:
    from edgekit.report.summary import Report

# Names of devices and detectors come from result files: only these may become part of a file name.
_SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"


class Format(str, Enum):
    html = "html"
    md = "md"
    json = "json"


class Language(str, Enum):
    en = "en"
    zh = "zh"


def command(
    app: App,
    device: Annotated[
        str | None,
        typer.Option(
            help="Report on this device. Default: that of the newest result.", autocompletion=complete_devices
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            help="Report on this detector. Default: that of the newest result.", autocompletion=complete_detectors
        ),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of result files. Default: .edgekit/results.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write the report.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.html,
    lang: Annotated[Language, typer.Option(help="English or Chinese.")] = Language.en,
    open_: Annotated[bool, typer.Option("--open", help="Open the report when it is written.")] = False,
) -> None:
    """Write a report from recorded results: speed, latency, accuracy, before and after.

    The page holds everything it needs in one file. Only results of equal conditions are compared.

    Examples:

        edgekit report
        edgekit report --device local --detector roadscene --open
        edgekit report --lang zh --format md --out report.md
    """
    from edgekit.report.summary import headline_document

    report = _load(app, results or app.project.results_dir, device, detector)
    path = (out or _default_path(app, report, format_)).absolute()
    _write(app, path, _render(app, report, format_, lang))
    for problem in report.broken_files:
        app.console.warn(f"result file left out: {problem}")
    app.console.result({"path": str(path), **headline_document(report)}, *_headline_lines(path, report))
    if open_:
        import webbrowser

        webbrowser.open(path.as_uri())


def _load(app: App, folder: Path, device: str | None, detector: str | None) -> Report:
    from datetime import datetime, timezone

    import edgekit
    from edgekit.report.load import load_results, load_shipped, results_of
    from edgekit.report.summary import summarise

    found = load_results(folder)
    chosen = results_of(found, folder, device, detector)
    record = app.project.device_root(_file_name(chosen[0].device)) / "deploy.json"
    return summarise(
        chosen,
        found,
        load_shipped(record, chosen[0].engine.detector),
        created_utc=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        edgekit_version=edgekit.__version__,
    )


def _render(app: App, report: Report, format_: Format, lang: Language) -> str:
    if format_ is Format.json:
        from edgekit.report.summary import report_document

        return json.dumps(report_document(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if format_ is Format.md:
        from edgekit.report.markdown import render_markdown

        return render_markdown(report, lang=lang.value)
    from edgekit.control.samples import samples_dir
    from edgekit.report.html import render_html
    from edgekit.report.samples import load_samples

    folder = samples_dir(app.project, report.device, report.detector)
    return render_html(report, lang=lang.value, samples=load_samples(folder))


def _write(app: App, path: Path, content: str) -> None:
    from edgekit.errors import UsageError
    from edgekit.files import write_bytes

    if path.is_relative_to(app.project.state_dir):
        app.project.ensure_state()
    try:
        write_bytes(path, content.encode("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint="edgekit report --out FILE    (another place)"
        ) from error


def _default_path(app: App, report: Report, format_: Format) -> Path:
    name = f"{_file_name(report.device)}-{_file_name(report.detector)}.{format_.value}"
    return app.project.state_dir / "reports" / name


def _file_name(text: str) -> str:
    return "".join(letter if letter in _SAFE else "_" for letter in text).lstrip(".") or "_"


def _headline_lines(path: Path, report: Report) -> tuple[str, ...]:
    from edgekit.report import numbers
    from edgekit.report.texts import text

    rate, accuracy, kept = report.headline.measurement.rate, report.headline.accuracy, report.map_kept_pct()
    interval = text("en", "interval_95", low=numbers.fps(rate.low_fps), high=numbers.fps(rate.high_fps))
    base = report.comparison.baseline.engine.precision.upper()
    share = f" ({text('en', 'kept', pct=f'{kept:.1f}', precision=base)})" if kept is not None else ""
    where = text("en", "accuracy_on", images=accuracy.images, dataset=accuracy.dataset) if accuracy else ""
    return (
        f"{report.detector} on {report.device}, {report.headline.engine.precision.upper()}"
        + (", deployed" if report.headline_is_shipped else ""),
        f"  {numbers.fps(rate.fps)} FPS through the whole pipeline, {interval}",
        f"  {numbers.figure(accuracy.map50_95, 3)} {where}{share}" if accuracy else "  accuracy: not measured",
        f"  {path}",
    )
