"""One line of a review. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Phrase:
    """A part of a list in "how_<key>": a text key, and what fills its blanks."""

    key: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Line:
    """key: of the texts, where "how_<key>" says how it was reckoned. unit: "" for none, "money" for the currency.

    after: None where it could not be reckoned; `missing` then names the inputs as text keys "missing_<name>".
    before: of the baseline engine, None where there is none or it could not be reckoned. verdict: as of compare.Change.
    values, lists: fill the blanks of "how_<key>".
    "of" among the values is what results call the thing whose power it is.
    """

    key: str
    unit: str
    digits: int
    after: float | None
    before: float | None = None
    missing: tuple[str, ...] = ()
    change_pct: float | None = None
    verdict: str = "unknown"
    values: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[Phrase, ...]] = field(default_factory=dict)


def reckoned(
    key: str,
    unit: str,
    digits: int,
    pair: tuple[float | None, float | None],
    missing: tuple[str, ...],
    *,
    higher_is_better: bool | None = None,
    values: Mapping[str, str] | None = None,
) -> Line:
    """A line from (before, after), with the change between them where both are known."""
    before, after = pair
    pct = 100 * (after - before) / before if before and after is not None else None
    verdict = "unknown"
    if pct is not None:
        same = higher_is_better is None or pct == 0
        verdict = "same" if same else "better" if (pct > 0) == higher_is_better else "worse"
    told = tuple(dict.fromkeys(missing)) if after is None else ()
    return Line(key, unit, digits, after, before, told, pct, verdict, values or {})
