"""Why the engine that was deployed was chosen, in the language of the report. Pure."""

from __future__ import annotations

from edgekit.core.gate import Gate, short_name
from edgekit.report import numbers
from edgekit.report.accuracy_gate import measure_text, refusal_text, unsure_text
from edgekit.report.load import Shipped
from edgekit.report.recorded.saying import Recorded, recorded
from edgekit.report.texts import text


def decision_text(lang: str, shipped: Shipped) -> Recorded:
    """The decision as a sentence.

    In English it is the recorded one. Else it is said anew from the gate and the times that were recorded, or, without
    them, from the sentence as far as it is known.
    """
    said = None if lang == "en" else _said_anew(lang, shipped)
    return Recorded(said) if said else recorded(lang, shipped.decision)


def _said_anew(lang: str, shipped: Shipped) -> str | None:
    gate = shipped.gate
    if gate is None or gate.overall.verdict == "not judged":
        return None
    base = short_name(gate.baseline)
    if shipped.precision == "int8" and gate.passed:
        return _gain(lang, base, gate, shipped) + unsure_text(lang, gate)
    if shipped.precision != "int8" and not gate.passed:
        return text(lang, "decided_refused", base=base, why=refusal_text(lang, gate))
    speeds = _speeds(shipped)
    if shipped.precision != "int8" and speeds and speeds[1] >= speeds[0]:
        told = {"int8": numbers.figure(speeds[1], 1, "ms"), "other": numbers.figure(speeds[0], 1, "ms")}
        return text(lang, "decided_no_faster", base=base, **told)
    return None


def _gain(lang: str, base: str, gate: Gate, shipped: Shipped) -> str:
    speeds = _speeds(shipped)
    values = {"base": base, "kept": numbers.share(gate.overall.kept), "measure": measure_text(lang, gate)}
    if speeds is None:
        return text(lang, "decided_int8_kept", **values)
    return text(lang, "decided_int8", factor=f"{speeds[0] / speeds[1]:.2f}", **values)


def _speeds(shipped: Shipped) -> tuple[float, float] | None:
    """Median inference time of the engine that was not quantised, and of INT8."""
    others = [ms for precision, ms in shipped.inference_p50_ms.items() if precision != "int8"]
    int8 = shipped.inference_p50_ms.get("int8")
    return (others[0], int8) if others and int8 else None
