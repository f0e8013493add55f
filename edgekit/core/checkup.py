"""What a checkup finds: the same words for this machine, a project and a device. Verb `checkup` answers with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Tuple

# Worst first. error: something will not work; warning: it works worse than it could, or will fail one day; info: worth
# knowing, and often wanted so; ok: looked at and found well.
SEVERITIES = ("error", "warning", "info", "ok")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. remedy is a command, or a sentence; empty when nothing need be done."""

    severity: str
    subject: str
    found: str
    remedy: str = ""


def worst_first(findings: Iterable[Finding]) -> Tuple[Finding, ...]:
    """Findings in the order of their severity; those of one severity stay in theirs."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


@dataclass(frozen=True)
class CheckupRequest:
    """Look at everything a device needs to build and run engines: verb `checkup`. Takes seconds; writes nothing."""

    schema: int = 1


@dataclass(frozen=True)
class CheckupAnswer:
    findings: Tuple[Finding, ...]
    schema: int = 1
