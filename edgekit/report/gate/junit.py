"""The outcome as a JUnit file: one test case a figure.

There is no one standard. This keeps to what is in Jenkins' junit-10.xsd (of its xunit plugin) and in GitLab's table of
parsed elements; readers for GitHub take the same. GitLab shows `classname` as the suite.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from edgekit.report.gate.outcome import CANNOT_TELL, REGRESSION, GateReport, Judged
from edgekit.report.gate.texts import heading, row_sentence

_NAME = "edgekit gate"
# XML 1.0 has no place for these, not even escaped.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: GateReport) -> str:
    """XML text. A regression is a failure; what cannot be told is skipped or, if strict, a failure too."""
    failed = [row for row in report.rows if _fails(report, row)]
    skipped = [row for row in report.judged(CANNOT_TELL) if row not in failed]
    counts = {"name": _NAME, "tests": str(len(report.rows)), "failures": str(len(failed)), "errors": "0"}
    root = Element("testsuites", counts)
    stamp = _clean(report.candidate.last_utc[:19])
    suite = SubElement(root, "testsuite", {**counts, "skipped": str(len(skipped)), "time": "0", "timestamp": stamp})
    properties = SubElement(suite, "properties")
    for name, value in _properties(report).items():
        SubElement(properties, "property", name=name, value=_clean(value))
    for row in report.rows:
        _add_case(suite, report, row)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _properties(report: GateReport) -> dict[str, str]:
    return {
        "device": report.device,
        "detector": report.detector,
        "scenario": report.scenario,
        "baseline": f"{report.baseline.name}, engine {report.baseline.engine_id}",
        "candidate": f"{report.candidate.name}, engine {report.candidate.engine_id}",
        "max_regression_pct": f"{report.limits.max_regression_pct:g}",
        "alpha": f"{report.limits.alpha:g}",
    }


def _add_case(suite: Element, report: GateReport, row: Judged) -> None:
    classname = _clean(f"edgekit.gate.{report.device}.{report.detector}")
    case = SubElement(suite, "testcase", classname=classname, name=_clean(row.name), time="0")
    sentence = _clean(row_sentence(row, report))
    if _fails(report, row):
        failure = SubElement(case, "failure", type=row.verdict, message=sentence)
        failure.text = _clean(heading(report))
    elif row.verdict == CANNOT_TELL:
        SubElement(case, "skipped", message=sentence)
    else:
        SubElement(case, "system-out").text = sentence


def _fails(report: GateReport, row: Judged) -> bool:
    return row.verdict == REGRESSION or (report.limits.strict and row.verdict == CANNOT_TELL)


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
