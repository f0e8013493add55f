"""Sentences that results carry: written from templates with a stable code, and read back by them.

A result keeps the English sentence itself, so that every version can show it, and a history can keep it as text. Who
shows it in another language looks up which template it was written from, and with which values. So a code keeps its
template for good: to reword a sentence, add a code, and leave the old one to be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import Dict, List, Mapping, Optional, Tuple

_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")
_LONGEST = 4000  # characters: a sentence beyond it was written by nobody here


@dataclass(frozen=True)
class Said:
    """What a sentence was written from. values: as they are printed in it."""

    code: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class _Field:
    """One blank. before: the words between it and the blank before it."""

    before: str
    name: str
    is_number: bool


class Sentences:
    """The sentences of one subject: code -> template.

    A blank with a format, "{change:.0f}", is a number; one without is a name, a list of them, or another sentence. Two
    blanks have words between them. The first template that fits is taken, those with most words of their own first.
    """

    def __init__(self, templates: Mapping[str, str]) -> None:
        self.templates = dict(templates)
        parsed = [(code, *_parse(template)) for code, template in self.templates.items()]
        self._parsed: List[Tuple[str, List[_Field], str]] = sorted(parsed, key=lambda one: -_own_words(*one[1:]))

    def say(self, code: str, /, **values: object) -> str:
        """The sentence. An unknown code or a missing value is our own mistake: KeyError."""
        return self.templates[code].format(**values)

    def read(self, sentence: str) -> Optional[Said]:
        """What it was written from; None for what none of the templates gives."""
        if len(sentence) > _LONGEST:
            return None
        for code, fields, end in self._parsed:
            values = _values(fields, end, sentence)
            if values is not None:
                return Said(code, values)
        return None


def _parse(template: str) -> Tuple[List[_Field], str]:
    """The blanks in order, and the words behind the last."""
    fields: List[_Field] = []
    words = ""
    for before, name, form, _ in Formatter().parse(template):
        words += before
        if name is not None:
            if fields and not words:
                raise ValueError(f"two blanks side by side: {template!r}")
            fields.append(_Field(words, name, bool(form)))
            words = ""
    return fields, words


def _own_words(fields: List[_Field], end: str) -> int:
    return len(end) + sum(len(field.before) for field in fields)


def _values(fields: List[_Field], end: str, sentence: str) -> Optional[Dict[str, str]]:
    """Name -> what stands in the blank; None if the words around do not fit. Each blank ends where the next words are
    found first, so that time grows with the length alone, whatever a file says."""
    if not fields:
        return {} if sentence == end else None
    if not sentence.startswith(fields[0].before) or not sentence.endswith(end):
        return None
    values: Dict[str, str] = {}
    at = len(fields[0].before)
    for field, words in zip(fields, [*(field.before for field in fields[1:]), None]):
        stop = len(sentence) - len(end) if words is None else sentence.find(words, at + 1)
        value = sentence[at:stop]
        if stop <= at or (field.is_number and not _NUMBER.fullmatch(value)):
            return None
        values[field.name] = value
        at = stop + len(words or "")
    return values
