"""The page and the text: complete, self-contained, honest, safe to open."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from edgekit.core.limits import Limits
from edgekit.core.preflight import Preflight, Setting
from edgekit.core.stats import Rate
from edgekit.report.document import report_document
from edgekit.report.html import render_html
from edgekit.report.load import ResultsFolder, Shipped
from edgekit.report.markdown import render_markdown
from edgekit.report.samples import MOST_SAMPLES, load_samples
from edgekit.report.summary import summarise
from edgekit.report.texts import _TABLE, LANGUAGES, text
from tests.report.made_up import (
    PROFILE,
    coverage,
    disturbed,
    engine,
    in_rounds,
    powered,
    result,
    with_soak,
    with_streams,
)

FP32 = result()
INT8 = result("int8", map50_95=0.494, engine=engine("int8", warnings=("only 120 pictures",)))
SHIPPED = Shipped("int8", "INT8 keeps enough and is faster.", INT8.engine.engine_id, "0123456789abcdef")


def report_of(*results, shipped=None, problems=()):
    return summarise(
        results,
        ResultsFolder(tuple(results), tuple(problems)),
        shipped,
        created_utc="2001-01-03T00:00:00Z",
        edgekit_version="0.0.0",
    )


def plain(words):
    """Narrow spaces as plain ones, for texts that are easy to type."""
    return words.replace("\N{NARROW NO-BREAK SPACE}", " ")


REPORT = report_of(FP32, INT8, shipped=SHIPPED)


class Outline(HTMLParser):
    """Every element left open or closed out of order, every address, every visible word."""

    VOID = ("meta", "link", "img", "br", "wbr")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.addresses, self.words, self.tags = [], [], [], []
        self.feed(page)
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action", "data", "poster")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_is_well_formed_and_fetches_nothing(lang):
    """It is mailed around and opened years later, on machines without network."""
    page = render_html(REPORT, lang=lang)
    outline = Outline(page)
    assert all(address.startswith("data:") for address in outline.addresses)
    assert "script" not in outline.tags
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page
    assert "url(" not in page


def test_the_headline_is_the_shipped_engine_with_interval_meaning_and_accuracy():
    """What everyone reads first must say what it is."""
    words = Outline(render_html(REPORT)).text
    for expected in (
        "40.0 FPS",
        "pipeline FPS, INT8",
        "95 % interval 39.2 to 40.8",
        "2.00 times FP32",
        "not 1000 / inference ms",
        "0.494",
        "98.8 % of FP32 kept",
        "220 pictures of roadscene-frozen",
        "INT8 keeps enough and is faster.",
        "only 120 pictures",
        "0123456789abcdef",
    ):
        assert expected in words, expected


def test_figures_from_a_pc_are_said_to_be_no_jetsons():
    """Nobody may take a laptop's FPS for a board's."""
    assert "not from a Jetson" in Outline(render_html(REPORT)).text
    assert "not from a Jetson" in render_markdown(REPORT)
    board = replace(FP32, profile=replace(PROFILE, module="orin-nano-8gb", l4t="36.4.3"))
    assert "not from a Jetson" not in Outline(render_html(report_of(board))).text


def test_what_was_not_measured_is_said_and_never_zero():
    """Power, accuracy and memory are often unknown."""
    bare = replace(result(map50_95=None), measurement=replace(FP32.measurement, memory_peak_mib=None, stages={}))
    row = re.compile(r"<th scope=\"row\">Mean power.*?</tr>", re.DOTALL)
    for page in (render_html(report_of(bare)), render_html(REPORT)):
        cells = row.search(page).group()
        assert "not measured" in cells
        assert ">0" not in cells
    assert "| Peak memory | not measured |" in render_markdown(report_of(bare))
    assert "Accuracy: not measured." in render_markdown(report_of(bare))


def test_one_engine_alone_claims_no_change():
    """There is no before, so there may be no after."""
    words = Outline(render_html(report_of(FP32))).text
    assert "Before and after" not in words
    assert "Only one engine was measured" in words
    assert "times FP32" not in words


def test_a_gain_within_the_noise_is_no_headline():
    """ "1.06 times FP32" beside overlapping intervals would be a claim that the run does not support."""
    close = result("int8", fps=20.3)
    assert "times FP32" not in Outline(render_html(report_of(FP32, close))).text


def test_an_unsteady_rate_is_said_beside_the_headline():
    """A figure of a throttling board must not stand alone."""
    words = Outline(render_html(report_of(result(stable=False)))).text
    assert "was not steady" in words
    assert "windows differ by 25 %" in plain(words)
    both = report_of(result(stable=False), INT8, shipped=SHIPPED)
    assert "19.6–20.4 unsteady" in Outline(render_html(both)).text
    assert "20.0 FPS (unsteady)" in render_markdown(both)


def test_a_deployed_engine_that_was_not_measured_is_named():
    """The headline is then another engine's, and must not pass for what runs."""
    other = replace(SHIPPED, engine_id="unmeasured-engine")
    assert "unmeasured-engine is not among these results" in Outline(render_html(report_of(FP32, shipped=other))).text


