"""Chinese pages hold no English sentence but those that nobody here knows, and these are marked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.preflight import Preflight, Setting
from edgekit.report.coverage.page import render_coverage
from edgekit.report.evaluation import render_evaluation
from edgekit.report.field.page import FieldVerdict
from edgekit.report.html import render_html
from edgekit.report.load import Shipped
from edgekit.report.markdown import render_markdown
from edgekit.report.review.forms import render_review_html
from tests.report import test_evaluation as of_evaluation
from tests.report.coverage import test_page as of_coverage
from tests.report.english import english_in
from tests.report.field import test_page as of_field
from tests.report.forecast.test_readiness_page import UNTYPICAL
from tests.report.forecast.test_readiness_page import page as readiness_page
from tests.report.made_up import coverage, disturbed, powered, tensorrt_result, with_soak, with_streams
from tests.report.recorded.test_saying import disturbances, findings, of_a_build, of_a_run, verdicts
from tests.report.review.test_making import review_of
from tests.report.test_page import report_of

picture = of_field.picture
UNKNOWN = "nobody knows this one: wait for it"
PREFLIGHT = Preflight(
    (Setting("power_mode", "MODE_10W"), Setting("clocks", "vary"), Setting("fan", "88 of 255")),
    34.4,
    ("chrome", "cc1plus"),
    412,
    91.0,
    ("fan", "clocks"),
    tuple(findings()),
)


def unsteady(made, sentence):
    rate = replace(made.measurement.pipeline_rate, stable=False, verdict=sentence)
    return replace(made, measurement=replace(made.measurement, pipeline_rate=rate))


def board(precision, folder, **changes):
    """With all that results can carry: findings, warnings, notes, accuracy of everything."""
    told = tuple(of_a_build(folder))
    made = powered(tensorrt_result(precision, warnings=told, **changes), 9.0)
    build = replace(made.engine.build, notes=told)
    accuracy = replace(made.accuracy, per_stratum={"light:night": 0.4}, per_size={"small": 0.1, "large": 0.4})
    conditions = replace(made.conditions, clocks_locked=False, governor="schedutil")
    engine = replace(made.engine, build=build)
    return replace(made, engine=engine, accuracy=accuracy, conditions=conditions, preflight=PREFLIGHT)


def reports(folder):
    fp16, int8 = board("fp16", folder), board("int8", folder)
    shipped = Shipped("fp16", "FP16 as asked (accuracy was not measured)", fp16.engine.engine_id, "0123456789abcdef")
    spoilt = disturbed(int8)
    told = (*disturbances(), *of_a_run())
    spoilt = replace(spoilt, result_id="spoilt", measurement=replace(spoilt.measurement, disturbances=told))
    other = replace(fp16, result_id="older", created_utc="2000-01-01T00:00:00Z")
    other = replace(other, conditions=replace(other.conditions, batch=8, clocks_locked=None))
    problems = ("x.json: not readable as JSON", "y.json: a run that is not over, 3 of 10 s so far")
    for sentence in verdicts():
        runs = (unsteady(fp16, sentence), unsteady(int8, sentence), with_streams(fp16, (1, 9.0)), with_soak(fp16))
        yield replace(report_of(*runs, spoilt, other, shipped=shipped, problems=problems), coverage=coverage())
    yield report_of(spoilt)


def test_a_report_holds_no_english_sentence(tmp_path):
    """The run that went wrong is the one that people read to the end."""
    for report in reports(tmp_path):
        assert english_in(render_html(report, lang="zh")) == []
        assert english_in(render_markdown(report, lang="zh")) == []
        assert len(english_in(render_html(report))) > 100  # the search itself finds what there is


def test_a_sentence_of_a_later_version_is_shown_and_marked(tmp_path):
    """It must not vanish, and a reader must see that it is no mistake of theirs."""
    later = disturbed(unsteady(board("int8", tmp_path), UNKNOWN), UNKNOWN)
    page = render_html(report_of(later), lang="zh")
    assert page.count(f'<span lang="en">{UNKNOWN}</span>（原文为英文，暂无译文）') == 2
    assert f"{UNKNOWN}（原文为英文，暂无译文）" in render_markdown(report_of(later), lang="zh")


def test_a_review_holds_no_english_sentence(tmp_path):
    """It goes to people who decide, and not all of them read English."""
    for runs in (
        (board("fp16", tmp_path), board("int8", tmp_path)),
        (disturbed(board("int8", tmp_path), "it is no JPEG"),),
    ):
        assert english_in(render_review_html(review_of(*runs), lang="zh")) == []


@pytest.mark.parametrize("labelled_by", ["people", "model"])
@pytest.mark.parametrize("passed", [True, False])
def test_an_evaluation_holds_no_english_sentence(tmp_path, labelled_by, passed):
    """The page by which INT8 ships or does not."""
    rows = of_evaluation.ROWS[1::2] if passed else of_evaluation.ROWS
    rows = (of_evaluation.row("all", 0.99, "kept"), *rows) if passed else rows
    gate = replace(of_evaluation.GATE, labelled_by=labelled_by, rows=rows)
    made = of_evaluation.evaluation(labelled_by=labelled_by, gate=gate)
    named = (
        replace(made.candidate, name="INT8 engine 0123456789abcdef"),
        replace(made.baseline, name="FP32 model itself"),
    )
    page = render_evaluation(replace(made, candidate=named[0], baseline=named[1]), tmp_path, lang="zh")
    assert english_in(page) == []
    for words in ("INT8 引擎 0123456789abcdef", "FP32 模型本身", "通过" if passed else "未通过", "各层", "小"):
        assert words in page
    assert ("未经人工标注" in page) == (labelled_by == "model")


def test_the_other_pages_hold_no_english_sentence(picture):
    """Kept frames, coverage, readiness."""
    refused = {
        "dark": ("yard 0123: it is black: 3 grey levels between its darkest and brightest parts",),
        "near duplicate": ("0123: it shows what frame 0123 does", "0123: it is old/a.jpg"),
        "flood": ("yard 01: its camera yard gave 75 % of 40 frames",),
    }
    refusal = (
        "5 of 20 new frames contradict what the device calls them, more than 20 %: the device calls its light day and "
        "dusk, measured here it is night"
    )
    notes = ("14 of 30 frames of camera yard are left out: it gave 75 % of all",)
    frames = of_field.page_of(picture, verdict=FieldVerdict(30, 4, refusal, refused, notes), lang="zh")
    assert english_in(frames) == []
    assert "设备判定其光照为白天、黄昏，在本机测得为夜间" in frames
    skipped = ("/a/c.jpg: not a picture that can be read", "/a/d.jpg: shows nearly the same as /a/e.jpg")
    seen = render_coverage(
        of_coverage.coverage(skipped=skipped), of_coverage.pictures(picture), created_utc="2001", lang="zh"
    )
    assert english_in(seen) == []
    left_out = [
        disturbed(UNTYPICAL[0]),
        replace(UNTYPICAL[0], conditions=replace(UNTYPICAL[0].conditions, governor="x")),
    ]
    left_out.append(replace(UNTYPICAL[0], conditions=replace(UNTYPICAL[0].conditions, scenario="soak")))
    ready = readiness_page("zh", results=[*left_out, *reversed(UNTYPICAL[1:])])
    assert english_in(ready) == []
    assert "时钟曾回拨" in ready and "调频策略 x，最新为 未知" in ready and "测量方式为“长时运行”" in ready
