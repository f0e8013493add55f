"""How much scratch memory the builder is allowed, by what is free."""

from __future__ import annotations

import pytest

from edgekit.core.workspace import LEAST_MIB, choose_workspace_mib, least_free_mib


@pytest.mark.parametrize(
    "free, total, shared, expected",
    [
        (5200, 7600, True, 944),
        (900, 1990, True, 224),
        (25000, 30000, True, 2048),
        (60000, 61000, True, 2048),
        (5200, 8192, False, 2592),
        (140000, 143000, False, 8192),
        (10, 4000, True, LEAST_MIB),
        (0, 0, False, LEAST_MIB),
    ],
    ids=["8 GB board", "2 GB board", "32 GB board", "64 GB board", "8 GB card", "large card", "full board", "nothing"],
)
def test_the_limit_follows_free_memory(free, total, shared, expected) -> None:
    """Too much kills the build on an 8 GB board, too little costs fast kernels."""
    assert expected == choose_workspace_mib(free, total, shared)


def test_a_shared_memory_board_never_gives_more_than_a_card() -> None:
    """There the CPU's programs live in the same memory."""
    for free in range(0, 20000, 250):
        assert choose_workspace_mib(free, 8192, True) <= choose_workspace_mib(free, 8192, False)
        assert choose_workspace_mib(free, 8192, True) <= max(LEAST_MIB, free // 4)


def test_what_a_build_needs_at_least_grows_with_the_model() -> None:
    """A 200 MiB model on a board with 600 MiB free cannot be built."""
    assert least_free_mib(200, True) > least_free_mib(10, True) > least_free_mib(10, False) > LEAST_MIB
