"""Why a result is not in a report, as a line. Pure."""

from __future__ import annotations

from edgekit.report.comparison.choice import LeftOut
from edgekit.report.recorded.saying import recorded_all, recorded_word
from edgekit.report.texts import text


def left_out_text(lang: str, one: LeftOut) -> str:
    """ "ID: disturbed: why", or "ID: field: this report's value and its own"."""
    if one.disturbances:
        return text(lang, "left_out_disturbed", result=one.result_id, why=recorded_all(lang, one.disturbances))
    told = [
        text(
            lang,
            "differs",
            name=each.name,
            first=recorded_word(lang, each.first),
            second=recorded_word(lang, each.second),
        )
        for each in one.differences
    ]
    return text(lang, "left_out_differs", result=one.result_id, why=text(lang, "clause_comma").join(told))
