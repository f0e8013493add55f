"""Figures as a report prints them: fixed digits, thousands apart, a true minus sign."""

from __future__ import annotations

import re

_MINUS = "\N{MINUS SIGN}"
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|\+00:00)")
_THIN = "\N{NARROW NO-BREAK SPACE}"
_PERCENT = re.compile(r"(?<=\d)%")


def figure(value: float | None, digits: int, unit: str = "", missing: str = "") -> str:
    """ "1 234.5 ms"; `missing` for None. Thousands are set apart from 10 000 on."""
    if value is None:
        return missing
    number = f"{abs(value):,.{digits}f}" if abs(value) >= 10_000 else f"{abs(value):.{digits}f}"
    sign = _MINUS if value < 0 and float(number.replace(",", "")) != 0 else ""
    return f"{sign}{number.replace(',', _THIN)}{_THIN + unit if unit else ''}"


def signed_pct(pct: float | None) -> str:
    """ "+12.3 %", "-4.5 %", or "" for None. Small changes keep two decimals, large ones none;
    from eleven times on the factor is given, "× 11".
    """
    if pct is None:
        return ""
    digits = 0 if abs(pct) >= 100 else 1 if abs(pct) >= 1 else 2
    number = figure(abs(pct), digits)
    if pct >= 1000:
        return f"×{_THIN}{figure(1 + pct / 100, 0)}"
    if float(f"{abs(pct):.{digits}f}") == 0:
        return f"0{_THIN}%"
    sign = "+" if pct > 0 else _MINUS
    return f"{sign}{number}{_THIN}%"


def fps(value: float | None, missing: str = "") -> str:
    """A rate without its unit: one decimal, two below ten, none from 1 000 on."""
    if value is None:
        return missing
    return figure(value, 2 if value < 10 else 1 if value < 1000 else 0)


def moment(utc: str) -> str:
    """ "2026-03-04 05:06 UTC" from an ISO 8601 stamp in UTC; other text stays as it is."""
    found = _STAMP.fullmatch(utc)
    return f"{found.group(1)} {found.group(2)} UTC" if found else utc


def share(value: float) -> str:
    """0.9849 -> "98.4 %": rounded down, so that what misses a limit never reads as if it met it, as core.gate does."""
    return figure(int(value * 1000 + 1e-6) / 10, 1, "%")


def percent_apart(text: str) -> str:
    """A recorded sentence as reports print percentages: "98.6%" -> "98.6 %"."""
    return _PERCENT.sub(f"{_THIN}%", text)
