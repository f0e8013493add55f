"""Names for the sources of one run: short, fit for a file's name, and without anything secret of their addresses."""

from __future__ import annotations

import posixpath
import re
from typing import List, Sequence
from urllib.parse import unquote, urlsplit

MOST_STREAMS = 64
_UNFIT_FOR_NAMES = re.compile(r"[^\w.-]+")
STREAM_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,62}")
STREAM_NAME_RULE = "expected letters, digits, hyphens, dots and underlines, at most 63"


def stream_names(uris: Sequence[str]) -> List[str]:
    """A short name for each address: "front" for videos/front.mp4, "csi-0" for csi://0, the host of an RTSP camera.

    Of equal names the later ones get a number: "scenes", "scenes-2".
    """
    names: List[str] = []
    for uri in uris:
        wanted, count = _name_of(uri), 1
        name = wanted
        while name in names:
            count += 1
            name = f"{wanted}-{count}"
        names.append(name)
    return names


def _name_of(uri: str) -> str:
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return _name_of_path(uri)
    if scheme.lower() == "file":
        return _name_of_path(unquote(rest))
    if scheme.lower() == "csi":
        return _fit(f"csi-{rest.partition('?')[0]}")
    if scheme.lower() == "v4l2":
        return _fit(posixpath.basename(rest.partition("?")[0]))
    if scheme.lower() == "rtsp":
        return _fit(_host_of(uri))  # never of the path: some cameras take their password there
    return _fit(scheme)


def _host_of(uri: str) -> str:
    try:
        return urlsplit(uri).hostname or "rtsp"
    except ValueError:
        return "rtsp"


def _name_of_path(text: str) -> str:
    folder, name = posixpath.split(text)
    # Of a pattern such as drive/*.png, the folder names it better.
    return _fit(posixpath.basename(folder) if set("*?[") & set(name) else posixpath.splitext(name)[0])


def _fit(text: str) -> str:
    return _UNFIT_FOR_NAMES.sub("_", text).strip("._-") or "stream"
