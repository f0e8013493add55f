"""One key of devices.yaml is written, and not a letter of what people wrote besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.control.devices_edit import own_calibration, read_calibration, with_calibration, write_calibration
from edgekit.control.project import package_data_root
from edgekit.errors import ConfigError

FLEET = """\
# The fleet.
defaults: {precision: auto}   # for all

devices:
  gate:   # at the gate
    kind: local
    detector: roadscene  # the demo
    # calibration: NAME

    threads: 2
  yard:
    cameras:
      a: /data/a.mp4
    kind: local
    calibration: 'old set'   # chosen by hand
  flow: {kind: local, threads: 1}  # short
groups:
  all-gates: [gate]
"""


def changed_lines(before: str, after: str) -> list[str]:
    return [line for line in after.splitlines() if line not in before.splitlines()]


def test_the_key_is_added_below_what_it_belongs_to_and_every_other_line_stays():
    """Comments are what people wrote for each other; a YAML dump would drop them."""
    after = with_calibration(FLEET, "gate", "roadscene-gate-1")
    assert changed_lines(FLEET, after) == ["    calibration: roadscene-gate-1"]
    before = FLEET.splitlines()
    assert [line for line in after.splitlines() if line != "    calibration: roadscene-gate-1"] == before
    assert after.splitlines()[after.splitlines().index("    calibration: roadscene-gate-1") - 1].endswith("# the demo")


def test_a_name_that_is_there_is_replaced_and_its_comment_stays():
    """A second key of the same name would make the file unreadable."""
    after = with_calibration(FLEET, "yard", "new")
    assert changed_lines(FLEET, after) == ["    calibration: new   # chosen by hand"]


def test_an_entry_in_braces_is_edited_in_its_braces():
    """A line of its own would not be YAML there."""
    after = with_calibration(FLEET, "flow", "s")
    assert changed_lines(FLEET, after) == ["  flow: {calibration: s, kind: local, threads: 1}  # short"]


@pytest.mark.parametrize("device", ["gate", "flow"])
def test_taking_the_key_out_again_gives_the_file_that_was(device):
    """A release that was taken back would leave its set behind, and the next deploy would try it again."""
    assert with_calibration(with_calibration(FLEET, device, "s"), device, None) == FLEET


@pytest.mark.parametrize("name", ["null", "1e3", "2026-11-20", "true", "0x10"])
def test_a_name_that_yaml_takes_for_something_else_is_quoted(name):
    """The set called 1e3 would be the number 1000."""
    assert own_calibration(with_calibration(FLEET, "gate", name), "gate") == name


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_mark_stay(ending, mark):
    """An editor on Windows would show one long line, or a difference in every line."""
    text = mark + FLEET.replace("\n", ending)
    after = with_calibration(text, "gate", "s")
    assert after.replace(f"    calibration: s{ending}", "") == text


def test_the_file_that_edgekit_ships_can_be_edited():
    """It is what nearly every project begins with."""
    text = (package_data_root() / "devices.yaml").read_text("utf-8")
    assert len(changed_lines(text, with_calibration(text, "local", "s"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "defaults: {kind: local}\ndevices:\n  gate:\n",
        "devices:\n  gate:\n    kind: local\n    threads: wrong\n",
        "devices:\n  gate: &a\n    kind: local\n  yard: *a\n",
        "devices:\n  gate:\n    cameras: {a: /x.mp4,\n      b: /y.mp4}\n",
        "devices:\n  yard: {kind: local}\n",
    ],
    ids=["an empty entry", "a file that is wrong already", "an alias", "no line to follow", "no such device"],
)
def test_what_cannot_be_edited_safely_is_refused_with_what_to_write(text):
    """The file would be broken by a program, at night."""
    with pytest.raises(ConfigError) as caught:
        with_calibration(text, "gate", "roadscene-gate-1")
    assert "calibration: roadscene-gate-1" in caught.value.hint


def test_mode_and_link_of_the_file_stay(tmp_path: Path):
    """Addresses of cameras hold passwords: a file that only its owner could read would be open to all."""
    real, link = tmp_path / "real.yaml", tmp_path / "devices.yaml"
    real.write_text(FLEET)
    real.chmod(0o600)
    link.symlink_to(real)
    assert (read_calibration(link, "yard"), read_calibration(link, "gate")) == ("old set", None)
    write_calibration(link, "gate", "new")
    assert read_calibration(link, "gate") == "new"
    assert real.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()
    inode = real.stat().st_ino
    write_calibration(link, "gate", "new")
    assert real.stat().st_ino == inode, "a file that says so already is not written"
