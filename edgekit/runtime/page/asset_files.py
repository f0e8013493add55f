"""The page's own files, as they lie beside this one."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Dict, NamedTuple

_FOLDER = Path(__file__).with_name("assets")
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Asset(NamedTuple):
    """One file, and what it is served as."""

    media_type: str
    content: bytes


@functools.lru_cache(maxsize=None)
def assets() -> Dict[str, Asset]:
    """The files by the paths that they are served under."""
    return {path: Asset(media_type, (_FOLDER / name).read_bytes()) for path, (name, media_type) in _FILES.items()}


@functools.lru_cache(maxsize=None)
def page_digest() -> str:
    """Tells one version of the page from another."""
    return hashlib.sha256(b"".join(asset.content for asset in assets().values())).hexdigest()[:16]
