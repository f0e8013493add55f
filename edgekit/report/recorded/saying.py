"""A recorded English sentence in the language of a page. What no table knows stays as it is, and says so. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from edgekit.core.disturbances import GPU_PROTECTS_ITSELF
from edgekit.core.results import SCENARIOS
from edgekit.core.sentences import Said
from edgekit.report import numbers
from edgekit.report.coverage.texts import stratum_name
from edgekit.report.recorded.build_texts import PHASES
from edgekit.report.recorded.machine_texts import WORDS
from edgekit.report.recorded.tables import TABLES, Table
from edgekit.report.texts import text

_PERCENT = re.compile(r"(?<=\d)%")  # as sentences were written before figures and units stood apart
_BETWEEN = re.compile(r"; |, (?=\d)")  # "power mode 15W, not MAXN; batch 1, not 8", or "3 show nothing, 2 cannot ..."
_DEEPEST = 4  # sentences in sentences


@dataclass(frozen=True)
class Recorded:
    """text: of the page's language, or English with a note that there is no translation: a later edgekit wrote it."""

    text: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.text}{self.note}"


def recorded(lang: str, sentence: str) -> Recorded:
    """A recorded sentence in "en" or "zh"."""
    if lang == "en":
        return Recorded(numbers.percent_apart(sentence))
    found = _sentence(_PERCENT.sub(" %", sentence), 0)
    return Recorded(found) if found else Recorded(numbers.percent_apart(sentence), text(lang, "untranslated"))


def recorded_all(lang: str, sentences: Iterable[str]) -> str:
    """Several of them, one after the other."""
    return text(lang, "clause_comma").join(str(recorded(lang, one)) for one in sentences)


def recorded_word(lang: str, word: str) -> str:
    """A word or value that a result carries: "full", "module input", "build". A name stands for itself."""
    if lang == "en":
        return word
    return WORDS.get(word) or PHASES.get(word) or _sentence(word, 0) or word


def _sentence(sentence: str, depth: int) -> str | None:
    """In Chinese; None if no table knows it, or a sentence that is part of it."""
    if depth > _DEEPEST:
        return None
    for table in TABLES.values():
        said = table.english.read(sentence)
        told = _told(table, said, depth) if said else None
        if told is not None:
            return told
    return None


def _told(table: Table, said: Said, depth: int) -> str | None:
    values: dict[str, str] = {}
    for name, value in said.values.items():
        told = _BLANKS.get(name, _as_it_is)(value, depth + 1)
        if told is None:
            return None
        values[name] = told
    return table.chinese[said.code].format(**values)


def _as_it_is(value: str, depth: int) -> str:
    return value


def _if_known(value: str, depth: int) -> str:
    return WORDS.get(value) or _sentence(value, depth) or value


def _known_word(value: str, depth: int) -> str | None:
    return WORDS.get(value)


def _names(value: str, depth: int) -> str:
    return value.replace(", ", "、")


def _reasons(value: str, depth: int) -> str:
    """Of a GPU: some have a comma of their own."""
    for english in GPU_PROTECTS_ITSELF.values():
        value = value.replace(english, WORDS[english])
    return _names(value, depth)


def _parts(value: str, depth: int) -> str | None:
    """Sentences behind one another, each of which has to be known."""
    told = [_sentence(part, depth) for part in _BETWEEN.split(value)]
    return None if None in told else "；".join(part for part in told if part)


def _scenario(value: str, depth: int) -> str:
    return text("zh", f"scenario_{value}") if value in SCENARIOS else value


def _turns(value: str, depth: int) -> str:
    return value.replace(" -> ", " → ")


def _strata(value: str, depth: int) -> str:
    return "、".join(stratum_name("zh", name) for name in value.split(" and "))


# What stands in a blank, by its name: None makes the whole sentence unknown. Any other is a name or a number.
_BLANKS: Mapping[str, Callable[[str, int], str | None]] = {
    "sentence": _sentence,
    "advice": _sentence,
    "word": _known_word,
    "value": _if_known,
    "wanted": _if_known,
    "what": _if_known,
    "reason": _if_known,
    "programs": _names,
    "alerts": _names,
    "names": _names,
    "reasons": _reasons,
    "parts": _parts,
    "turns": _turns,
    "scenario": _scenario,
    "axis": _strata,
    "strata": _strata,
    "stratum": _strata,
}
