"""The layers of a built engine, summed up: which precisions, which kinds, which kernels."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Iterable, Sequence, Tuple

from edgekit.core.engine import EngineLayer

UNTOLD = ""  # the inspector did not tell

_PRECISION_ORDER = ("int8", "fp8", "int4", "fp4", "fp16", "bf16", "fp32")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}|-?\d+")

Counts = Tuple[Tuple[str, int], ...]


@dataclass(frozen=True)
class KindRow:
    """One kind of layer. precisions: how many of them in each, narrowest first."""

    kind: str
    layers: int
    precisions: Counts


def count_precisions(layers: Sequence[EngineLayer]) -> Counts:
    """How many layers compute in each precision, narrowest first; UNTOLD comes last."""
    counts = Counter(layer.precision for layer in layers)
    return tuple(sorted(counts.items(), key=lambda item: _precision_rank(item[0])))


def count_kinds(layers: Sequence[EngineLayer]) -> Tuple[KindRow, ...]:
    """The kinds of layers, most frequent first."""
    rows = []
    for kind, number in _most_common(layer.kind for layer in layers):
        alike = [layer for layer in layers if layer.kind == kind]
        rows.append(KindRow(kind, number, count_precisions(alike)))
    return tuple(rows)


def count_tactics(layers: Sequence[EngineLayer]) -> Counts:
    """The families of kernels, most frequent first. Layers whose kernel has no name are left out."""
    return _most_common(family for family in (tactic_family(layer.tactic) for layer in layers) if family)


def tactic_family(tactic: str) -> str:
    """What a kernel does, from its name: the words before its tile sizes and types; "" for a mere number.

    "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_..." gives "sm80_xmma_fprop_implicit_gemm_interleaved".
    """
    words = tactic.split("_")
    if not tactic or _NUMBER.fullmatch(tactic):
        return ""
    kept = words[:1]
    for word in words[1:]:
        if any(letter.isdigit() for letter in word):
            break
        kept.append(word)
    return "_".join(kept).rstrip("_") or tactic


def _most_common(names: Iterable[str]) -> Counts:
    return tuple(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _precision_rank(name: str) -> Tuple[int, str]:
    if name == UNTOLD:
        return len(_PRECISION_ORDER) + 1, name
    return (_PRECISION_ORDER.index(name) if name in _PRECISION_ORDER else len(_PRECISION_ORDER)), name
