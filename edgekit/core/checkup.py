"""What a checkup finds: the same words for this machine, a project and a device. Verb `checkup` answers with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

SEVERITIES = ("error", "warning", "ok")  # worst first


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. remedy is a command, or a sentence; empty when all is well."""

    severity: str
    subject: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class CheckupRequest:
    """Look at everything a device needs to build and run engines: verb `checkup`. Takes seconds; writes nothing."""

    schema: int = 1


@dataclass(frozen=True)
class CheckupAnswer:
    findings: Tuple[Finding, ...]
    schema: int = 1
