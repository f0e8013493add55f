"""The English that is left on a page in another language: runs of words, without names, units, commands and paths."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import List, Tuple

_COMMAND = re.compile(r"(?:edgekit|sudo)(?: [\w./=-]+)+")
_PATH = re.compile(r"\S*[/\\=_]\S*|\S+\.\w+\b")
_WORDS = re.compile(r"(?:[A-Za-z][a-z'-]*,? ){2,}[a-z][a-z'-]+")
_TOLD = ("alt", "title", "aria-label")


class _Page(HTMLParser):
    """Its texts; what is marked as English with a note behind it is honest, and left out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: List[str] = []
        self._open: List[Tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.texts += [told[name] for name in _TOLD if told.get(name)]
        if tag not in ("meta", "link", "img", "br", "wbr"):
            self._open.append((tag, tag != "html" and told.get("lang") == "en"))

    def handle_endtag(self, tag):
        self._open.pop()

    def handle_data(self, data):
        if not any(tag in ("style", "code") or marked for tag, marked in self._open):
            self.texts.append(data)


def english_in(page: str) -> List[str]:
    """Three words and more in a row."""
    texts = (_PATH.sub("|", _COMMAND.sub("|", " ".join(text.split()))) for text in _Page(page).texts)
    return [found for text in texts for found in _WORDS.findall(text)]