def test_left_out_results_and_broken_files_are_listed():
    """Silence about them would make the page look complete."""
    other = replace(
        FP32, result_id="another", conditions=replace(FP32.conditions, batch=8), created_utc="2000-01-01T00:00:00Z"
    )
    report = report_of(other, FP32, INT8, problems=("x.json: not readable as JSON",))
    for words in (Outline(render_html(report)).text, render_markdown(report)):
        assert "conditions.batch: 1 and 8" in words
        assert "x.json: not readable as JSON" in words


HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>|`x`\n# boo"


def test_text_from_result_files_cannot_become_markup():
    """Result files come from boards and colleagues; the page is opened in a browser that is logged in elsewhere."""
    bad = replace(
        FP32,
        device=HOSTILE,
        result_id=HOSTILE,
        profile=replace(PROFILE, module=HOSTILE, cpu_name=HOSTILE, backend=HOSTILE),
        engine=engine(detector=HOSTILE, warnings=(HOSTILE,), tool_versions={HOSTILE: HOSTILE}),
        conditions=replace(FP32.conditions, source=HOSTILE),
        accuracy=replace(FP32.accuracy, dataset=HOSTILE, per_condition={HOSTILE: 0.5}),
    )
    told = powered(bad, 9.0)
    energy = replace(told.measurement.energy, of=HOSTILE, sensor=HOSTILE, rails_w={HOSTILE: 1.0})
    machine = replace(told.measurement.machine, hottest_zone=HOSTILE)
    strata = replace(told.accuracy, per_stratum={HOSTILE: 0.5}, per_size={HOSTILE: 0.5}, per_class={HOSTILE: 0.5})
    bad = replace(
        told,
        measurement=replace(told.measurement, energy=energy, machine=machine, disturbances=(HOSTILE,)),
        accuracy=strata,
        conditions=replace(told.conditions, governor=HOSTILE),
        preflight=Preflight((Setting("fan", HOSTILE),), 1.0, (HOSTILE,), tuned=(HOSTILE,), findings=(HOSTILE,)),
        git_branch=HOSTILE,
    )
    report = report_of(bad, shipped=Shipped(HOSTILE, HOSTILE, bad.engine.engine_id, HOSTILE), problems=(HOSTILE,))
    for lang in LANGUAGES:
        outline = Outline(render_html(report, lang=lang))
        assert "script" not in outline.tags
        assert "img" not in outline.tags
    written = render_markdown(report)
    assert "<script>" not in written
    assert not any(line.startswith("# boo") for line in written.splitlines())
    tables = [line for line in written.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


@pytest.mark.parametrize("key", sorted(_TABLE))
def test_every_text_has_the_same_blanks_in_every_language(key):
    """A forgotten {name} is a KeyError on a Chinese page only."""
    blanks = [sorted(re.findall(r"{(\w+)}", words)) for words in _TABLE[key]]
    assert all(found == blanks[0] for found in blanks)
    assert all(words.strip() for words in _TABLE[key])
    assert _TABLE[key][0].count("|") == _TABLE[key][1].count("|")


def test_no_english_sentence_is_left_on_the_chinese_page():
    """A half-translated page reads as a broken one; names, units and the kit's own records may stay."""
    differing = [words[0] for words in _TABLE.values() if words[0] != words[1]]
    english = [words for words in differing if re.search(r"\w \w", words) and "{" not in words]
    page = Outline(render_html(REPORT, lang="zh")).text
    assert [sentence for sentence in english if sentence in page] == []
    assert text("zh", "before_after") in page


def test_two_engines_of_one_precision_are_told_apart():
    """The day-only calibration is shown beside the full one; two columns called INT8 would be useless."""
    day = result("int8", engine=engine("int8", engine_id="d" * 16, calibration_images=120))
    assert report_of(FP32, INT8, day).names == ("FP32", "INT8 (300)", "INT8 (120)")
    same = result("int8", engine=engine("int8", engine_id="d" * 16))
    assert "INT8 (dddddd)" in report_of(FP32, INT8, same).names


def test_the_json_form_holds_headline_rows_and_results():
    """Other programs read it: it must be JSON, and say null for what is unknown."""
    document = json.loads(json.dumps(report_document(REPORT), allow_nan=False))
    assert document["headline"]["pipeline_fps"] == 40.0
    assert document["headline"]["deployed"] is True
    assert document["headline"]["is_jetson"] is False
    power = next(row for row in document["comparison"] if row["key"] == "power_mean")
    assert power["values"] == [None, None]
    assert len(document["results"]) == 2


def test_markdown_tables_have_equal_columns():
    """One missing bar and the whole table shows as text."""
    width = 0
    for line in render_markdown(REPORT).splitlines():
        bars = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert bars == 0 or width in (0, bars)
        width = bars


def test_samples_are_embedded_small_and_with_their_name(tmp_path):
    """A folder of 4K frames must not become a page of a hundred megabytes."""
    folder = tmp_path / "samples"
    folder.mkdir()
    for index in range(MOST_SAMPLES + 2):
        cv2.imwrite(str(folder / f"scene-{index}.png"), np.full((1080, 1920, 3), 25 * index, np.uint8))
    (folder / "0-broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    samples = load_samples(folder)
    assert [sample.name for sample in samples] == [f"scene-{index}" for index in range(MOST_SAMPLES)]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(samples[3].uri.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (540, 960, 3)
    assert abs(float(picture.mean()) - 75) < 2
    page = render_html(REPORT, samples=samples)
    Outline(page)
    assert page.count('alt="Detections drawn on scene-') == MOST_SAMPLES
    assert load_samples(tmp_path / "none") == ()


ENGINE_ALONE = replace(
    FP32,
    conditions=replace(FP32.conditions, scenario="engine"),
    measurement=replace(
        FP32.measurement,
        pipeline_rate=None,
        stages={},
        engine_rate_without_graph=Rate(15, 14.9, 15.1, 10, True, "stable"),
    ),
)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "made", [ENGINE_ALONE, with_streams(INT8, (1, 40.0), (2, 40.0)), with_soak(INT8)], ids=["engine", "streams", "soak"]
)
def test_a_page_about_another_scenario_says_what_its_headline_is(made, lang):
    """An engine's rate under the words of a pipeline is the very mistake that others make."""
    report = report_of(made)
    scenario = made.conditions.scenario
    for words in (Outline(render_html(report, lang=lang)).text, render_markdown(report, lang=lang)):
        assert text(lang, f"fps_means_{scenario}") in words
        assert text(lang, "fps_means_pipeline") not in words
    assert report_document(report)["headline"]["scenario"] == scenario
    assert (report_document(report)["headline"]["pipeline_fps"] is None) == (scenario == "engine")


def test_an_engine_alone_reaches_no_target_of_a_pipeline():
    """And its gain by a CUDA graph is told for what it is."""
    report = replace(report_of(ENGINE_ALONE), targets=Limits(fps=1))
    words = plain(render_markdown(report))
    assert "is not known: it was not measured" in words
    assert "Launched as a CUDA graph the engine of FP32 gives 1.37 times the rate" in words
    assert "Where the time goes" not in words


def test_a_disturbed_run_is_marked_in_both_forms():
    """The reason stands at the top, where the figure is read."""
    report = report_of(disturbed(FP32))
    for words in (Outline(render_html(report)).text, render_markdown(report)):
        assert words.index("the GPU was throttled for 2.1 s") < words.index("Figures")


def test_what_the_calibration_pictures_lack_is_on_the_page():
    """In the same words in both forms."""
    report = replace(report_of(FP32, INT8), coverage=coverage())
    for words in (Outline(render_html(report)).text, render_markdown(report)):
        assert "fog 0 (0 %) missing" in plain(words)
        assert "300 pictures of roadscene, beside the 100 of roadscene-frozen" in words


@pytest.mark.parametrize(("lang", "night", "small"), [("en", "Light: night", "small"), ("zh", "光照：夜间", "小")])
def test_strata_are_named_as_people_name_them(lang, night, small):
    """ "light:night" is the name of a field; what is no stratum stays as it is."""
    told = replace(FP32.accuracy, per_stratum={"light:night": 0.4, "tag:gate": 0.5}, per_size={"small": 0.1})
    report = report_of(replace(FP32, accuracy=told))
    for words in (Outline(render_html(report, lang=lang)).text, render_markdown(report, lang=lang)):
        assert night in words
        assert "tag:gate" in words
        assert f"{small} |" in words or f" {small} " in words


def test_of_several_rounds_the_median_is_the_headline_with_the_lowest_and_the_highest():
    """The same figure that `edgekit bench` prints, in every form."""
    report = report_of(*in_rounds("fp32", 20, 21, 19, 20.4), *in_rounds("int8", 40, 44, 38, 41), shipped=SHIPPED)
    for words in (Outline(render_html(report)).text, plain(render_markdown(report))):
        assert "median of 4 rounds in turns, 38.0 to 44.0" in words
        assert "95 % interval 38" not in words
    assert "40.5 FPS" in Outline(render_html(report)).text
    assert "各轮的中位数" in render_html(report, lang="zh")
    head = report_document(report)["headline"]
    assert (head["rounds"], head["pipeline_fps"], head["pipeline_fps_low"]) == (4, 40.5, 38.0)


def test_a_share_that_misses_the_limit_by_a_hair_does_not_read_as_if_it_met_it():
    """98.498 % is not 98.5 %, on no place of the page."""
    report = report_of(FP32, result("int8", map50_95=0.49249), shipped=SHIPPED)
    words = plain(Outline(render_html(report)).text)
    assert "98.4 % of FP32 kept" in words
    assert "98.5 % of FP32 kept" not in words
    row = next(row for row in report.comparison.rows if row.key == "map_kept")
    assert row.values == (100.0, 98.4)
