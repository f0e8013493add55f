"""`edgekit report`: what was measured, as a page, as Markdown or as JSON; and the review of it."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.completion import complete_detectors, complete_devices
from edgekit.cli.pages import open_page, write_page
from edgekit.cli.session import App
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.cli.report.source import Source
    from edgekit.report.review.making import Review
    from edgekit.report.summary import Report


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
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="FILE|URL", help="Read results from this history, see edgekit history, instead."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write the report.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.html,
    lang: Annotated[Language, typer.Option(help="English or Chinese.")] = Language.en,
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage",
            help="Look at the pictures that INT8 was calibrated with, if nobody did. Takes a minute the first time.",
        ),
    ] = False,
    review: Annotated[
        bool,
        typer.Option("--review", help="Instead: figures, what they mean for the business, what the team gains."),
    ] = False,
    prices: Annotated[
        Path | None,
        typer.Option("--prices", metavar="FILE", help="What the review reckons with. Default: prices.yaml."),
    ] = None,
    init_prices: Annotated[
        bool, typer.Option("--init-prices", help="Write a prices.yaml to fill in, and stop.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the report when it is written.")] = False,
) -> None:
    """Write a report from recorded results: speed, latency, energy, accuracy, before and after.

    The page holds everything it needs in one file. Only results of equal conditions are compared, and none that
    something disturbed. Targets of devices.yaml are held against what was measured.

    --db reads the results from a history, a team's perhaps, in place of the project's files. The deployment and drawn
    pictures of this project are shown only if they are of one of these engines. --coverage needs the project's files.

    --review writes three levels for people who decide: figures, devices and money, what the team gains. It reckons with
    measured figures and your own prices only; what is missing is named.

    Examples:

        edgekit report
        edgekit report --device local --detector roadscene --open
        edgekit report --lang zh --format md --out report.md
        edgekit report --db postgresql://edgekit@db.example/edgekit --device yard
        edgekit report --review --init-prices
        edgekit report --review --prices prices.yaml --open
    """
    from edgekit.cli.report.source import check_source, load_source

    if init_prices:
        _init_prices(app, prices)
        return
    if prices is not None and not review:
        raise UsageError("--prices belongs to --review", hint=f"edgekit report --review --prices {prices}")
    check_source(results, db, coverage=coverage)
    source = load_source(app, results, db, device, detector)
    report = _summarised(app, source, look=coverage)
    for problem in report.broken_files:
        app.console.warn(f"result file left out: {problem}")
    if review:
        _write_review(app, source, report, prices, out, format_, lang, open_)
        return
    from edgekit.cli.report.lines import headline_lines
    from edgekit.report.document import headline_document

    path = (out or _default_path(app, report, format_)).absolute()
    write_page(app, path, _render(app, source, report, format_, lang))
    app.console.result({"path": str(path), **headline_document(report)}, *headline_lines(path, report))
    if open_:
        open_page(path)


def _summarised(app: App, source: Source, *, look: bool) -> Report:
    import dataclasses
    from datetime import datetime, timezone

    import edgekit
    from edgekit.cli.report.records import calibration_coverage, targets_of
    from edgekit.report.summary import calibration_digests, summarise

    name = source.chosen[0].device
    report = summarise(
        source.chosen,
        source.found,
        source.shipped,
        created_utc=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        edgekit_version=edgekit.__version__,
        targets=targets_of(app, name),
    )
    seen = calibration_coverage(app, report.detector, name, calibration_digests(report.comparison), look=look)
    return dataclasses.replace(report, coverage=seen)


def _render(app: App, source: Source, report: Report, format_: Format, lang: Language) -> str:
    if format_ is Format.json:
        from edgekit.report.document import report_document

        return _json(report_document(report))
    if format_ is Format.md:
        from edgekit.report.markdown import render_markdown

        return render_markdown(report, lang=lang.value)
    from edgekit.cli.report.source import samples_of
    from edgekit.report.html import render_html

    return render_html(report, lang=lang.value, samples=samples_of(app, source, report))


def _write_review(
    app: App,
    source: Source,
    report: Report,
    prices: Path | None,
    out: Path | None,
    format_: Format,
    lang: Language,
    open_: bool,
) -> None:
    from edgekit.cli.report.lines import review_lines
    from edgekit.cli.report.prices import load_prices
    from edgekit.cli.report.records import project_records
    from edgekit.report.review.forms import review_document
    from edgekit.report.review.making import make_review

    review = make_review(report, load_prices(app, prices), project_records(app, source))
    path = (out or _default_path(app, report, format_, "-review")).absolute()
    write_page(app, path, _render_review(review, format_, lang))
    app.console.result({"path": str(path), **review_document(review)}, *review_lines(path, review))
    if open_:
        open_page(path)


def _render_review(review: Review, format_: Format, lang: Language) -> str:
    from edgekit.report.review.forms import render_review_html, render_review_markdown, review_document

    if format_ is Format.json:
        return _json(review_document(review))
    render = render_review_markdown if format_ is Format.md else render_review_html
    return render(review, lang=lang.value)


def _init_prices(app: App, path: Path | None) -> None:
    from edgekit.cli.report.prices import write_template

    written = write_template(app, path)
    hint = f"edgekit report --review{f' --prices {path}' if path else ''}"
    app.console.result({"path": str(written)}, f"{written}: fill it in, then {hint}")


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _default_path(app: App, report: Report, format_: Format, ending: str = "") -> Path:
    from edgekit.cli.report.source import file_name

    name = f"{file_name(report.device)}-{file_name(report.detector)}{ending}.{format_.value}"
    return app.project.state_dir / "reports" / name
