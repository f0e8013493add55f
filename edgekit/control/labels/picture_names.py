"""Which picture of a set a labelling tool means: tools add folders, prefixes and underscores to names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from edgekit.control.yaml_files import did_you_mean

_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")  # which Label Studio puts before the name of an uploaded file


class PictureNames:
    """Finds the pictures of a set by what a tool calls them, as long as that means one picture and no other."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names)
        self._whole = {_alike(name): name for name in self._names}
        self._ends = _by_end(self._names, lambda name: name)
        self._stems = _by_end(self._names, _stem)

    @property
    def all(self) -> tuple[str, ...]:
        """The names of the set's pictures, sorted."""
        return tuple(self._names)

    def find(self, given: str, *, is_stem: bool = False) -> str | None:
        """The picture, or None if there is none, or more than one, that this may mean. is_stem: without its ending."""
        parts = [part for part in given.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        for last in (parts[-1:], [_UPLOAD_PREFIX.sub("", parts[-1])]) if parts else ():
            for start in range(len(parts)):
                found = self._one("__".join([*parts[:-1], *last][start:]), is_stem)
                if found is not None:
                    return found
        return None

    def nearest(self, given: str) -> str:
        """ "did you mean 'x'?" with the nearest name, or nothing."""
        return did_you_mean(PurePosixPath(given.replace("\\", "/")).name, self._names)

    def _one(self, name: str, is_stem: bool) -> str | None:
        key = _alike(name)
        if not is_stem and key in self._whole:
            return self._whole[key]
        found = (self._stems if is_stem else self._ends).get(key, set())
        exact = [one for one in found if _alike(_stem(one)) == key] if is_stem else []
        chosen = exact or sorted(found)
        return chosen[0] if len(chosen) == 1 else None


def _by_end(names: Iterable[str], spelt: Callable[[str], str]) -> dict[str, set[str]]:
    """Every end of every name that begins after two underscores, which stand for a folder -> the names that have it."""
    ends: dict[str, set[str]] = {}
    for name in names:
        parts = spelt(name).split("__")
        for start in range(len(parts)):
            ends.setdefault(_alike("__".join(parts[start:])), set()).add(name)
    return ends


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _alike(name: str) -> str:
    """A name as tools agree on it: macOS takes umlauts apart, web servers put underscores for spaces."""
    return unicodedata.normalize("NFC", name).replace(" ", "_")
