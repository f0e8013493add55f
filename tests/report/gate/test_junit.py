from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from edgekit.report.gate.judging import judge
from edgekit.report.gate.junit import render_junit
from edgekit.report.gate.outcome import Limits
from edgekit.report.gate.sides import Side, Sides
from tests.report.gate.runs import in_turns

# What Jenkins' junit-10.xsd (xunit plugin) allows: attributes, and which of them it needs; children. GitLab's parser
# takes testcase name, classname, file, time, and failure, error, skipped and system-out below it.
ATTRIBUTES = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set()),
    "testsuite": (
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package"},
        {"name", "tests", "failures", "errors"},
    ),
    "properties": (set(), set()),
    "property": ({"name", "value"}, {"name", "value"}),
    "testcase": ({"name", "time", "classname", "group"}, {"name", "classname"}),
    "failure": ({"type", "message"}, {"message"}),
    "skipped": ({"type", "message"}, {"message"}),
    "system-out": (set(), set()),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out"},
    "properties": {"property"},
    "testcase": {"skipped", "failure", "system-out"},
}
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


LIMITS = Limits()


def report(slower_pct=5.0, limits=LIMITS, **options):
    results = in_turns(slower_pct, **options)
    return judge(Sides(Side("branch main", tuple(results[::2])), Side("change", tuple(results[1::2]))), limits)


@pytest.mark.parametrize("slower_pct, rounds, noise_pct", [(5.0, 5, 0.5), (0.0, 5, 0.5), (4.0, 3, 8.0)])
def test_the_file_is_what_jenkins_and_gitlab_read(slower_pct, rounds, noise_pct):
    """A file that is refused shows as a red pipeline without a reason."""
    root = ET.fromstring(render_junit(report(slower_pct, rounds=rounds, noise_pct=noise_pct)))
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, needed = ATTRIBUTES[element.tag]
        assert needed <= set(element.attrib) <= allowed
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        assert TIME.fullmatch(element.get("time", "0"))


def test_each_figure_is_one_case_and_the_counts_agree():
    """GitLab drops the second of two cases with one name."""
    made = report(noise_pct=0.5)
    suite = ET.fromstring(render_junit(made))[0]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [row.name for row in made.rows]
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
    assert int(suite.get("tests")) == len(cases)
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) == len(made.judged("regression")) > 0
    assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
    assert "pipeline FPS: regression" in suite.find("testcase/failure").get("message")


def test_what_cannot_be_told_is_skipped_or_with_strict_a_failure():
    """Neither is a success."""
    noisy = {"slower_pct": 4.0, "rounds": 3, "noise_pct": 8.0}
    relaxed = ET.fromstring(render_junit(report(**noisy)))[0]
    strict = ET.fromstring(render_junit(report(**noisy, limits=Limits(strict=True))))[0]
    assert relaxed.findall("testcase/skipped") and not relaxed.findall("testcase/failure")
    assert strict.findall("testcase/failure") and not strict.findall("testcase/skipped")


def test_names_from_result_files_cannot_break_the_file():
    """A device may be called anything in a file that somebody sends."""
    odd = replace(report(), device='a"<b>&\x00\x1b[31m]]>', detector="道路\ud800")
    suite = ET.fromstring(render_junit(odd).encode("utf-8"))[0]
    assert suite.find("testcase").get("classname").startswith('edgekit.gate.a"<b>&\ufffd\ufffd[31m]]>.道路\ufffd')
