"""What is said of the pictures of a set, and by whom: their folder, their source, and tags: of set.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase


def is_named_like(name: str, pattern: str) -> bool:
    """True if a pattern of tags: means this picture, which it may know as "night__0001.jpg" or "night/0001.jpg"."""
    return fnmatchcase(name, pattern) or fnmatchcase(name.replace("__", "/"), pattern)


def all_tags(
    name: str, condition: str, of_source: Sequence[str], patterns: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """A picture's tags, each once, in the order folder, source, patterns."""
    matching = [tag for pattern, given in patterns.items() if is_named_like(name, pattern) for tag in given]
    return tuple(dict.fromkeys(tag for tag in (condition, *of_source, *matching) if tag))


def camera_of(tags: Sequence[str]) -> str:
    """The tag "camera-NAME", whose pictures stay together when a set is split; "" without one."""
    return next((tag for tag in tags if tag.startswith("camera-")), "")
