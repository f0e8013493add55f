"""What TensorRT's builder says while it works, sorted: what went wrong, what cost speed, what is good to know.

Severities are the logger's: "INTERNAL_ERROR", "ERROR", "WARNING", "INFO". The texts are those of TensorRT 8.5 to 10,
as users of these releases report them; tests/cases/trt_messages.json says which line comes from where.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable, List, Sequence, Tuple

Message = Tuple[str, str]

_ERRORS = ("INTERNAL_ERROR", "ERROR")
_SKIPPED = re.compile(r"skipping tactic", re.IGNORECASE)
_NOT_TRIED = re.compile(r"insufficient to use tactic", re.IGNORECASE)
_LITTLE_MEMORY = re.compile(
    r"insuff?icient memory|insufficient to use tactic|could not be allocated|do not have sufficient workspace",
    re.IGNORECASE,
)
_OUT_OF_MEMORY = re.compile(
    r"out ?of ?memory|could not be allocated|bad_alloc|cudaErrorMemoryAllocation|MEM_ALLOC_FAILED", re.IGNORECASE
)
_CACHE_REFUSED = re.compile(
    r"Myelin error from unknown graph|(timing|myelin) ?cache.*(mismatch|invalid|incompatible|refused|corrupt|fail)"
    r"|(invalid|incompatible|mismatched) timing cache|cannot deserialize timing cache|timing cache will not be used",
    re.IGNORECASE,
)
_CACHE_NOT_GIVEN = re.compile(r"setup a local cache instead|Local timing cache in use", re.IGNORECASE)
_ON_GPU = re.compile(r"layer '?(?P<layer>[^']+?)'?(?: \([^)]*\))?:? is not supported on DLA", re.IGNORECASE)
_FALLS_BACK = re.compile(r"falling back to (the )?GPU|Switching this layer's device type to GPU", re.IGNORECASE)
_NO_KERNEL = re.compile(r"Could not find any implementation for node (?P<node>[^\n]+)", re.IGNORECASE)
_OVERFLOW = re.compile(r"overflow in FP16|larger than.*FP16|outside.*FP16 range|greater than.*FP16 max", re.IGNORECASE)
_UNSCALED = re.compile(r"Missing (scale and zero-point|dynamic range|calibration scale)", re.IGNORECASE)
_INT64 = re.compile(r"INT64 weights|weights outside the range of INT32|INT64.*cast(ing)? down", re.IGNORECASE)
_DISOBEYED = re.compile(r"No implementation.*obeys? (the )?requested constraints", re.IGNORECASE)
_ABOUT_FP16 = re.compile(
    r"FP16|(reduce|adjust) the magnitude of the weights|converting weights between types|list of affected weights",
    re.IGNORECASE,
)
_SUBNORMAL = re.compile(r"subnormal", re.IGNORECASE)
_NOISE = re.compile(r"CUDA lazy loading is not enabled|was linked against|Try decreasing the workspace", re.IGNORECASE)
_TOLD_OTHERWISE = (
    *(_SKIPPED, _LITTLE_MEMORY, _OUT_OF_MEMORY, _CACHE_REFUSED, _CACHE_NOT_GIVEN, _ON_GPU, _FALLS_BACK),
    *(_OVERFLOW, _UNSCALED, _INT64, _DISOBEYED, _ABOUT_FP16, _NOISE),
)
_TEXT_AT_MOST = 300
_NOTES_AT_MOST = 20


@dataclass(frozen=True)
class BuilderFindings:
    """What a build's messages come to. errors: every error line, in order."""

    skipped_tactics: int = 0
    little_memory: bool = False
    out_of_memory: bool = False
    timing_cache_refused: bool = False
    dla_fallback: Tuple[str, ...] = ()
    unscaled_tensors: int = 0
    warnings: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()
    errors: Tuple[str, ...] = ()


def sort_messages(messages: Iterable[Message]) -> BuilderFindings:
    """Read a build's messages. An error that the build got over stays in `errors`; the caller decides what it means."""
    heard = list(messages)
    texts = [text for _, text in heard]
    # Each skipped kernel brings both lines; some releases write only one of them.
    skipped = max(_count(_SKIPPED, texts), _count(_NOT_TRIED, texts))
    little, out = _any(_LITTLE_MEMORY, texts), _any(_OUT_OF_MEMORY, texts)
    return BuilderFindings(
        skipped_tactics=skipped,
        little_memory=little,
        out_of_memory=out,
        timing_cache_refused=_any(_CACHE_REFUSED, texts),
        dla_fallback=_unique(match.group("layer") for match in map(_ON_GPU.search, texts) if match),
        unscaled_tensors=_count(_UNSCALED, texts),
        warnings=tuple(_warnings(skipped, little or out, heard)),
        notes=tuple(_notes(heard)),
        errors=_unique(one_line(text) for severity, text in heard if severity in _ERRORS),
    )


def nodes_without_kernel(errors: Sequence[str]) -> Tuple[str, ...]:
    """The nodes for which the builder found no kernel at all, from its error lines."""
    found = (_NO_KERNEL.search(text) for text in errors)
    return _unique(match.group("node").rstrip(".) ") for match in found if match)


def one_line(text: str) -> str:
    """A message on one line, cut at 300 characters."""
    return " ".join(text.split())[:_TEXT_AT_MOST]


def _warnings(skipped: int, little_memory: bool, heard: Sequence[Message]) -> Iterable[str]:
    texts = [text for _, text in heard]
    if little_memory:
        kernels = f"{skipped} kernels were not tried" if skipped else "kernels were not tried"
        yield f"memory was short while building: {kernels}, so the engine may be slower than it could be"
    elif skipped:
        yield f"{skipped} kernels failed while they were tried and were left out"
    overflows = _count(_OVERFLOW, texts)
    if overflows:
        yield f"{overflows} times weights or values did not fit FP16 and were cut to its range"
    disobeyed = _count(_DISOBEYED, texts)
    if disobeyed:
        yield f"{disobeyed} layers did not take the precision asked for"
    others = [text for severity, text in heard if severity in _ERRORS and not _is_told_otherwise(text)]
    if others:
        yield f"TensorRT reported {len(others)} errors while building, the first: {one_line(others[0])}"


def _notes(heard: Sequence[Message]) -> Iterable[str]:
    """Warnings that no rule above knows, each once, and sums of those that come by the dozen."""
    texts = [text for severity, text in heard if severity == "WARNING"]
    unscaled = _count(_UNSCALED, texts)
    if unscaled:
        yield f"{unscaled} tensors have no INT8 scale and stay in float"
    if _any(_INT64, texts):
        yield "the model's 64 bit integers were made 32 bit"
    subnormal = _count(_SUBNORMAL, texts)
    if subnormal:
        yield f"{subnormal} times FP16 weights were too small for full precision"
    others = (one_line(text) for text in texts if not _is_told_otherwise(text))
    yield from _unique(others)[:_NOTES_AT_MOST]


def _is_told_otherwise(text: str) -> bool:
    return any(pattern.search(text) for pattern in _TOLD_OTHERWISE)


def _any(pattern: "re.Pattern[str]", texts: Sequence[str]) -> bool:
    return any(pattern.search(text) for text in texts)


def _count(pattern: "re.Pattern[str]", texts: Sequence[str]) -> int:
    return sum(1 for text in texts if pattern.search(text))


def _unique(items: Iterable[str]) -> Tuple[str, ...]:
    kept: List[str] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    return tuple(kept)
