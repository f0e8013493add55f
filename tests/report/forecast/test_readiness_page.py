"""The readiness page: complete, self-contained, in both languages, and it fits a phone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edgekit.report.forecast.outlook import Wish
from edgekit.report.forecast.page import render_readiness
from edgekit.report.forecast.readiness import STATES, Subject, readiness
from edgekit.report.forecast.texts import _TABLE, text
from tests.report.forecast.made_up_history import reference, release, releases
from tests.report.test_page import Outline, plain

GAINS = (1.8, 1.82, 1.79, 1.81, 1.8, 1.2)
UNTYPICAL = [made for n, gain in enumerate(GAINS) for made in (reference(n, 10.0), release(n, 10.0 * gain))]
EVIL = '<script>alert("1")</script>'


def found(results=None, targets=None, device: str = "local"):
    subjects = [Subject(device, "roadscene", targets if targets is not None else {"fps": 25.0, "p99_ms": 90.0})]
    subjects.append(Subject("nowhere", "a-detector-with-a-name-that-nobody-would-choose", {"watts": 10.0}))
    return readiness(subjects, UNTYPICAL if results is None else results, Wish({}))


def page(lang: str = "en", **given) -> str:
    return render_readiness(found(**given), created_utc="2001-01-03T00:00:00Z", edgekit_version="0.0.0", lang=lang)


def words(lang: str = "en", **given) -> str:
    return plain(" ".join(Outline(page(lang, **given)).words))


def test_the_page_says_what_the_forecast_says():
    """It is what people see who never type a command."""
    seen = words()
    for expected in (
        "roadscene on local",
        "not met",
        "12.0 FPS",
        "≥ 25.0 FPS",
        "Next release",
        "INT8 gains 20 % over FP32",
    ):
        assert expected in seen, expected
    assert "edgekit inspect int8-5 --device local --layers" in seen
    assert "Measure it: edgekit bench --fps --device nowhere" in seen


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_is_fetched_and_nothing_runs(lang):
    """It is sent by mail and opened anywhere."""
    outline = Outline(page(lang))
    assert "script" not in outline.tags
    assert [one for one in outline.addresses if not one.startswith(("#", "data:"))] == []


def test_names_from_result_files_are_only_text():
    """Whoever can write a result file must not write the page."""
    evil = [replace(one, device=EVIL) for one in releases([10.0] * 6)]
    assert EVIL not in page(results=evil, device=EVIL)


def test_few_releases_are_told_to_be_too_few():
    """An empty chart would look like a promise."""
    seen = words(results=releases([10.0, 11.0, 12.0]))
    assert "too little history: 3 of 5 releases" in seen
    assert "nothing can be forecast yet" in seen and "+0" not in seen


def test_chinese_leaves_no_sentence_in_english_but_file_facts():
    """Half a translation is none. Commands, names and reasons about files stay as they are."""
    seen = re.sub(r"[^\x00-\x7f]", "", words("zh", targets={"fps": 25.0}))
    seen = re.sub(r"edgekit [\w .-]+|a-detector[\w-]*|[\d.:,%+×≥≤()/-]+", " ", seen)
    left = set(seen.split()) - {
        "roadscene",
        "local",
        "nowhere",
        "FPS",
        "ms",
        "MiB",
        "W",
        "INT",
        "FP",
        "UTC",
        "mAP",
        "edgekit",
    }
    assert {word for word in left if len(word) > 3} == set()


def test_every_text_has_both_languages_and_the_same_names():
    """A missing {name} would end the page with an error, in one language only."""
    for key, (english, chinese) in _TABLE.items():
        assert english and chinese, key
        assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", chinese)), key
    assert all(text(lang, state) and text(lang, f"{state}_is") for lang in ("en", "zh") for state in STATES)
