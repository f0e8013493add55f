"""Why the engine that was deployed was chosen, in the language of the report. Pure."""

from __future__ import annotations

from edgekit.core.gate import KEPT_MIN, STRATUM_KEPT_MIN, Gate, StratumKept, short_name
from edgekit.report import numbers
from edgekit.report.load import Shipped
from edgekit.report.texts import text


def decision_text(lang: str, shipped: Shipped) -> str | None:
    """The decision as a sentence; None where what was recorded tells it in English only and `lang` is another one.

    In English it is the recorded sentence. Else it is said anew from the gate and the times that were recorded.
    """
    if lang == "en":
        return numbers.percent_apart(shipped.decision)
    gate = shipped.gate
    if gate is None or gate.overall.verdict == "not judged" or gate.labelled_by != "people":
        return None
    base = short_name(gate.baseline)
    if shipped.precision == "int8" and gate.passed:
        return _gain(lang, base, gate, shipped) + _rows(lang, "decided_unsure", gate.unsure)
    if shipped.precision != "int8" and not gate.passed:
        return _refusal(lang, base, gate)
    speeds = _speeds(shipped)
    if shipped.precision != "int8" and speeds and speeds[1] >= speeds[0]:
        told = {"int8": numbers.figure(speeds[1], 1, "ms"), "other": numbers.figure(speeds[0], 1, "ms")}
        return text(lang, "decided_no_faster", base=base, **told)
    return None


def _gain(lang: str, base: str, gate: Gate, shipped: Shipped) -> str:
    speeds = _speeds(shipped)
    kept = numbers.share(gate.overall.kept)
    if speeds is None:
        return text(lang, "decided_int8_kept", base=base, kept=kept)
    return text(lang, "decided_int8", base=base, kept=kept, factor=f"{speeds[0] / speeds[1]:.2f}")


def _refusal(lang: str, base: str, gate: Gate) -> str:
    whole = gate.overall.verdict != "kept"
    lost = tuple(row for row in gate.lost if row.stratum != "all")
    total = text(lang, "decided_whole", kept=numbers.share(gate.overall.kept), limit=_limit(KEPT_MIN))
    reasons = [*([total] if whole else []), *([_rows(lang, "decided_lost", lost)] if lost else [])]
    return text(lang, "decided_refused", base=base, why=text(lang, "clause_comma").join(reasons))


def _rows(lang: str, key: str, rows: tuple[StratumKept, ...]) -> str:
    if not rows:
        return ""
    worst_first = sorted(rows, key=lambda row: row.kept)
    told = text(lang, "list_comma").join(f"{row.stratum} {numbers.share(row.kept)}" for row in worst_first)
    return text(lang, key, rows=told, limit=_limit(STRATUM_KEPT_MIN))


def _limit(share: float) -> str:
    return numbers.figure(100 * share, 1, "%")


def _speeds(shipped: Shipped) -> tuple[float, float] | None:
    """Median inference time of the engine that was not quantised, and of INT8."""
    others = [ms for precision, ms in shipped.inference_p50_ms.items() if precision != "int8"]
    int8 = shipped.inference_p50_ms.get("int8")
    return (others[0], int8) if others and int8 else None
