"""No sentence without its Chinese: every code of every table, and no sentence past the tables."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import re
from pathlib import Path
from string import Formatter

import pytest

import edgekit.core
from edgekit.core import camera_failures
from edgekit.core.collecting import REASONS
from edgekit.core.disturbances import GPU_PROTECTS_ITSELF
from edgekit.core.refresh import OUTCOMES
from edgekit.core.sentences import Sentences
from edgekit.report.field.texts import reason_text
from edgekit.report.recorded.machine_texts import WORDS
from edgekit.report.recorded.saying import recorded
from edgekit.report.recorded.tables import TABLES
from edgekit.report.review.texts import review_text

CODES = [(name, code) for name, table in TABLES.items() for code in table.english.templates]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What stands in a blank that has to be known itself.
PARTS = {
    "sentence": "it is no JPEG",
    "advice": "lock them: edgekit bench --tune, or sudo jetson_clocks",
    "word": "stalled",
    "parts": "3 show nothing, 2 cannot be read",
    "scenario": "soak",
}
# Clauses that are put together from parts, so that no string holds them.
JOINED = (
    "good new frames are of camera",
    "% of one would calibrate for that camera alone",
    "reading it took longer than",
    "reading it ended the process that did it",
    "it is black",
    "it is of one brightness",
    "it is frame",
    "it shows what frame",
    "it keeps",
    "'s mAP50-95 and its inference is",
    "is not a valid BenchResult",
)
OF_REPORT = ("left_out", "conditions", "clock")  # written by these very tables
WRITING_CORE = [
    importlib.import_module(f"edgekit.core.{one.name}") for one in pkgutil.iter_modules(edgekit.core.__path__)
]
WRITING_CORE = [module for module in WRITING_CORE if isinstance(getattr(module, "SENTENCES", None), Sentences)]


def blanks(template):
    return [(name, form) for _, name, form, _ in Formatter().parse(template) if name]


@pytest.mark.parametrize("name", TABLES)
def test_both_sides_have_the_same_codes(name):
    """A sentence that somebody adds to core fails here until it can be said in Chinese."""
    assert set(TABLES[name].english.templates) == set(TABLES[name].chinese)


@pytest.mark.parametrize(("name", "code"), CODES)
def test_every_code_is_said_in_chinese_with_all_its_values(name, code):
    """Written, read back and said: what a page does with it."""
    table = TABLES[name]
    english, chinese = table.english.templates[code], table.chinese[code]
    names = {blank for blank, _ in blanks(english)}
    assert {blank for blank, _ in blanks(chinese)} == names
    assert not any(form for _, form in blanks(chinese)), "values are printed already"
    values = {blank: 7 if form else PARTS.get(blank, "x1") for blank, form in blanks(english)}
    said = recorded("zh", table.english.say(code, **values))
    assert said.note == ""
    assert CHINESE.search(said.text) or code == "fan_at"
    assert all(str(value) in said.text for blank, value in values.items() if blank not in PARTS)


def test_every_table_of_core_has_its_chinese():
    """A new module with sentences would be English on every Chinese page."""
    assert len(WRITING_CORE) >= 3
    known = [table.english for table in TABLES.values()]
    assert [module.__name__ for module in WRITING_CORE if module.SENTENCES not in known] == []


@pytest.mark.parametrize("module", WRITING_CORE, ids=lambda module: module.__name__)
def test_no_sentence_is_written_past_its_table(module):
    """An f-string beside the table would be a sentence without a code."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    told = {id(node.body[0].value) for node in functions if ast.get_docstring(node)}
    texts = [
        node
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]
    assert [node.value for node in texts if re.search(r"[A-Za-z]{2,} [a-z]{2,}", node.value)] == []


@functools.lru_cache(maxsize=1)
def written():
    """Every string of the code that writes sentences, the tables of the reports aside."""
    root = Path(edgekit.__file__).parent
    paths = [path for part in ("core", "runtime", "control") for path in (root / part).rglob("*.py")]
    paths += [root / "report" / "load.py", root / "cli" / "tables" / "field.py"]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    found = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(text for text in found if isinstance(text, str))


@pytest.mark.parametrize(("name", "code"), [(name, code) for name, code in CODES if name not in OF_REPORT])
def test_what_is_to_be_read_is_what_is_written(name, code):
    """The device's programs write some sentences themselves: who rewords one has to add it here."""
    words = " | ".join(before for before, *_ in Formatter().parse(TABLES[name].english.templates[code]))
    clauses = [clause.strip() for clause in re.split(r"[|,:;()/]", words)]
    clauses = [clause for clause in clauses if " " in clause and clause not in JOINED]
    assert [clause for clause in clauses if clause not in written()] == []


def test_every_word_that_may_stand_in_a_blank_is_known():
    """ "hardware slowdown" in the middle of a Chinese sentence."""
    assert set(GPU_PROTECTS_ITSELF.values()) <= set(WORDS)
    assert {kind for kind, _, _ in camera_failures._KNOWN} <= set(TABLES["camera"].english.templates)
    for outcome in OUTCOMES:
        assert CHINESE.search(review_text("zh", f"outcome_{outcome}", count="3"))
    assert all(CHINESE.search(part) for reason in REASONS for part in reason_text("zh", reason))
