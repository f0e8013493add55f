"""Plain names for what goes wrong with a camera, from the texts of GStreamer, FFmpeg and the kernel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Tuple

# What waits longer before it is tried again: a camera locks accounts after a few wrong passwords.
SLOW_KINDS = ("password", "host")


@dataclass(frozen=True)
class CameraFailure:
    """kind: one of the words below, for programs; what: a sentence for people, without secrets."""

    kind: str
    what: str

    @property
    def is_slow(self) -> bool:
        """True if trying again at once is useless or does harm."""
        return self.kind in SLOW_KINDS


# The first match counts: what a person can act on stands before what follows from it.
_KNOWN: Tuple[Tuple[str, str, str], ...] = (
    ("password", "the camera refuses user or password", r"\b401\b|unauthori[sz]ed|not authorized|\b403\b|forbidden"),
    ("stream", "the camera has no such stream; check the path", r"\b404\b|not found \(404\)|stream not found"),
    (
        "host",
        "the host name is unknown",
        r"name or service not known|failed to resolve hostname|could not resolve|temporary failure in name resolution"
        r"|no address associated|error resolving|nodename nor servname",
    ),
    ("refused", "the camera refuses the connection; it may be starting", r"connection refused"),
    (
        "full",
        "the camera serves no further viewer now; close one of the others",
        r"not enough bandwidth|service unavailable",
    ),
    ("unreachable", "the camera cannot be reached", r"no route to host|network is unreachable|host is down"),
    ("busy", "another program uses the camera", r"resource busy|\bebusy\b|device .* is busy"),
    (
        "argus",
        "the CSI camera daemon gives no session; it may need a restart: systemctl restart nvargus-daemon",
        r"failed to create capturesession|no cameras available|argus.*(?:disconnect|timeout)|invalid camera device",
    ),
    ("no device", "there is no such camera device", r"cannot identify device|no such file|no such device|\benodev\b"),
    ("permission", "this user may not open the camera; it must be in the group video", r"permission denied|\beacces\b"),
    (
        "missing element",
        "GStreamer lacks a part that this stream needs",
        r"no element \"|missing plugin|this machine has no|can only be read through",
    ),
    ("codec", "the camera sends a codec that is not h264, h265 or mjpeg", r"unknown codec"),
    (
        "mode",
        "the camera has no such width, height, fps or codec",
        r"not[- ]negotiated|failed to negotiate|does not support",
    ),
    (
        "no video",
        "the camera sends no video that can be read: only sound, or another codec than asked for",
        r"reason not-linked",
    ),
    ("timeout", "the camera did not answer in time", r"timed? ?out|could not receive message"),
    ("bad stream", "what the camera sends cannot be decoded", r"invalid data|could not decode|no valid frames|corrupt"),
    ("ended", "the camera ended the stream", r"end of (?:file|stream)|\beos\b|server closed|could not read from"),
)
_PATTERNS = tuple((kind, what, re.compile(pattern, re.IGNORECASE)) for kind, what, pattern in _KNOWN)
_MOST_DETAIL = 240


def name_failure(text: str) -> CameraFailure:
    """What a library's message means. The text must hold no secrets already; an unknown one is quoted in part."""
    detail = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MOST_DETAIL]
    for kind, what, pattern in _PATTERNS:
        if pattern.search(text):
            return CameraFailure(kind, f"{what}: {detail}" if kind == "missing element" else what)
    return CameraFailure("other", f"the camera cannot be read: {detail}" if detail else "the camera cannot be read")
