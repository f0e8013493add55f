"""The full counts are asked for: `pytest tests/crash --soak`. What was done to the devices is summed up at the end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Callable

import pytest

from tests.crash.harness import missing_tool

_COUNTS: Counter[str] = Counter()


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="every kill point, every error, thousands of power cuts")
    parser.addoption("--crash-counts", default="", help="where to write the counts, as JSON")


@pytest.fixture(scope="session")
def soak(request) -> bool:
    """Whether to do all of it instead of a slice."""
    return bool(request.config.getoption("--soak", default=False))


@pytest.fixture(scope="session")
def strace() -> None:
    """Skips where calls cannot be counted and made to fail."""
    reason = missing_tool()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def count() -> Callable[..., None]:
    """Note something that was done to a device, so often."""

    def note(what: str, times: int = 1) -> None:
        _COUNTS[what] += times

    return note


def pytest_terminal_summary(terminalreporter, config):
    for what, times in sorted(_COUNTS.items()):
        terminalreporter.write_line(f"{times} {what}")
    path = config.getoption("--crash-counts", default="")
    if path:
        Path(path).write_text(json.dumps(dict(sorted(_COUNTS.items()))))
