"""What other programs take of the processors, watched for a moment through /proc."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from edgekit.core.processor_load import OtherLoad, ProcessorTimes, load_between, parse_program, parse_stat


def watch_load(root: Path, watch_s: float) -> OtherLoad:
    """The load of all but this process and its parent, which waits for it: on `local` that is the command line.

    In a container, programs outside have no names but count.
    """
    before = _look(root)
    time.sleep(watch_s)
    after = _look(root)
    return OtherLoad() if before is None or after is None else load_between(before, after, (os.getpid(), os.getppid()))


def _look(root: Path) -> Optional[ProcessorTimes]:
    try:
        times = parse_stat((root / "proc/stat").read_text("ascii", "replace"))
        numbers = [int(path.name) for path in (root / "proc").iterdir() if path.name.isdecimal()]
    except OSError:
        return None
    return None if times is None else ProcessorTimes(*times, _programs(root, numbers))


def _programs(root: Path, numbers: List[int]) -> Dict[int, Tuple[str, int]]:
    found: Dict[int, Tuple[str, int]] = {}
    for number in numbers:
        try:
            program = parse_program((root / f"proc/{number}/stat").read_text("utf-8", "replace"))
        except OSError:  # it ended meanwhile
            continue
        if program is not None:
            found[number] = program
    return found
