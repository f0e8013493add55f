"""The verdict of core.gate as parts of sentences, in the language of a page. Pure.

In English they are those of core.gate, as the terminal has them.
"""

from __future__ import annotations

from edgekit.core import gate as english
from edgekit.core.gate import KEPT_MIN, STRATUM_KEPT_MIN, Gate, StratumKept, short_name
from edgekit.report import numbers
from edgekit.report.facts_scenes import stratum_label
from edgekit.report.texts import text


def measure_text(lang: str, gate: Gate) -> str:
    """What its figures are: accuracy only where people said what is in the pictures."""
    return english.measure_name(gate) if lang == "en" else text(lang, f"measure_{_labelled_by(gate)}")


def kept_text(lang: str, gate: Gate) -> str:
    """What is kept of the baseline's, or that nothing can be compared."""
    if lang == "en":
        return english.kept_text(gate)
    if gate.overall.verdict == "not judged":
        return text(lang, "gate_blind")
    values = {"base": short_name(gate.baseline), "measure": measure_text(lang, gate)}
    return text(lang, "gate_kept", kept=numbers.share(gate.overall.kept), **values)


def refusal_text(lang: str, gate: Gate) -> str:
    """Why the candidate is refused, with the limits; "" if it passed."""
    if lang == "en" or gate.passed:
        return english.refusal_text(gate)
    reasons = []
    if gate.overall.verdict == "lost":
        measure = measure_text(lang, gate)
        kept = numbers.share(gate.overall.kept)
        reasons.append(text(lang, "decided_whole", kept=kept, measure=measure, limit=_limit(KEPT_MIN)))
    elif gate.overall.verdict != "kept":
        reasons.append(text(lang, "gate_blind"))
    lost = tuple(row for row in gate.lost if row.stratum != "all")
    if lost:
        reasons.append(text(lang, "decided_lost", rows=_rows(lang, lost), limit=_limit(STRATUM_KEPT_MIN)))
    return text(lang, "clause_comma").join(reasons)


def unsure_text(lang: str, gate: Gate) -> str:
    """What more pictures would settle, to end a sentence with; or ""."""
    if lang == "en" or not gate.unsure:
        return english.unsure_text(gate)
    return text(lang, "decided_unsure", rows=_rows(lang, gate.unsure))


def caveat_text(lang: str, gate: Gate) -> str:
    """What has to be said beside agreement with the model; or ""."""
    found = english.caveat_text(gate)
    return text(lang, "gate_caveat") if found and lang != "en" else found


def _labelled_by(gate: Gate) -> str:
    return "people" if gate.labelled_by == "people" else "model"


def _rows(lang: str, rows: tuple[StratumKept, ...]) -> str:
    worst_first = sorted(rows, key=lambda row: row.kept)
    told = (f"{stratum_label(lang, row.stratum)} {numbers.share(row.kept)}" for row in worst_first)
    return text(lang, "list_comma").join(told)


def _limit(share: float) -> str:
    return numbers.figure(100 * share, 1, "%")
