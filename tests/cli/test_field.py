"""`edgekit field` as it is typed: real processes, frames as a service keeps them."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from edgekit.control.field.screen import screen, set_aside
from tests.kept_frames import KeptOnDevice
from tests.made_up_sets import quiet


@pytest.fixture
def device(tmp_path):
    return KeptOnDevice(tmp_path)


def typed(device, *arguments):
    command = [sys.executable, "-m", "edgekit", "--project", str(device.project.root), "field", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=device.project.root)


def test_what_a_device_has_kept_is_a_table_and_nothing_is_brought_here(device):
    """The first look costs nothing and changes nothing."""
    device.keep_scenes("night", 3, "gate", reasons=("far", "uncertain"))
    device.keep_scenes("day", 1, "yard", reasons=("random",))
    done = typed(device)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["reason", "far", "3", "75", "%"] in rows
    assert ["stratum", "light:night", "3", "75", "%"] in rows
    assert ["camera", "gate", "3", "75", "%"] in rows
    assert "the service collects no frames now" in done.stdout
    assert not (device.project.state_dir / "field").exists()


def test_nothing_kept_is_said_with_what_switches_it_on(device):
    done = typed(device)
    assert done.returncode == 0, done.stderr
    assert "local: tiny has no frames on the device" in done.stdout
    assert "collect: {}" in done.stdout


def test_fetched_frames_are_judged_and_shown_on_a_page_without_changing_a_set(device):
    """People look before they trust; looking must leave a refresh exactly what it would have had."""
    device.keep_scenes("night", 3)
    device.keep(np.zeros((180, 320, 3), np.uint8), "yard")
    page = device.project.root / "look.html"
    done = typed(device, "--out", str(page), "--json")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert (value["fetched"], len(value["accepted"]), value["batch_refusal"]) == (4, 3, "")
    assert [one["why"] for one in value["refused"]] == ["dark"]
    assert value["page"] == str(page)
    assert page.read_text().count("data:image/jpeg") == 4
    assert not list(device.project.calib_sets_dir.glob("field-*"))
    again = typed(device, "--fetch")
    assert "fetched 0 frames" in again.stdout and "of 4 new ones 3 can be used, 1 are refused" in again.stdout
    assert "edgekit refresh --device local" in again.stderr


def test_a_poisoned_batch_is_exit_code_5_with_the_reason(device):
    """A nightly script must ring."""
    device.keep_scenes("day", 2)
    for level in range(5):
        device.keep(np.full((180, 320, 3), level, np.uint8))
    done = typed(device, "--fetch")
    assert done.returncode == 5
    assert "5 of 7 new frames cannot be used" in done.stderr
    assert "edgekit refresh" not in done.stderr


def test_frames_that_were_set_aside_can_be_judged_again(device):
    """Somebody looked, and the camera was only facing a wall that was painted."""
    device.keep_scenes("day", 3)
    fetched = device.fetch()
    set_aside(device.project, fetched, screen(device.project, fetched, device.detector, quiet))
    aside = typed(device, "--page")
    assert "of 0 new ones" in aside.stdout and "3 were judged before, 3 of them refused" in aside.stdout
    page = (device.project.state_dir / "reports" / "field-local.html").read_text()
    assert page.count("data:image/jpeg") == 3, "who set them aside wants to see them"
    done = typed(device, "--judge-again")
    assert "3 frames that were refused before are judged again" in done.stderr
    assert "of 3 new ones 3 can be used" in done.stdout


def test_a_page_that_cannot_be_written_is_an_error(device):
    (device.project.root / "file").write_text("")
    done = typed(device, "--out", str(device.project.root / "file" / "page.html"))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
