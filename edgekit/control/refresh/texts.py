"""Sentences of a refresh: what its steps came to, and what to type next."""

from __future__ import annotations

from edgekit.control.field.screen import Screened
from edgekit.core.refresh import Refresh


def collect_hint(device: str) -> str:
    """What to do where the device keeps nothing."""
    return f"let the service keep hard frames: `collect: {{}}` below `{device}:` in devices.yaml, then edgekit deploy"


def screened_text(screened: Screened) -> str:
    """ "50 good, 12 refused (10 dark, 2 duplicate)"."""
    told = ", ".join(f"{count} {why}" for why, count in screened.counts().items())
    return f"{len(screened.accepted)} good, {len(screened.refused)} refused" + (f" ({told})" if told else "")


def then_text(last: Refresh, *, serves: bool) -> str:
    """What came of the same frames before. serves: whether that refresh's engine serves now."""
    if last.outcome == "promoted":
        return f"{last.set_name} was put in service then" + ("" if serves else ", and another engine serves now")
    return f"{last.set_name} was {last.outcome} then, {last.why}"


def keep_hint(record: Refresh) -> str:
    """What to do about a candidate that may not serve; "" where nothing can be done."""
    if record.cause == "loses":
        found = f"edgekit sensitivity --device {record.device} --calibration {record.set_name}"
        return f"{found}    (finds the layers that cost it)"
    if record.cause == "not measured":
        return "edgekit calib split NAME --frozen 0.2, then frozen: in detector.yaml"
    if record.cause == "no better":
        return f"edgekit refresh --device {record.device} --accept-equal    (takes it if it is no worse)"
    return ""
