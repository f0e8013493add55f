"""The files of kinds of machines, written below a folder; see tests/cases/machine/ORIGIN.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

CASES = Path(__file__).resolve().parent / "cases" / "machine"
MACHINES = sorted(path.stem for path in CASES.glob("*.json"))


def case_of(machine: str) -> Dict[str, Any]:
    """What a case holds."""
    case: Dict[str, Any] = json.loads((CASES / f"{machine}.json").read_text("utf-8"))
    return case


def tree_of(machine: str, root: Path) -> Path:
    """Write the files of a case below root, which is given back."""
    case = case_of(machine)
    for path, text in case["files"].items():
        write(root, path, text)
    for path in case["folders"]:
        (root / path).mkdir(parents=True)
    for path, target in case["links"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    return root


def write(root: Path, path: str, text: str) -> None:
    """Write one file below root."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, "utf-8")
