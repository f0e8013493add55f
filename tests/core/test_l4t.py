"""Jetson Linux as the boards state it: recorded files of ten years, and what must not be taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.core.l4t import jetpack_of, parse_stated, parse_tegra_release, release_numbers
from edgekit.errors import DeviceError

CASES = json.loads((Path(__file__).parents[1] / "cases/jetson/nv_tegra_release.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['l4t']} {case['lines'][0][-12:]}")
def test_every_recorded_file_keeps_its_release(case) -> None:
    """The release is part of every engine's key: read differently, all engines of that board would be rebuilt."""
    assert case["l4t"] == parse_tegra_release("\n".join(case["lines"]) + "\n")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['l4t']} {case['lines'][0][-12:]}")
def test_every_recorded_release_is_named_as_its_jetpack(case) -> None:
    """People know their JetPack, not their L4T. Those before 4.6, on which edgekit cannot run, are not in the table."""
    assert case["jetpack"] == jetpack_of(case["l4t"])


def test_a_release_without_a_third_part_is_a_dot_zero() -> None:
    """ "36.5" and "36.5.0" would be two keys for one release."""
    assert parse_tegra_release("# R36 (release), REVISION: 5, GCID: 1") == "36.5.0" == parse_stated(" 36.5\n")


@pytest.mark.parametrize("text", ["", "Ubuntu 22.04", "# R36 (release)"], ids=["empty", "other file", "cut short"])
def test_another_text_is_refused(text: str) -> None:
    """An engine key with a guessed release would let foreign engines in."""
    with pytest.raises(DeviceError, match="EDGEKIT_L4T"):
        parse_tegra_release(text)


@pytest.mark.parametrize("text", ["r36.4", "36", "36.4.4-evil", "latest", "36.4.4.1"])
def test_what_a_container_is_told_must_be_a_release(text: str) -> None:
    """It goes into file names and keys."""
    with pytest.raises(DeviceError, match="EDGEKIT_L4T"):
        parse_stated(text)


def test_unknown_releases_have_no_jetpack() -> None:
    """34.1.2 exists and belongs to none; a new release must work before this table knows it."""
    assert [jetpack_of(l4t) for l4t in ("34.1.2", "99.1.0", None)] == [None, None, None]
    assert release_numbers("36.4.7") == (36, 4)
