"""How engines were made is told in every form, and only what is known."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest

from edgekit.core.engine import EngineLayer
from edgekit.core.results import BenchResult
from edgekit.core.wire import from_wire, to_wire
from edgekit.report.html import render_html
from edgekit.report.load import ResultsFolder, load_results
from edgekit.report.making import making_facts
from edgekit.report.markdown import render_markdown
from edgekit.report.plots import precision_shares
from edgekit.report.summary import summarise
from edgekit.report.texts import LANGUAGES, text
from tests.made_up_engines import build_facts, layers, tensorrt_manifest
from tests.report.made_up import engine, result, tensorrt_result, write_results

FP16 = tensorrt_result("fp16", build=build_facts(layers=layers("fp16", 20), timing_cache="new"), warnings=())
INT8 = tensorrt_result("int8")


def report_of(*results):
    return summarise(
        results, ResultsFolder(tuple(results), ()), None, created_utc="2001-01-03T00:00:00Z", edgekit_version="0.0.0"
    )


EXPECTED = (
    "TensorRT's calibrator, on the device",
    "225 layers became 16",
    "Layer fusion",
    "Skipped kernels",
    "CaskConvolution 13",
    "sm72_xmma_fprop_implicit_gemm_interleaved 12",
    "parse 0.2 s, calibrate 12.5 s, build 301.0 s, check 1.8 s",
    "taken from the device's cache",
    "all measured anew (cold build)",
    "12.5 MiB",
    "1840 MiB at its peak, workspace limit 512 MiB",
    "0.013",
)


def plain(words):
    return words.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("&#39;", "'").replace("\\", "").replace("<wbr>", "")


def test_the_page_and_the_text_tell_how_an_engine_was_made():
    """A figure without its making cannot be repeated."""
    report = report_of(FP16, INT8)
    page, written = plain(render_html(report)), plain(render_markdown(report))
    for form in (page, written):
        assert [words for words in EXPECTED if words not in form] == []
    assert "INT8 13, FP16 2, not told 1" in written
    assert "INT8 13</li>" in page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_engine_without_build_facts_leaves_no_empty_place(lang):
    """ONNX Runtime tells nothing of its layers; a page of "none" would look like a failed build."""
    assert making_facts(engine(), lang) == ()
    assert making_facts(engine("int8"), lang) == ()
    report = report_of(result(), result("int8"))
    page, written = render_html(report, lang=lang), render_markdown(report, lang=lang)
    assert "shares" not in page.split("</style>")[1]
    assert "<dd></dd>" not in page
    assert text(lang, "made") not in written
    assert text(lang, "word_fusion").split("|")[0] not in written


def test_the_golden_distance_is_explained_wherever_it_is_shown():
    """ONNX Runtime's engines have one too, and a bare 0 beside "golden distance" says nothing."""
    shown = render_markdown(report_of(dataclasses.replace(result(), engine=engine(golden_distance=0.0))))
    assert "**golden distance**: 0" in shown and text("en", "word_golden").split("|")[1] in shown
    assert text("en", "word_golden").split("|")[1] not in render_markdown(report_of(result()))


def test_an_engine_whose_layers_are_not_known_shows_the_rest():
    """A plan built without details still has its time and its memory."""
    told = dict(making_facts(tensorrt_manifest(build=build_facts(layers=())), "en"))
    assert "layer fusion" not in told
    assert told["memory to run"].startswith("12.5")


def test_the_bar_of_precisions_is_whole():
    """Its parts lie side by side, narrowest precision first, and fill it."""
    shares = precision_shares(INT8.engine)
    assert [(share.precision, share.layers) for share in shares] == [("int8", 13), ("fp16", 2), ("", 1)]
    assert shares[0].left_pct == 0
    assert shares[-1].left_pct + shares[-1].width_pct == pytest.approx(100)
    assert all(b.left_pct == pytest.approx(a.left_pct + a.width_pct) for a, b in itertools.pairwise(shares))
    assert precision_shares(engine()) == ()


def test_what_is_not_listed_is_counted():
    """Six kinds are enough for a card; that there are more must be said."""
    many = tuple(EngineLayer(f"l{index}", f"Kind{index}", "fp16") for index in range(9))
    told = dict(making_facts(tensorrt_manifest(build=build_facts(layers=many)), "en"))
    assert told["kinds of layers"].endswith("and 3 more")


def test_layers_that_left_the_dla_are_named():
    """Each of them costs a copy to the GPU and back."""
    facts = build_facts(
        dla_fallback=("/head/Softmax",), layers=(EngineLayer("{ForeignNode}", "DLA", "int8", on_dla=True),)
    )
    told = dict(making_facts(tensorrt_manifest(build=facts), "en"))
    assert told["not on the DLA"] == "/head/Softmax"
    assert told["on the DLA"] == "1 of 1"


HOSTILE = '"></svg><script>alert(1)</script>'


def test_names_from_an_engine_cannot_become_markup():
    """Layers are named by whoever made the model."""
    bad = build_facts(
        layers=(EngineLayer(HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        notes=(HOSTILE,),
        timing_cache=HOSTILE,
        seconds={HOSTILE: 1},
    )
    report = report_of(tensorrt_result("int8", build=bad))
    assert "<script>" not in render_html(report)
    assert "<script>" not in render_markdown(report)


def test_a_result_with_build_facts_survives_its_file(tmp_path):
    """Facts that a result file loses never reach a report."""
    found = load_results(write_results(tmp_path, INT8))
    assert found.results == (INT8,)
    assert from_wire(BenchResult, json.loads(json.dumps(to_wire(INT8)))) == INT8
